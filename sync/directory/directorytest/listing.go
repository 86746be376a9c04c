package directorytest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var description = chapter{"description", []check{
	{"says what the directory is", nil, describes},
	{"never changes", nil, describesAlike},
	{"signs in as nobody or somebody", []power{ability[directory.SelfIdentifier]("SelfIdentifier")}, identifies},
	{"finds nothing wrong with a healthy place", []power{ability[directory.Checker]("Checker")}, checksItself},
}}

func describes(t testing.TB, w *world) {
	d := w.desc
	if d.Type == "" || d.Name == "" || d.Identity == "" {
		t.Errorf("type %q, name %q and identity %q must all be set", d.Type, d.Name, d.Identity)
	}
	if d.PageSize <= 0 {
		t.Errorf("the page size is %d", d.PageSize)
	}
	if _, ok := w.d.(directory.BulkCreator); ok != (d.BulkSize > 0) {
		t.Errorf("the bulk size is %d, and being a BulkCreator is %t", d.BulkSize, ok)
	}
	if _, ok := w.d.(directory.ChangeLister); !ok && !reflect.DeepEqual(d.Changes, directory.ChangeScope{}) {
		t.Errorf("the description says that changes are told, and the directory lists none: %+v", d.Changes)
	}
	var names []string
	for _, spec := range d.Attributes {
		if !directory.IsAttributeName(spec.Name) {
			t.Errorf("the attribute %q is not in the vocabulary", spec.Name)
		}
		if spec.Kind == directory.KindEmpty {
			t.Errorf("the attribute %q has no kind", spec.Name)
		}
		if slices.Contains(names, spec.Name) {
			t.Errorf("the attribute %q is described twice", spec.Name)
		}
		names = append(names, spec.Name)
	}
	for _, notice := range d.Notices {
		if notice.On == "" || notice.Text == "" {
			t.Errorf("a notice says only %+v", notice)
		}
	}
}

func describesAlike(t testing.TB, w *world) {
	_, err := w.d.ListAccounts(t.Context(), directory.ListRequest{Size: w.PageSize})
	w.good(t, err, "list accounts")
	if now := w.d.Describe(); !reflect.DeepEqual(now, w.desc) {
		t.Errorf("the description was\n%+v\nand is, after reading a page,\n%+v", w.desc, now)
	}
}

func identifies(t testing.TB, w *world) {
	id, err := w.d.(directory.SelfIdentifier).Self(t.Context())
	w.good(t, err, "identify")
	if id == "" {
		return
	}
	if _, ok := find(w.list(t, w.d, directory.ListRequest{}), id); ok {
		return
	}
	// Some vendors leave service accounts out of their listings, but know them by id.
	if getter, ok := w.d.(directory.Getter); ok {
		_, err = getter.GetAccount(t.Context(), id)
	}
	if err != nil || !gets.has(w) {
		t.Errorf("the directory signs in as account %q, which is neither listed nor to be read: %v", id, err)
	}
}

func checksItself(t testing.TB, w *world) {
	_, write := w.d.(directory.Creator)
	var names []string
	for _, spec := range w.desc.Attributes {
		names = append(names, spec.Name)
	}
	findings, err := w.d.(directory.Checker).Check(t.Context(), directory.CheckRequest{Write: write, Attributes: names})
	w.good(t, err, "check")
	if len(findings) == 0 {
		t.Error("the check found nothing to say")
	}
	for _, finding := range findings {
		if finding.Subject == "" || finding.Message == "" {
			t.Errorf("a finding says only %+v", finding)
		}
		switch finding.Level {
		case directory.LevelOK:
		case directory.LevelWarning:
			if finding.Remedy == "" {
				t.Errorf("the warning %q has no remedy", finding.Message)
			}
		default:
			t.Errorf("a healthy place has a finding of level %q: %s: %s", finding.Level, finding.Subject, finding.Message)
		}
	}
}

var listing = chapter{"listing", []check{
	{"what is there", nil, func(t testing.TB, w *world) { w.agrees(t, nil) }},
	{"none, one, a page, a page and one, three pages", []power{fills}, grows},
	{"is the same twice", nil, listsAlike},
	{"is the same after opening again", []power{again}, listsAgain},
	{"gives the attributes asked for", []power{fills}, listsAttributes},
	{"refuses a cursor it never gave", nil, refusesCursor},
	{"is counted as a request", []power{ability[directory.RequestCounter]("RequestCounter")}, countsRequests},
}}

// agrees checks that all ways to list tell of the same accounts, and of all the expected ones where any are named.
func (w *world) agrees(t testing.TB, want []string) {
	t.Helper()
	request := directory.ListRequest{Size: w.PageSize}
	listed := ids(w.list(t, w.d, request))
	if want != nil && !slices.Equal(listed, want) {
		t.Errorf("in pages of %d the listing shows\n%q\nwant\n%q", w.PageSize, listed, want)
	}
	if whole := ids(w.list(t, w.d, directory.ListRequest{})); !slices.Equal(whole, listed) {
		t.Errorf("in pages of its own size the listing shows\n%q\nand in pages of %d\n%q", whole, w.PageSize, listed)
	}
	if parts, split := w.partition(t, request); split && !slices.Equal(parts, listed) {
		t.Errorf("the partition shows\n%q\nand following Next\n%q", parts, listed)
	}
	if counter, ok := w.d.(directory.Counter); ok {
		n, err := counter.CountAccounts(t.Context())
		w.good(t, err, "count accounts")
		if n != len(listed) {
			t.Errorf("the directory counts %d accounts and lists %d", n, len(listed))
		}
	}
}

// partition lists by all cursors at once.
func (w *world) partition(t testing.TB, request directory.ListRequest) ([]string, bool) {
	t.Helper()
	partitioner, ok := w.d.(directory.Partitioner)
	if !ok {
		return nil, false
	}
	cursors, err := partitioner.Partition(t.Context(), request)
	w.good(t, err, "partition")
	if len(cursors) < 2 {
		return nil, false
	}
	var all []directory.Account
	for i, cursor := range cursors {
		request.Cursor = cursor
		if i == len(cursors)-1 {
			rest, _ := w.follow(t, w.d, request)
			all = append(all, rest...)
			break
		}
		page, err := w.d.ListAccounts(t.Context(), request)
		w.good(t, err, "list accounts")
		w.healthy(t, page, request)
		all = append(all, page.Accounts...)
	}
	return ids(all), true
}

func grows(t testing.TB, w *world) {
	before := ids(w.list(t, w.d, directory.ListRequest{}))
	have := slices.Clone(before)
	sizes := []int{0, 1, w.PageSize, w.PageSize + 1, 3 * w.PageSize}
	if len(have) >= 3*w.PageSize {
		sizes = []int{len(have), len(have) + 1}
	}
	for _, size := range sizes {
		if size < len(have) {
			continue
		}
		have = append(have, ids(w.fill(t, size-len(have)))...)
		slices.Sort(have)
		w.agrees(t, have)
	}
	w.vanishes(t, have, before)
}

// vanishes takes an account out of the first page, where the directory can, and looks whether the rest stays whole. What
// was there before the suite came is not touched.
func (w *world) vanishes(t testing.TB, have, before []string) {
	t.Helper()
	deleter, ok := w.d.(directory.Deleter)
	if !ok {
		return
	}
	page, err := w.d.ListAccounts(t.Context(), directory.ListRequest{Size: w.PageSize})
	w.good(t, err, "list accounts")
	for _, account := range page.Accounts {
		if slices.Contains(before, account.ID) {
			continue
		}
		w.good(t, deleter.DeleteAccount(t.Context(), account.ID), "delete account")
		w.agrees(t, slices.DeleteFunc(have, func(id string) bool { return id == account.ID }))
		return
	}
}

func listsAlike(t testing.TB, w *world) {
	w.alike(t, w.list(t, w.d, directory.ListRequest{}), w.list(t, w.d, directory.ListRequest{}))
}

func listsAgain(t testing.TB, w *world) {
	if fills.has(w) {
		w.fill(t, 2)
	}
	before := w.list(t, w.d, directory.ListRequest{})
	second := w.place.Again(t)
	if identity := second.Describe().Identity; identity != w.desc.Identity {
		t.Errorf("the identity is %q at first and %q when opened again", w.desc.Identity, identity)
	}
	w.alike(t, before, w.list(t, second, directory.ListRequest{}))
	if err := second.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// alike checks that two listings show the same accounts under the same ids.
func (w *world) alike(t testing.TB, first, second []directory.Account) {
	t.Helper()
	if a, b := ids(first), ids(second); !slices.Equal(a, b) {
		t.Fatalf("the first listing shows\n%q\nthe second\n%q", a, b)
	}
	for _, account := range first {
		other, _ := find(second, account.ID)
		if account.Status != other.Status || !account.Attributes.Equal(other.Attributes) || account.Revision != other.Revision {
			t.Errorf("account %q was listed as\n%+v\nand then as\n%+v", account.ID, account, other)
		}
	}
}

func listsAttributes(t testing.TB, w *world) {
	made := w.fill(t, 1)[0]
	whole := w.read(t, made.ID)
	for name, value := range whole.Attributes {
		listed, ok := find(w.list(t, w.d, directory.ListRequest{Attributes: []string{name}}), made.ID)
		if !ok {
			t.Fatalf("the account is not listed when only %s is asked for", name)
		}
		if !listed.Attributes[name].Equal(value) {
			t.Errorf("%s is %q when asked for alone and %q when everything is", name, listed.Attributes[name], value)
		}
		if listed.Status != whole.Status {
			t.Errorf("the status is %s when only %s is asked for and %s otherwise", listed.Status, name, whole.Status)
		}
	}
}

// refusesCursor: a cursor that was damaged on its way must not look like the end of the listing.
func refusesCursor(t testing.TB, w *world) {
	_, err := w.d.ListAccounts(t.Context(), directory.ListRequest{Cursor: "no such cursor \x00%", Size: w.PageSize})
	if err == nil {
		t.Fatal("a cursor that was never given out is taken")
	}
	w.proper(t, err)
}

func countsRequests(t testing.TB, w *world) {
	counter := w.d.(directory.RequestCounter)
	before := counter.Requests()
	w.list(t, w.d, directory.ListRequest{})
	if after := counter.Requests(); after <= before {
		t.Errorf("%d requests before a listing and %d after it", before, after)
	}
}
