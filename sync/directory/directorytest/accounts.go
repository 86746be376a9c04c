package directorytest

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var accounts = chapter{"accounts", []check{
	{"create and read back", []power{creates}, createsAccount},
	{"create without what is required", []power{creates}, createsIncomplete},
	{"create with an attribute it lacks", []power{creates}, createsForeign},
	{"get one that is missing", []power{gets}, getsMissing},
	{"get by an odd id", []power{gets}, getsOddID},
	{"find by each searchable attribute", []power{finds, fills}, findsAccount},
	{"find none", []power{finds}, findsNone},
	{"find by what cannot be searched", []power{finds}, findsUnsearchable},
	{"delete", []power{deletes, fills}, deletesAccount},
}}

func createsAccount(t testing.TB, w *world) {
	want := w.next()
	account := w.make(t, directory.CreateRequest{Attributes: want})
	w.sound(t, account)
	if account.Status != directory.StatusActive {
		t.Errorf("the answer to create says %s", account.Status)
	}
	w.holds(t, "the answer to create", account, want)
	read := w.read(t, account.ID, want.Names()...)
	w.holds(t, "the account read back", read, want)
	if read.Revision != account.Revision {
		t.Errorf("the revision is %q in the answer and %q when read", account.Revision, read.Revision)
	}
}

// holds checks that the account has all the values.
func (w *world) holds(t testing.TB, what string, account directory.Account, want directory.Attributes) {
	t.Helper()
	for _, name := range want.Names() {
		if !w.same(name, want[name], account.Attributes[name]) {
			t.Errorf("%s has %s %q, want %q", what, name, account.Attributes[name], want[name])
		}
	}
}

func createsIncomplete(t testing.TB, w *world) {
	before := ids(w.list(t, w.d, directory.ListRequest{}))
	for _, spec := range w.desc.Attributes {
		if !spec.Required {
			continue
		}
		for what, set := range map[string]func(directory.Attributes){
			"absent": func(a directory.Attributes) { delete(a, spec.Name) },
			"empty":  func(a directory.Attributes) { a[spec.Name] = directory.Value{} },
		} {
			values := w.next()
			set(values)
			_, err := w.d.(directory.Creator).CreateAccount(t.Context(), directory.CreateRequest{Attributes: values, Status: directory.StatusActive})
			w.refused(t, err, "create with "+spec.Name+" "+what, directory.Invalid)
		}
	}
	if after := ids(w.list(t, w.d, directory.ListRequest{})); !slices.Equal(before, after) {
		t.Errorf("accounts before\n%q\nand after refused creations\n%q", before, after)
	}
}

// createsForeign: what a directory cannot keep it must not swallow.
func createsForeign(t testing.TB, w *world) {
	for _, name := range []string{directory.Nickname, directory.EmployeeID, directory.Manager, directory.CustomPrefix + "rcNoSuchThing"} {
		if spec, ok := w.desc.Attribute(name); ok && creatable(spec) {
			continue
		}
		values := w.next()
		values[name] = directory.Text("x")
		_, err := w.d.(directory.Creator).CreateAccount(t.Context(), directory.CreateRequest{Attributes: values, Status: directory.StatusActive})
		w.refused(t, err, "create with "+name, directory.Unsupported, directory.Invalid)
	}
}

func getsMissing(t testing.TB, w *world) {
	_, err := w.d.(directory.Getter).GetAccount(t.Context(), w.MissingID)
	w.refused(t, err, "get a missing account", directory.NotFound)
}

// getsOddID: an id is data and never part of an address.
func getsOddID(t testing.TB, w *world) {
	for _, id := range []string{"", ".", "..", "../groups", "a/b", "a?b=c", "a#b", "%", "%2e%2e%2f", "' or 1=1", "*", "é\n"} {
		_, err := w.d.(directory.Getter).GetAccount(t.Context(), id)
		w.refused(t, err, "get account "+id, directory.NotFound, directory.Invalid)
	}
}

func findsAccount(t testing.TB, w *world) {
	others := w.fill(t, 2)
	sought := w.read(t, others[0].ID)
	for _, spec := range w.desc.Attributes {
		value := sought.Attributes[spec.Name].String()
		if !spec.Searchable || value == "" {
			continue
		}
		found := w.find(t, spec.Name, value)
		i := slices.IndexFunc(found, func(a directory.Account) bool { return a.ID == sought.ID })
		if i < 0 {
			t.Errorf("%s %q finds %q, not account %q", spec.Name, value, ids(found), sought.ID)
			continue
		}
		w.sound(t, found[i])
		if spec.Unique && len(found) != 1 {
			t.Errorf("%s is unique and %q finds %d accounts", spec.Name, value, len(found))
		}
		w.findsExactly(t, spec, value, sought.ID)
	}
}

// findsExactly checks that parts and patterns of a value find nothing, and another case what the spec says.
func (w *world) findsExactly(t testing.TB, spec directory.AttributeSpec, value, id string) {
	t.Helper()
	runes := []rune(value)
	for what, near := range map[string]string{
		"the beginning": string(runes[:len(runes)-1]), "the end": string(runes[1:]), "a star": "*", "a percent sign": "%",
		"a pattern": string(runes[:len(runes)-1]) + "*", "an underscore": string(runes[:len(runes)-1]) + "_",
	} {
		if near == "" || near == value {
			continue
		}
		if _, ok := find(w.find(t, spec.Name, near), id); ok {
			t.Errorf("%s of %s %q, %q, finds the account: the search must be exact", what, spec.Name, value, near)
		}
	}
	other := cases.Upper(language.Und).String(value)
	if other == value {
		other = cases.Lower(language.Und).String(value)
	}
	if other == value || spec.Kind != directory.KindText {
		return
	}
	if _, ok := find(w.find(t, spec.Name, other), id); ok != spec.FoldCase {
		t.Errorf("%s %q in other case finds the account: %t, and the spec says that case does not count: %t", spec.Name, value, ok, spec.FoldCase)
	}
}

func (w *world) find(t testing.TB, attribute, value string) []directory.Account {
	t.Helper()
	found, err := w.d.(directory.Finder).FindAccounts(t.Context(), attribute, value)
	w.good(t, err, "find accounts by "+attribute)
	return found
}

func findsNone(t testing.TB, w *world) {
	for _, spec := range w.desc.Attributes {
		if !spec.Searchable || spec.Kind != directory.KindText {
			continue
		}
		for _, value := range []string{"rc-nobody-has-this", "rc nobody@example.com", "rc'\"; -- \\", "rc&<>", "rc*", "rc(x)", "ü-rc"} {
			if found := w.find(t, spec.Name, value); len(found) != 0 {
				t.Errorf("%s %q finds %q", spec.Name, value, ids(found))
			}
		}
	}
}

func findsUnsearchable(t testing.TB, w *world) {
	for _, name := range []string{directory.LastSignInAt, directory.PhotoURL, "no_such_attribute"} {
		if spec, ok := w.desc.Attribute(name); ok && spec.Searchable {
			continue
		}
		_, err := w.d.(directory.Finder).FindAccounts(t.Context(), name, "x")
		w.refused(t, err, "find by "+name, directory.Unsupported)
	}
}

func deletesAccount(t testing.TB, w *world) {
	deleter := w.d.(directory.Deleter)
	made := w.fill(t, 2)
	w.good(t, deleter.DeleteAccount(t.Context(), made[0].ID), "delete account")
	left := w.list(t, w.d, directory.ListRequest{})
	if _, ok := find(left, made[0].ID); ok {
		t.Error("the deleted account is listed")
	}
	if _, ok := find(left, made[1].ID); !ok {
		t.Error("another account went with the deleted one")
	}
	if getter, ok := w.d.(directory.Getter); ok {
		_, err := getter.GetAccount(t.Context(), made[0].ID)
		w.refused(t, err, "get a deleted account", directory.NotFound)
	}
	w.refused(t, deleter.DeleteAccount(t.Context(), made[0].ID), "delete again", directory.NotFound)
	w.refused(t, deleter.DeleteAccount(t.Context(), w.MissingID), "delete a missing account", directory.NotFound)
	if _, ok := w.d.(directory.Creator); !ok || w.waived(t, ReusedID, "") {
		return
	}
	again := w.next()
	for name, value := range made[0].Attributes {
		if spec := w.spec(name); spec.Unique && creatable(spec) {
			again[name] = value
		}
	}
	if back := w.make(t, directory.CreateRequest{Attributes: again}); back.ID == made[0].ID {
		t.Errorf("the id %q of a deleted account was given to another", back.ID)
	}
}

var unique = chapter{"unique values", []check{
	{"create with a value that is taken", []power{creates}, createsTaken},
	{"update to a value that is taken", []power{creates, updates}, updatesTaken},
	{"update to the value it has", []power{creates, updates}, updatesToOwn},
}}

// taken yields, for each unique attribute, a value that is refused once have has its own.
func (w *world) taken(t testing.TB, have directory.Account, settable func(directory.AttributeSpec) bool, try func(spec directory.AttributeSpec, value directory.Value)) {
	t.Helper()
	for _, spec := range w.desc.Attributes {
		value := have.Attributes[spec.Name]
		if !spec.Unique || !settable(spec) || value.IsEmpty() {
			continue
		}
		try(spec, value)
		upper := directory.Text(strings.ToUpper(value.String()))
		if spec.FoldCase && !upper.Equal(value) && !w.waived(t, FoldedConflict, spec.Name) {
			try(spec, upper)
		}
	}
}

// conflicts checks a refusal for a value that somebody else has.
func (w *world) conflicts(t testing.TB, err error, what string, spec directory.AttributeSpec) {
	t.Helper()
	e := w.refused(t, err, what, directory.Conflict)
	if e.Attribute != spec.Name && !w.waived(t, ConflictAttribute, spec.Name) {
		t.Errorf("%s: the conflict names the attribute %q, want %q", what, e.Attribute, spec.Name)
	}
}

func createsTaken(t testing.TB, w *world) {
	have := w.make(t, directory.CreateRequest{})
	before := ids(w.list(t, w.d, directory.ListRequest{}))
	w.taken(t, have, creatable, func(spec directory.AttributeSpec, value directory.Value) {
		values := w.next()
		values[spec.Name] = value
		_, err := w.d.(directory.Creator).CreateAccount(t.Context(), directory.CreateRequest{Attributes: values, Status: directory.StatusActive})
		w.conflicts(t, err, "create with the taken "+spec.Name+" "+value.String(), spec)
	})
	if after := ids(w.list(t, w.d, directory.ListRequest{})); !slices.Equal(before, after) {
		t.Errorf("accounts before\n%q\nand after refused creations\n%q", before, after)
	}
}

func updatesTaken(t testing.TB, w *world) {
	have, other := w.make(t, directory.CreateRequest{}), w.make(t, directory.CreateRequest{})
	before := w.peek(t, other.ID)
	w.taken(t, have, updatable, func(spec directory.AttributeSpec, value directory.Value) {
		_, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: other.ID, Set: directory.Attributes{spec.Name: value}})
		w.conflicts(t, err, "update to the taken "+spec.Name+" "+value.String(), spec)
	})
	w.untouched(t, before, w.peek(t, other.ID))
}

func updatesToOwn(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	for _, spec := range w.desc.Attributes {
		value := account.Attributes[spec.Name]
		if !spec.Unique || !updatable(spec) || value.IsEmpty() {
			continue
		}
		_, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{spec.Name: value}})
		w.good(t, err, "update to its own "+spec.Name)
	}
	w.untouched(t, account, w.peek(t, account.ID))
}

// untouched checks that an account is what it was, but for the attributes named and the vendor's own clock.
func (w *world) untouched(t testing.TB, before, after directory.Account, but ...string) {
	t.Helper()
	if before.ID != after.ID || before.Status != after.Status {
		t.Errorf("account %q (%s) became %q (%s)", before.ID, before.Status, after.ID, after.Status)
	}
	if before.GroupsKnown && after.GroupsKnown && !sameSet(before.Groups, after.Groups) {
		t.Errorf("the groups of account %q were %q and are %q", before.ID, before.Groups, after.Groups)
	}
	but = append(but, directory.UpdatedAt)
	for _, attributes := range []directory.Attributes{before.Attributes, after.Attributes} {
		for name := range attributes {
			a, b := before.Attributes[name], after.Attributes[name]
			if !slices.Contains(but, name) && !a.Equal(b) && !w.waived(t, Derived, name) {
				t.Errorf("%s of account %q was %q and is %q", name, before.ID, a, b)
			}
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
