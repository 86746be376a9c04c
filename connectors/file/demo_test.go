package file_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

const demo = "../../testdata/demo"

// TestDemoIsFresh generates the demo data anew and compares it with what is committed.
func TestDemoIsFresh(t *testing.T) {
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "go", "run", "./testdata/demo", "-dir", folder)
	command.Dir = "../.."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"people.csv", "people-monday.csv"} {
		if read(t, filepath.Join(demo, name)) != read(t, filepath.Join(folder, name)) {
			t.Errorf("%s is not what the generator writes: run go run ./testdata/demo", name)
		}
	}
}

// TestDemoTellsItsStory reads both files as a sync does: nobody has a problem, and the weekend is what the page says.
func TestDemoTellsItsStory(t *testing.T) {
	friday, monday := byID(t, "people.csv"), byID(t, "people-monday.csv")
	if len(friday) != 1200 {
		t.Errorf("%d people on Friday, want 1200", len(friday))
	}
	joined, left, changed, exchanged := 0, 0, 0, 0
	for id, now := range monday {
		before, ok := friday[id]
		switch {
		case !ok:
			joined++
		case !before.Attributes.Equal(now.Attributes) || !slices.Equal(before.Groups, now.Groups):
			changed++
		}
		for _, other := range friday {
			if ok && other.ID != id && other.Attributes.Text(directory.Email) == now.Attributes.Text(directory.Email) {
				exchanged++
			}
		}
	}
	for id := range friday {
		if _, ok := monday[id]; !ok {
			left++
		}
	}
	if joined != 4 || changed != 6 || left != 5 || exchanged != 2 {
		t.Errorf("%d joined, %d changed (%d of them have an address that was another's), %d left; want 4, 6, 2, 5", joined, changed, exchanged, left)
	}
	groups := map[string]bool{}
	inactive := 0
	for _, account := range friday {
		for _, group := range account.Groups {
			groups[group] = true
		}
		if account.Status == directory.StatusInactive {
			inactive++
		}
	}
	if len(groups) != 12 || !groups["Web editors"] || inactive < 20 {
		t.Errorf("%d inactive, groups %q", inactive, slices.Sorted(maps.Keys(groups)))
	}
}

func byID(t *testing.T, name string) map[string]directory.Account {
	t.Helper()
	people := map[string]directory.Account{}
	mails := map[string]bool{}
	for _, account := range list(t, open(t, filepath.Join(demo, name), nil)) {
		if account.Problem != "" {
			t.Errorf("%s: %s", name, account.Problem)
		}
		mail := account.Attributes.Text(directory.Email)
		if mails[mail] {
			t.Errorf("%s: %s is given to two people", name, mail)
		}
		mails[mail] = true
		people[account.ID] = account
	}
	return people
}
