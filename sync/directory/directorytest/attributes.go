package directorytest

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var attributes = chapter{"attributes", []check{
	{"each writable one keeps what it is given", []power{creates, updates}, roundTrips},
	{"each one that is set at creation only keeps it", []power{creates}, createOnlyTrips},
	{"each one can be emptied", []power{creates, updates}, clears},
	{"the longest value, and one more", []power{creates, updates}, longest},
	{"an update leaves the rest alone", []power{creates, updates}, leavesRest},
	{"an update that changes nothing", []power{creates, updates}, changesNothing},
	{"what is read only is refused", []power{creates, updates}, refusesReadOnly},
	{"a rename keeps the id", []power{creates, updates}, renames},
	{"an update of a missing account", []power{creates, updates}, updatesMissing},
	{"an update of what changed since", []power{creates, updates}, updatesStale},
}}

// sample is one value to try, and the quirk that lets an attribute off.
type sample struct {
	part  string
	value directory.Value
}

// free are the attributes in which people write what they like.
var free = []string{
	directory.FirstName, directory.LastName, directory.DisplayName, directory.Nickname, directory.Title, directory.Department,
	directory.Organization, directory.Street, directory.City, directory.Region,
}

// fixed are ordinary values of the attributes that vendors look at more closely.
var fixed = map[string][]string{
	directory.EmployeeID: {"E-0042", "0007"}, directory.Phone: {"+49 30 1234567"}, directory.Mobile: {"+49 170 1234567"},
	directory.PostalCode: {"01067"}, directory.Country: {"DE"}, directory.Locale: {"de"}, directory.Timezone: {"Europe/Berlin"},
	directory.URL: {"https://www.example.com/~anna?x=1&y=2"}, directory.PhotoURL: {"https://www.example.com/anna.png"},
}

func texts(values ...string) []sample {
	var all []sample
	for _, value := range values {
		all = append(all, sample{"", directory.Text(value)})
	}
	return all
}

// canned are the values that an attribute is tried with when the suite names none.
func canned(spec directory.AttributeSpec) []sample {
	switch spec.Kind {
	case directory.KindBool:
		return []sample{{"", directory.Bool(true)}, {"", directory.Bool(false)}, {"", directory.Bool(true)}}
	case directory.KindNumber:
		return []sample{{"", directory.Number(42)}, {"", directory.Number(-1.5)}, {"", directory.Number(0)}}
	case directory.KindTime:
		return []sample{{"", directory.Time(time.Date(2026, 2, 28, 23, 59, 58, 0, time.UTC))}}
	case directory.KindList:
		return []sample{{"", directory.List("one")}, {"", directory.List("b, c", "a", "it's")}, {Markup, directory.List("<i>", "&")}}
	}
	if values, ok := fixed[spec.Name]; ok {
		return texts(values...)
	}
	if !slices.Contains(free, spec.Name) && !strings.HasPrefix(spec.Name, directory.CustomPrefix) {
		return texts("rc-value")
	}
	return append(texts("Plain", "O'Neill-Ørsted", `Back\slash "quoted" 100% $1`, "Łukasz Đặng", "漢字かな"),
		sample{RightToLeft, directory.Text("עברית العربية")}, sample{Combining, directory.Text("Zoe\u0308 A\u030angstro\u0308m")},
		sample{Emoji, directory.Text("Zoë 😀👩‍💻")}, sample{Markup, directory.Text("R&D <b>bold</b> a < b &amp; c")})
}

// samples are the values that an attribute is tried with here.
func (w *world) samples(t testing.TB, spec directory.AttributeSpec) []sample {
	t.Helper()
	if w.waived(t, RoundTrip, spec.Name) {
		return nil
	}
	var all []sample
	if values, ok := w.Values[spec.Name]; ok {
		for _, value := range values {
			all = append(all, sample{"", value})
		}
		return all
	}
	switch {
	case spec.Name == directory.Manager:
		return []sample{{"", directory.Text(w.make(t, directory.CreateRequest{}).ID)}}
	case spec.Unique || spec.Name == directory.Username || spec.Name == directory.Email:
		value, ok := w.next()[spec.Name]
		if !ok {
			value = plain(spec, int(w.numbers.account.Add(1)))
		}
		all = append(all, sample{"", value})
		if spec.Name == directory.Email {
			all = append(all, texts("o'neill+tag."+strings.ReplaceAll(value.String(), "@", ".")+"@mail.example.com")...)
		}
		return all
	}
	for _, sample := range canned(spec) {
		if sample.part == "" || !w.waived(t, sample.part, spec.Name) {
			all = append(all, sample)
		}
	}
	return all
}

// writable returns the attributes that can be updated, and one custom attribute of an open directory.
func (w *world) writable() []directory.AttributeSpec {
	specs := slices.DeleteFunc(slices.Clone(w.desc.Attributes), func(s directory.AttributeSpec) bool { return !updatable(s) })
	if spec, ok := w.desc.Attribute(directory.CustomPrefix + "rcFavouriteColour"); ok && w.desc.OpenAttributes {
		specs = append(specs, spec)
	}
	return specs
}

func (w *world) update(t testing.TB, id string, set directory.Attributes) directory.Account {
	t.Helper()
	account, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: set})
	w.good(t, err, "update account")
	return account
}

func roundTrips(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	for _, spec := range w.writable() {
		for _, sample := range w.samples(t, spec) {
			want := directory.Attributes{spec.Name: sample.value}
			w.holds(t, "the answer to update", w.update(t, account.ID, want), want)
			w.holds(t, "the account", w.peek(t, account.ID), want)
		}
	}
	w.read(t, account.ID, w.peek(t, account.ID).Attributes.Names()...)
}

func createOnlyTrips(t testing.TB, w *world) {
	for _, spec := range w.desc.Attributes {
		if !creatable(spec) || updatable(spec) {
			continue
		}
		for _, sample := range w.samples(t, spec) {
			values := w.next()
			values[spec.Name] = sample.value
			account := w.make(t, directory.CreateRequest{Attributes: values})
			w.holds(t, "the answer to create", account, values)
			w.holds(t, "the account", w.peek(t, account.ID), values)
		}
	}
}

func clears(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	for _, spec := range w.writable() {
		samples := w.samples(t, spec)
		if spec.Required || len(samples) == 0 || w.waived(t, Clear, spec.Name) {
			continue
		}
		w.update(t, account.ID, directory.Attributes{spec.Name: samples[0].value})
		answer := w.update(t, account.ID, directory.Attributes{spec.Name: {}})
		if value := answer.Attributes[spec.Name]; !value.IsEmpty() {
			t.Errorf("the answer to emptying %s has %q", spec.Name, value)
		}
		if value := w.peek(t, account.ID).Attributes[spec.Name]; !value.IsEmpty() {
			t.Errorf("%s was emptied and is %q", spec.Name, value)
		}
	}
	for _, spec := range w.desc.Attributes {
		if !spec.Required || !updatable(spec) {
			continue
		}
		_, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{spec.Name: {}}})
		w.refused(t, err, "emptying "+spec.Name+", which is required", directory.Invalid)
	}
}

// ofLength returns a value of n characters that the attribute should take, or "" where none can be made up.
func ofLength(spec directory.AttributeSpec, like string, n int) string {
	if n < len(like) || spec.MaxLength > 100_000 {
		return ""
	}
	switch {
	case spec.Name == directory.Email:
		// The part before the @ has 64 characters at most, and so has each label after it.
		local, host, _ := strings.Cut(like, "@")
		local += strings.Repeat("x", min(n-len(like), 60-len(local)))
		for len(local)+1+len(host) < n {
			label := min(60, n-len(local)-2-len(host))
			if label < 1 {
				return ""
			}
			host = strings.Repeat("y", label) + "." + host
		}
		return local + "@" + host
	case spec.Name == directory.Username || slices.Contains(free, spec.Name) || strings.HasPrefix(spec.Name, directory.CustomPrefix):
		return like + strings.Repeat("x", n-len(like))
	}
	return ""
}

func longest(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	for _, spec := range w.writable() {
		if spec.MaxLength == 0 || spec.Kind != directory.KindText {
			continue
		}
		like := plain(spec, int(w.numbers.account.Add(1))).String()
		if value := ofLength(spec, like, spec.MaxLength); value != "" && !w.waived(t, Longest, spec.Name) {
			want := directory.Attributes{spec.Name: directory.Text(value)}
			w.update(t, account.ID, want)
			w.holds(t, "the account", w.peek(t, account.ID), want)
		}
		value := ofLength(spec, like, spec.MaxLength+1)
		if value == "" || w.waived(t, TooLong, spec.Name) {
			continue
		}
		before := w.peek(t, account.ID)
		_, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{spec.Name: directory.Text(value)}})
		w.refused(t, err, spec.Name+" of one character more than it takes", directory.Invalid)
		if now := w.peek(t, account.ID).Attributes[spec.Name]; !now.Equal(before.Attributes[spec.Name]) {
			t.Errorf("the refused %s was kept in part, with %d characters", spec.Name, utf8.RuneCountInString(now.String()))
		}
	}
}

// leavesRest is what keeps an editor's own entries: one attribute is set and all others stay.
func leavesRest(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	full := directory.Attributes{}
	for _, spec := range w.writable() {
		if samples := w.samples(t, spec); len(samples) > 0 {
			full[spec.Name] = samples[0].value
		}
	}
	before := w.update(t, account.ID, full)
	for _, spec := range w.writable() {
		samples := w.samples(t, spec)
		if len(samples) == 0 {
			continue
		}
		after := w.update(t, account.ID, directory.Attributes{spec.Name: samples[len(samples)-1].value})
		w.untouched(t, before, after, spec.Name)
		before = after
	}
	w.untouched(t, before, w.peek(t, account.ID))
}

func changesNothing(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	before := w.peek(t, account.ID)
	w.untouched(t, before, w.update(t, account.ID, nil))
	same := directory.Attributes{}
	for name, value := range before.Attributes {
		if updatable(w.spec(name)) {
			same[name] = value
		}
	}
	w.untouched(t, before, w.update(t, account.ID, same))
	w.untouched(t, before, w.peek(t, account.ID))
}

func refusesReadOnly(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	before := w.peek(t, account.ID)
	names := []string{"no_such_attribute"}
	for _, spec := range w.desc.Attributes {
		if !updatable(spec) {
			names = append(names, spec.Name)
		}
	}
	for _, name := range names {
		value := directory.Text("rc-other")
		if spec, ok := w.desc.Attribute(name); ok && spec.Kind != directory.KindText {
			value = canned(spec)[0].value
		}
		_, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{name: value}})
		w.refused(t, err, "update of "+name, directory.Unsupported, directory.Invalid)
	}
	w.untouched(t, before, w.peek(t, account.ID))
}

func renames(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	set := directory.Attributes{}
	for name, value := range w.next() {
		if updatable(w.spec(name)) {
			set[name] = value
		}
	}
	answer := w.update(t, account.ID, set)
	if answer.ID != account.ID {
		t.Errorf("account %q was renamed and is now %q", account.ID, answer.ID)
	}
	w.holds(t, "the renamed account", w.read(t, account.ID), set)
}

func updatesMissing(t testing.TB, w *world) {
	for _, spec := range w.writable() {
		if samples := w.samples(t, spec); len(samples) > 0 {
			set := directory.Attributes{spec.Name: samples[0].value}
			_, err := w.d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: w.MissingID, Set: set})
			w.refused(t, err, "update of a missing account", directory.NotFound)
			return
		}
	}
}

func updatesStale(t testing.TB, w *world) {
	account := w.make(t, directory.CreateRequest{})
	if account.Revision == "" {
		t.Log("left out: the directory has no revisions")
		return
	}
	updater := w.d.(directory.Updater)
	for _, spec := range w.writable() {
		samples := w.samples(t, spec)
		if len(samples) < 2 {
			continue
		}
		first := directory.UpdateRequest{ID: account.ID, Set: directory.Attributes{spec.Name: samples[0].value}, Revision: account.Revision}
		changed, err := updater.UpdateAccount(t.Context(), first)
		w.good(t, err, "update with the revision as read")
		if changed.Revision == account.Revision {
			t.Errorf("the account changed and its revision is still %q", changed.Revision)
		}
		first.Set = directory.Attributes{spec.Name: samples[1].value}
		_, err = updater.UpdateAccount(t.Context(), first)
		w.refused(t, err, "update with the revision before", directory.Conflict)
		w.holds(t, "the account", w.peek(t, account.ID), directory.Attributes{spec.Name: samples[0].value})
		return
	}
}
