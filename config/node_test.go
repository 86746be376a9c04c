package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/config"
)

// texts loads the map option of a directory from lines that are put below it.
func texts(t *testing.T, before, lines string) (map[string]string, error) {
	t.Helper()
	text := everything(before + "\nmap:\n  " + strings.ReplaceAll(lines, "\n", "\n  "))
	c, err := config.Load(surroundings(write(t, text)))
	if err != nil {
		return nil, err
	}
	hr, _ := c.Directory("hr")
	return hr.Settings.Map("map"), nil
}

func TestAliasesAndMergeKeys(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		want        map[string]string
	}{
		{"an alias stands for a value", "a: &a one\nb: *a", map[string]string{"a": "one", "b": "one"}},
		{"an own key wins over a merged one, also before it", "a: own\n<<: {a: merged, b: merged}", map[string]string{"a": "own", "b": "merged"}},
		{"and after it", "<<: {a: merged, b: merged}\na: own", map[string]string{"a": "own", "b": "merged"}},
		{"the first of several merged mappings wins", "<<: [{a: first}, {a: second, b: second}]", map[string]string{"a": "first", "b": "second"}},
		{"a quoted << is a name", "\"<<\": x", map[string]string{"<<": "x"}},
		{"a merged mapping may merge itself", "<<: {<<: {a: deep}, b: flat}", map[string]string{"a": "deep", "b": "flat"}},
		{"an alias may be a key", "a: &k x\n*k : y", map[string]string{"a": "x", "x": "y"}},
		{"scalars keep their letters", "a: 007\nb: 1e3\nc: 0x1F\nd: 2026-11-22\ne: True\nf: 1_000", map[string]string{"a": "007", "b": "1e3", "c": "0x1F", "d": "2026-11-22", "e": "True", "f": "1_000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := texts(t, "", c.lines)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBoolsInTheSpellingsOfYAML(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "True": true, "TRUE": true, "false": false, "False": false, "FALSE": false} {
		hr, _ := load(t, surroundings(write(t, everything("bool: "+text)))).Directory("hr")
		if got, ok := hr.Settings.Values["bool"].(bool); !ok || got != want {
			t.Errorf("%s is %v", text, hr.Settings.Values["bool"])
		}
	}
	for _, text := range []string{"yes", "on", "1", "tRUE"} {
		if _, err := config.Load(surroundings(write(t, everything("bool: "+text)))); err == nil {
			t.Errorf("%s was taken for a bool", text)
		}
	}
}

func TestAliasesOfAliasesDoNotFillTheMemory(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	began := time.Now()
	_, err := config.Load(surroundings(write(t, bomb.String()+everything(""))))
	if err == nil || !strings.Contains(err.Error(), "the file unfolds to more than 500000 values") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestThousandsOfFaultsAreCutToOneThousand(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "key-%d: x\n", i)
	}
	_, err := config.Load(surroundings(write(t, text.String()+everything(""))))
	var faults *config.Faults
	if !errors.As(err, &faults) || len(faults.List) != 1000 || faults.Omitted != 4000 || !strings.HasSuffix(err.Error(), "\nand 4000 more") {
		t.Errorf("got %d faults, %d omitted", len(faults.List), faults.Omitted)
	}
}

func TestAnAgencysThousandSitesLoad(t *testing.T) {
	var sites, syncs strings.Builder
	sites.WriteString("directories:\n  staff: {type: everything, path: x}\n")
	syncs.WriteString("syncs:\n")
	for i := range 1000 {
		fmt.Fprintf(&sites, "  site-%d: {type: everything, path: x, secret: \"${TENANT}\"}\n", i)
		fmt.Fprintf(&syncs, "  to-%d: {source: staff, target: site-%d, attributes: {email: email, username: lower(username)}}\n", i, i)
	}
	began := time.Now()
	c := load(t, surroundings(write(t, sites.String()+syncs.String())))
	if len(c.Directories) != 1001 || c.Syncs[999].Target != "site-999" {
		t.Errorf("%d directories, last sync %v", len(c.Directories), c.Syncs[999])
	}
	t.Logf("loaded in %v", time.Since(began))
}

func TestLongValuesAreCutInMessages(t *testing.T) {
	_, err := config.Load(surroundings(write(t, everything("int: "+strings.Repeat("ü", 500)))))
	if err == nil || len(err.Error()) > 400 || !strings.Contains(err.Error(), strings.Repeat("ü", 57)+`..." is not understood`) {
		t.Errorf("got %v", err)
	}
}
