package snapshot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

var anyValue = rapid.OneOf(
	rapid.Just(directory.Value{}),
	rapid.Map(rapid.String(), directory.Text),
	rapid.Map(rapid.Bool(), directory.Bool),
	rapid.Map(rapid.Float64(), directory.Number),
	rapid.Map(rapid.Int64(), func(n int64) directory.Value { return directory.Time(time.Unix(0, n)) }),
	rapid.Map(rapid.SliceOfN(rapid.String(), 0, 4), func(items []string) directory.Value { return directory.List(items...) }),
)

var anyAccount = rapid.Custom(func(t *rapid.T) directory.Account {
	return directory.Account{
		ID:     rapid.StringN(1, 8, -1).Draw(t, "id"),
		Status: rapid.SampledFrom([]directory.Status{directory.StatusUnknown, directory.StatusActive, directory.StatusInactive}).Draw(t, "status"),
		Groups: sorted(rapid.SliceOfDistinct(rapid.String(), rapid.ID).Draw(t, "groups")), GroupsKnown: rapid.Bool().Draw(t, "groups known"),
		Revision: rapid.String().Draw(t, "revision"), Privileged: rapid.String().Draw(t, "privileged"), ReadOnly: rapid.String().Draw(t, "read-only"), Problem: rapid.String().Draw(t, "problem"),
		Attributes: rapid.MapOf(rapid.String(), anyValue).Draw(t, "attributes"),
	}
})

func sorted(items []string) []string {
	if len(items) == 0 {
		return nil // stored as nothing
	}
	slices.Sort(items)
	return items
}

// TestAccountsComeBackAsTheyWereListed spools accounts with values of all kinds, keeps the file, and loads it again.
func TestAccountsComeBackAsTheyWereListed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		accounts := rapid.SliceOfNDistinct(anyAccount, 0, 8, func(a directory.Account) string { return a.ID }).Draw(rt, "accounts")
		b := newBook(0)
		b.desc.GroupsInline, b.pages = true, [][]directory.Account{accounts, {}}
		s, err := Read(t.Context(), b, Options{Folder: folder, Now: func() time.Time { return now }, Expect: Expectation{LastCount: -1}})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		hold(rt, s, accounts)
		if err := s.Keep(folder); err != nil {
			rt.Fatal(err)
		}
		again, err := Load(folder, "staff")
		if err != nil {
			rt.Fatal(err)
		}
		defer again.Close()
		hold(rt, again, accounts)
		if !gocmp.Equal(s.Certificate, again.Certificate) || !gocmp.Equal(s.Description, again.Description) || !again.TakenAt.Equal(now) {
			rt.Errorf("%+v became %+v", s.Certificate, again.Certificate)
		}
		for _, a := range accounts {
			one, _ := hashOf(s, a.ID)
			if two, ok := hashOf(again, a.ID); !ok || one != two {
				rt.Errorf("%q has the hash %d, and %d when it is loaded", a.ID, one, two)
			}
		}
	})
}

// hold checks every way to get at the accounts.
func hold(tb rapid.TB, s *Snapshot, accounts []directory.Account) {
	equal := gocmp.Comparer(directory.Value.Equal)
	if s.Len() != len(accounts) {
		tb.Fatalf("%d accounts, want %d", s.Len(), len(accounts))
	}
	for _, want := range accounts {
		got, ok, err := s.Get(want.ID)
		if difference := gocmp.Diff(want, got, equal); err != nil || !ok || difference != "" {
			tb.Errorf("%q: %t, %v (want, got):\n%s", want.ID, ok, err, difference)
		}
		at, err := s.At(s.Position(want.ID))
		if err != nil || at.ID != want.ID {
			tb.Errorf("at the position of %q: %q, %v", want.ID, at.ID, err)
		}
	}
	var each []directory.Account
	if err := s.Each(func(a directory.Account) error { each = append(each, a); return nil }); err != nil {
		tb.Fatal(err)
	}
	if difference := gocmp.Diff(accounts, each, equal); len(accounts) > 0 && difference != "" {
		tb.Errorf("each (want, got):\n%s", difference)
	}
	if _, ok, err := s.Get("nobody at all"); ok || err != nil || s.Position("nobody at all") != -1 {
		tb.Errorf("found somebody who is not there, %v", err)
	}
	if _, ok := hashOf(s, "nobody at all"); ok {
		tb.Errorf("somebody who is not there has a hash")
	}
}

func TestTheFirstOfARepeatedAccountCounts(t *testing.T) {
	t.Parallel()
	b := newBook(2, 1)
	b.pages[1][0] = person(1)
	b.pages[1][0].Attributes["username"] = directory.Text("again")
	s := read(t, b)
	account, ok, err := s.Get("id1")
	if err != nil || !ok || account.Attributes.Text("username") != "person1" || s.Len() != 2 {
		t.Errorf("%+v of %d, %v", account, s.Len(), err)
	}
	n := 0
	if err := s.Each(func(directory.Account) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("each calls %d times, %v", n, err)
	}
}

func TestEachStopsAtAnError(t *testing.T) {
	t.Parallel()
	s := read(t, newBook(3))
	stop, n := errors.New("enough"), 0
	if err := s.Each(func(directory.Account) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

func TestTheHashFollowsWhatRulesLookAt(t *testing.T) {
	t.Parallel()
	hash := func(change func(*directory.Account)) uint64 {
		b := newBook(1)
		b.desc.GroupsInline = true
		b.pages[0][0].Attributes["title"] = directory.Text("Editor")
		if change != nil {
			change(&b.pages[0][0])
		}
		s := read(t, b, func(o *Options) { o.Attributes = []string{"username", "email"} })
		h, _ := hashOf(s, "id1")
		return h
	}
	before := hash(nil)
	if before == 0 {
		t.Error("0 means look again")
	}
	for name, change := range map[string]func(*directory.Account){
		"revision":                              func(a *directory.Account) { a.Revision = "2" },
		"an attribute that no rule reads":       func(a *directory.Account) { a.Attributes["title"] = directory.Text("Chief") },
		"an attribute that no rule reads, gone": func(a *directory.Account) { delete(a.Attributes, "title") },
	} {
		if hash(change) != before {
			t.Errorf("%s changed the hash", name)
		}
	}
	for name, change := range map[string]func(*directory.Account){
		"attribute":       func(a *directory.Account) { a.Attributes["username"] = directory.Text("x") },
		"empty attribute": func(a *directory.Account) { a.Attributes["email"] = directory.Value{} },
		"status":          func(a *directory.Account) { a.Status = directory.StatusInactive },
		"groups":          func(a *directory.Account) { a.Groups = []string{"g"} },
		"groups known":    func(a *directory.Account) { a.GroupsKnown = true },
		"privileged":      func(a *directory.Account) { a.Privileged = "administrator" },
		"read-only":       func(a *directory.Account) { a.ReadOnly = "LDAP" },
		"problem":         func(a *directory.Account) { a.Problem = "no text" },
	} {
		if hash(change) == before {
			t.Errorf("%s did not change the hash", name)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	folder := filepath.Join(t.TempDir(), "deep", "snapshots")
	s := read(t, newBook(2), func(o *Options) { o.Folder = folder })
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if got := mode(folder); got != 0o700 {
		t.Errorf("the folder has mode %o", got)
	}
	if got := mode(filepath.Join(folder, files(t, folder)[0])); got != 0o600 {
		t.Errorf("the spool has mode %o", got)
	}
	if err := s.Keep(folder); err != nil {
		t.Fatal(err)
	}
	if got := mode(Path(folder, "staff")); got != 0o600 {
		t.Errorf("what is kept has mode %o", got)
	}
}

func TestASnapshotIsRemovedUnlessItIsKept(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	into := func(o *Options) { o.Folder = folder }
	s := read(t, newBook(2), into)
	if err := errors.Join(s.Close(), s.Close()); err != nil || len(files(t, folder)) != 0 {
		t.Errorf("%v, left %v", err, files(t, folder))
	}
	for _, size := range []int{2, 3} { // the second takes the place of the first
		s = read(t, newBook(size), into)
		if err := errors.Join(s.Keep(folder), s.Keep(folder), s.Close()); err != nil {
			t.Fatal(err)
		}
		again, err := Load(folder, "staff")
		if err != nil || again.Len() != size || !gocmp.Equal(files(t, folder), []string{"staff.snapshot"}) {
			t.Fatalf("%v, files %v", err, files(t, folder))
		}
		if err := again.Close(); err != nil || len(files(t, folder)) != 1 {
			t.Errorf("closing what was kept: %v, left %v", err, files(t, folder))
		}
	}
	if err := read(t, newBook(1)).Keep(filepath.Join(folder, "missing")); err == nil {
		t.Error("kept in a folder that does not exist")
	}
}

func TestAFolderThatCannotBeWrittenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := tryRead(t, newBook(1), func(o *Options) { o.Folder = filepath.Join(file, "x") })
	if err == nil || !strings.Contains(err.Error(), "make sure that the folder can be written and the disk has room") {
		t.Errorf("%v", err)
	}
	if _, err := Direct(filepath.Join(file, "x"), directory.Description{}, nil, nil, now); err == nil {
		t.Error("no error of a direct look-up")
	}
}

func TestADamagedFileIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	b := web()
	s := read(t, byGroup{grouped{b}}, needs(GroupNeed{All: true}))
	if err := s.Keep(folder); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(Path(folder, "staff"))
	if err != nil {
		t.Fatal(err)
	}
	load := func(data []byte) error {
		if err := os.WriteFile(Path(folder, "broken"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Load(folder, "broken")
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := load(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := load(whole[:n]); !errors.Is(err, directory.ErrCorrupt) || !strings.Contains(err.Error(), "the next run writes a new one") {
			t.Fatalf("cut off after %d of %d bytes: %v", n, len(whole), err)
		}
	}
	for name, data := range map[string][]byte{
		"another format":          bytes.Replace(whole, []byte("rollcall snapshot 1"), []byte("rollcall snapshot 9"), 1),
		"a huge section":          append([]byte{'A'}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"a damaged account":       append([]byte{'A', 1, 0xff}, whole...),
		"members of no group":     append([]byte{'M', 9, 1, 2, 3, 4, 5, 6, 7, 8, 0}, whole...),
		"members without account": append([]byte{'M', 2, 1, 2}, whole...),
	} {
		if err := load(data); !errors.Is(err, directory.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{"groups": {'G', 1, '{'}, "trailer": {'D', 1, '{'}} {
		if err := load(data); err == nil {
			t.Errorf("damaged %s: no error", name)
		}
	}
	if _, err := Load(folder, "nobody"); err == nil || err.Error() != "no snapshot of nobody is kept yet; a run of everybody keeps one" {
		t.Errorf("%v", err)
	}
	if err := os.Mkdir(Path(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(folder, "folder"); err == nil {
		t.Error("a folder was loaded")
	}
}

func TestWhatKilledRunsLeftIsCleanedUp(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, name := range []string{"reading-41-abc.tmp", "reading-42-def.tmp", "reading-x-ghi.tmp", "staff.snapshot", "notes.tmp"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := CleanUp(folder, func(pid int) bool { return pid == 42 }); err != nil {
		t.Fatal(err)
	}
	if got := files(t, folder); !gocmp.Equal(got, []string{"notes.tmp", "reading-42-def.tmp", "reading-x-ghi.tmp", "staff.snapshot"}) {
		t.Errorf("left: %v", got)
	}
	s := read(t, newBook(1), func(o *Options) { o.Folder = folder })
	if err := CleanUp(folder, func(pid int) bool { return pid == os.Getpid() }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.At(0); err != nil || len(files(t, folder)) != 4 {
		t.Errorf("a reading under way was cleaned up: %v, %v", err, files(t, folder))
	}
	if err := CleanUp(filepath.Join(folder, "[broken"), nil); err == nil {
		t.Error("a folder that is no pattern")
	}
}

func TestKeysFindAccountsByValue(t *testing.T) {
	t.Parallel()
	b := newBook(5, 5)
	s := read(t, b)
	keys, err := NewKeys(s, func(a directory.Account) []string {
		n := strings.TrimPrefix(a.ID, "id")
		return []string{"number " + n, "all", "all", "last digit " + n[len(n)-1:]}
	})
	if err != nil {
		t.Fatal(err)
	}
	of := func(key string) (list []string) {
		for _, position := range keys.Positions(key) {
			a, err := s.At(position)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, a.ID)
		}
		slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		return list
	}
	for n := 1; n <= 10; n++ {
		if got := of(fmt.Sprintf("number %d", n)); !gocmp.Equal(got, []string{fmt.Sprintf("id%d", n)}) {
			t.Errorf("%d: %v", n, got)
		}
	}
	if got := of("all"); len(got) != 10 || got[0] != "id1" || got[9] != "id10" {
		t.Errorf("all: %v", got)
	}
	if got := of("nobody"); got != nil {
		t.Errorf("nobody: %v", got)
	}
}

func TestDirectLookUps(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	account := person(1)
	account.Groups, account.GroupsKnown = []string{"g1"}, true
	s, err := Direct(folder, directory.Description{Name: "staff"}, []directory.Group{{ID: "g1"}}, []directory.Account{account, person(2)}, now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, ok, err := s.Get("id1")
	if err != nil || !ok || !gocmp.Equal(got.Groups, []string{"g1"}) || !got.GroupsKnown || s.Len() != 2 || len(s.Groups) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if !s.Certificate.Complete || len(s.Certificate.Clauses) != 1 || s.Certificate.Clauses[0].Name != ClauseDirect {
		t.Errorf("%+v", s.Certificate)
	}
}

// hashOf returns the content hash of an account.
func hashOf(s *Snapshot, id string) (hash uint64, ok bool) {
	i := s.Position(id)
	if i < 0 {
		return 0, false
	}
	return s.HashAt(i), true
}
