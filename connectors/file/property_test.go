package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// person is what the model below knows of one record.
type person struct {
	id, name, note string
	active         bool
	groups         []string
}

// world is a file, the directory open on it, and what must be in it.
type world struct {
	path   string
	values map[string]any
	d      directory.Directory
	people []person
}

func openAt(t testing.TB, path string, values map[string]any) directory.Directory {
	all := map[string]any{"path": path, "writable": true}
	for name, value := range values {
		all[name] = value
	}
	settings, faults := Type.Complete(directory.Settings{Name: "people", Values: all})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	d, err := Type.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	cells = rapid.SampledFrom([]string{"", "Anna", "O'Neill", `the "best"`, "a,b", "c;d", "Zoë", "two\nlines", "two\r\nlines", "x|y", "tab\tbed", `back\slash`, "{}"})
	names = rapid.SampledFrom([]string{"Press", "Web editors", "Zürich"})
	texts = rapid.SampledFrom([]string{"new", "", `say "no"`, "comma, in it", "line\nbreak", "Äöü"})
)

func drawPeople(t *rapid.T) []person {
	var people []person
	for i := range rapid.IntRange(1, 6).Draw(t, "people") {
		people = append(people, person{
			id: fmt.Sprint(i + 1), name: cells.Draw(t, "name"), note: cells.Draw(t, "note"), active: rapid.Bool().Draw(t, "active"),
			groups: rapid.SliceOfNDistinct(names, 0, 3, rapid.ID[string]).Draw(t, "groups"),
		})
	}
	return people
}

// drawFile writes the people in some style.
func drawFile(t *rapid.T, people []person) (name string, content []byte) {
	newline := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "newline")
	var records []string
	before, between, after := "", newline, ""
	switch name = rapid.SampledFrom([]string{"p.csv", "p.json", "p.jsonl"}).Draw(t, "format"); name {
	case "p.csv":
		delimiter := rapid.SampledFrom([]string{",", ";", "\t"}).Draw(t, "delimiter")
		before = strings.Join([]string{"id", "display_name", "Enabled", "groups", "Note"}, delimiter) + newline
		if rapid.Bool().Draw(t, "sep") {
			before = "sep=" + delimiter + newline + before
		}
		for _, p := range people {
			var parts []string
			for _, text := range []string{p.id, p.name, map[bool]string{true: "Yes", false: "No"}[p.active], strings.Join(p.groups, "|"), p.note} {
				parts = append(parts, quote(text, delimiter[0], rapid.Bool().Draw(t, "quoted")))
			}
			records = append(records, strings.Join(parts, delimiter)+strings.Repeat(newline, rapid.IntRange(0, 1).Draw(t, "blank lines")))
		}
		records[len(records)-1] = strings.TrimSuffix(records[len(records)-1], newline+newline)
	default:
		space := rapid.SampledFrom([]string{"", " "}).Draw(t, "space")
		for _, p := range people {
			raw, err := marshal(map[string]any{"id": p.id, "display_name": p.name, "Enabled": p.active, "groups": p.groups, "Note": p.note, "deep": map[string]any{"a": 1.50}})
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, strings.ReplaceAll(string(raw), `":`, `":`+space))
		}
		if name == "p.json" {
			before, between, after = "{\"v\": 1,\n \"users\": ["+newline+space, ","+newline+space, newline+"], \"w\": [] }"
		}
	}
	text := before + strings.Join(records, between) + after
	if rapid.Bool().Draw(t, "final newline") {
		text += newline
	}
	encoding := rapid.SampledFrom([]string{encodingUTF8, encodingUTF16LE, encodingUTF16BE, encodingWindows}).Draw(t, "encoding")
	data, err := fromUTF8(encoding, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	mark := map[string]string{encodingUTF16LE: "\xff\xfe", encodingUTF16BE: "\xfe\xff"}[encoding]
	if encoding == encodingUTF8 && rapid.Bool().Draw(t, "mark") {
		mark = "\xef\xbb\xbf"
	}
	return name, append([]byte(mark), data...)
}

// TestWritesKeepTheRest plays random writes on files of every style: what the directory then says of the file is what
// somebody who opens it afresh reads, and what nobody touched is as it was.
func TestWritesKeepTheRest(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		w := &world{people: drawPeople(r), values: map[string]any{"encoding": encodingAuto}}
		name, content := drawFile(r, w.people)
		if !strings.HasPrefix(string(content), "\xff\xfe") && !strings.HasPrefix(string(content), "\xfe\xff") && !isUTF8(content) {
			w.values["encoding"] = encodingWindows
		}
		w.path = filepath.Join(folder, name)
		if err := os.WriteFile(w.path, content, 0o600); err != nil {
			r.Fatal(err)
		}
		w.d = openAt(t, w.path, w.values)
		w.compare(t, r)
		for range rapid.IntRange(1, 5).Draw(r, "steps") {
			w.step(t, r)
			w.compare(t, r)
		}
	})
}

func isUTF8(content []byte) bool {
	found, err := surveyBytes(strings.NewReader(string(content)))
	return err == nil && found.invalidLine == 0
}

// step makes one random write.
func (w *world) step(t *testing.T, r *rapid.T) {
	ctx := t.Context()
	var err error
	action := rapid.SampledFrom([]string{"create", "update", "status", "groups", "delete"}).Draw(r, "action")
	if action == "create" || len(w.people) == 0 {
		p := person{name: texts.Draw(r, "text"), active: rapid.Bool().Draw(r, "active")}
		request := directory.CreateRequest{Status: directory.StatusInactive, Attributes: directory.Attributes{directory.DisplayName: directory.Text(p.name)}}
		if p.active {
			request.Status = directory.StatusActive
		}
		account, err := w.d.(directory.Creator).CreateAccount(ctx, request)
		if err != nil {
			r.Fatal(err)
		}
		p.id = account.ID
		w.people = append(w.people, p)
		return
	}
	at := rapid.IntRange(0, len(w.people)-1).Draw(r, "who")
	p := &w.people[at]
	switch action {
	case "update":
		p.name = texts.Draw(r, "text")
		_, err = w.d.(directory.Updater).UpdateAccount(ctx, directory.UpdateRequest{ID: p.id, Set: directory.Attributes{directory.DisplayName: directory.Text(p.name)}})
	case "status":
		p.active = rapid.Bool().Draw(r, "active")
		status := directory.StatusInactive
		if p.active {
			status = directory.StatusActive
		}
		_, err = w.d.(directory.StatusSetter).SetStatus(ctx, directory.StatusRequest{ID: p.id, Status: status})
	case "groups":
		known := w.knownGroups()
		if len(known) == 0 {
			return
		}
		group := rapid.SampledFrom(known).Draw(r, "group")
		if i := slices.Index(p.groups, group); i >= 0 {
			p.groups = slices.Delete(slices.Clone(p.groups), i, i+1)
			err = w.d.(directory.GroupChanger).ChangeGroups(ctx, directory.GroupsRequest{Account: p.id, Remove: []string{group}})
		} else {
			p.groups = append(slices.Clone(p.groups), group)
			err = w.d.(directory.GroupChanger).ChangeGroups(ctx, directory.GroupsRequest{Account: p.id, Add: []string{group}})
		}
	case "delete":
		err = w.d.(directory.Deleter).DeleteAccount(ctx, p.id)
		w.people = slices.Delete(w.people, at, at+1)
	}
	if err != nil {
		r.Fatal(action, err)
	}
}

func (w *world) knownGroups() []string {
	var known []string
	for _, p := range w.people {
		known = append(known, p.groups...)
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// compare reads the file afresh and compares it with the model, and the index that was carried along with a new one.
func (w *world) compare(t *testing.T, r *rapid.T) {
	s := storeOf(w.d)
	x, d, err := s.current(t.Context())
	if err != nil {
		r.Fatal(err)
	}
	defer d.Close()
	fresh, err := buildIndex(t.Context(), s.options, s.now())
	if err != nil {
		content, _ := os.ReadFile(w.path)
		r.Fatalf("%v\n%s", err, content)
	}
	if len(x.rows) != len(fresh.rows) || x.size != fresh.size || x.identity != fresh.identity || x.doubt != fresh.doubt {
		r.Fatalf("carried along: %d rows, %d bytes, %q; read afresh: %d rows, %d bytes, %q", len(x.rows), x.size, x.doubt, len(fresh.rows), fresh.size, fresh.doubt)
	}
	accounts, err := fresh.accounts(fresh.text(d), 0, len(fresh.rows))
	if err != nil {
		r.Fatal(err)
	}
	if len(accounts) != len(w.people) {
		r.Fatalf("%d accounts, want %d", len(accounts), len(w.people))
	}
	for i, have := range x.rows {
		want := fresh.rows[i]
		if have.offset != want.offset || have.length != want.length || have.line != want.line {
			content, _ := os.ReadFile(w.path)
			r.Fatalf("row %d carried along is %+v, read afresh %+v\n%s", i, have, want, content)
		}
		if row, err := x.find(x.text(d), accounts[i].ID); row != i || err != nil {
			r.Fatalf("id %s is found at %d, want %d: %v", accounts[i].ID, row, i, err)
		}
	}
	for i, p := range w.people {
		a := accounts[i]
		name, note := strings.TrimSpace(p.name), strings.TrimSpace(p.note)
		if a.ID != p.id || a.Attributes.Text(directory.DisplayName) != name || a.Attributes.Text("custom.Note") != note || (a.Status == directory.StatusActive) != p.active ||
			a.Problem != "" || !slices.Equal(a.Groups, p.groups) {
			r.Fatalf("the file says %+v, want %+v", a, p)
		}
	}
}

func storeOf(d directory.Directory) *store {
	return d.(interface{ self() *store }).self()
}

func (s *store) self() *store { return s }
