package directorytest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

// recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (r *recorder) record(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, message)
}

func (r *recorder) Helper()                   {}
func (r *recorder) Log(...any)                {}
func (r *recorder) Logf(string, ...any)       {}
func (r *recorder) Error(args ...any)         { r.record(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.record(fmt.Sprintf(f, a...)) }
func (r *recorder) Fatal(args ...any)         { r.record(fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.record(fmt.Sprintf(f, a...)); runtime.Goexit() }

// failures tells the story and returns what each failing check said.
func failures(t *testing.T, s Suite) map[string][]string {
	t.Helper()
	s.complete(t)
	failed := map[string][]string{}
	n := &numbers{}
	for _, chapter := range story() {
		w := open(t, s, n)
		for _, check := range chapter.checks {
			r := &recorder{TB: t}
			if !w.told(r, chapter, check) {
				continue
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				check.run(r, w)
			}()
			<-done
			if len(r.failures) > 0 {
				failed[chapter.name+"/"+check.name] = r.failures
			}
		}
	}
	return failed
}

// TestEachDefectIsFound tells the story to directories with one thing wrong, and to one with nothing wrong.
func TestEachDefectIsFound(t *testing.T) {
	t.Parallel()
	for _, defect := range slices.Concat(defects, changeDefects) {
		t.Run(defect.name, func(t *testing.T) {
			t.Parallel()
			failed := failures(t, Suite{New: func(testing.TB) Place {
				options := defect.options
				options.Now = time.Now
				d := memory.New(options)
				return Place{
					Directory: defect.bend(d),
					Again:     func(testing.TB) directory.Directory { return defect.bend(d.Clone()) },
					Expire:    func(testing.TB) { d.ForgetChanges() },
				}
			}})
			if _, ok := failed[defect.check]; !ok && defect.check != "" {
				t.Errorf("the check %q passes; failed: %v", defect.check, failed)
			}
			for check, messages := range failed {
				if defect.check == "" {
					t.Errorf("%s: %s", check, strings.Join(messages, "\n"))
				}
			}
		})
	}
}

func TestChecksOfDefectsExist(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, defect := range slices.Concat(defects, changeDefects) {
		found[defect.check] = true
	}
	var unproven []string
	for _, chapter := range story() {
		for _, check := range chapter.checks {
			if name := chapter.name + "/" + check.name; !found[name] {
				unproven = append(unproven, name)
			}
		}
	}
	if len(unproven) > 0 {
		t.Errorf("no defect proves that these checks can fail:\n%s", strings.Join(unproven, "\n"))
	}
}

func TestQuirksNeedAReasonAndARealCheck(t *testing.T) {
	t.Parallel()
	for want, quirk := range map[string]Quirk{
		"has no reason":     {Check: Emoji},
		"there is no check": {Check: "listing/colours", Reason: "because"},
	} {
		r := &recorder{TB: t}
		s := Suite{New: func(testing.TB) Place { return Place{} }, Quirks: []Quirk{quirk}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.complete(r)
		}()
		<-done
		if len(r.failures) != 1 || !strings.Contains(r.failures[0], want) {
			t.Errorf("%+v: got %q, want %q", quirk, r.failures, want)
		}
	}
}

func TestQuirksWaive(t *testing.T) {
	t.Parallel()
	place := func(testing.TB) Place { return Place{Directory: noEmoji{memory.New(memory.Options{})}} }
	if failed := failures(t, Suite{New: place}); len(failed) == 0 {
		t.Fatal("a directory without emoji passes")
	}
	quirks := []Quirk{{Check: Emoji, Reason: "its tables have three bytes for a letter"}}
	if failed := failures(t, Suite{New: place, Quirks: quirks}); len(failed) != 0 {
		t.Errorf("waived, and still: %v", failed)
	}
	quirks[0].Attribute = directory.FirstName
	if failed := failures(t, Suite{New: place, Quirks: quirks}); len(failed) == 0 {
		t.Error("a quirk of the first name waives it for the last name too")
	}
}

func TestExistingAccountsAreTolerated(t *testing.T) {
	t.Parallel()
	for n := range 16 {
		d := memory.New(memory.Options{})
		for i := range n {
			d.Put(directory.Account{Attributes: directory.Attributes{directory.Username: directory.Text(fmt.Sprintf("admin%d", i))}})
		}
		before := d.Accounts()
		failed := failures(t, Suite{New: func(testing.TB) Place { return Place{Directory: d.Reopen()} }})
		if len(failed) != 0 {
			t.Errorf("%d accounts to begin with: %v", n, failed)
		}
		for _, account := range before {
			if now, ok := d.Account(account.ID); !ok || now.Revision != account.Revision {
				t.Errorf("the suite wrote to account %q, which it did not make", account.Label())
			}
		}
	}
}

func TestOfLength(t *testing.T) {
	t.Parallel()
	for _, n := range []int{20, 100, 254} {
		value := ofLength(directory.AttributeSpec{Name: directory.Email, Kind: directory.KindText}, "rc-0001@example.com", n)
		local, host, _ := strings.Cut(value, "@")
		labels := strings.Split(host, ".")
		if len(value) != n || len(local) > 64 || slices.ContainsFunc(labels, func(l string) bool { return l == "" || len(l) > 63 }) {
			t.Errorf("%d: %q has length %d", n, value, len(value))
		}
	}
}
