package file

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func seeds(f *testing.F, pattern string, more ...string) {
	f.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds match", pattern, err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	for _, text := range more {
		f.Add([]byte(text))
	}
}

// decode reads content as a file of that name and checks what holds for every file: it is an error, or each account is
// listed once, by all ways of reading, and the pages are the whole.
func decode(t *testing.T, name string, content []byte) {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	d := openAt(t, path, nil)
	seen := map[string]bool{}
	total, doubt := 0, ""
	request := directory.ListRequest{Size: 2}
	for {
		page, err := d.ListAccounts(t.Context(), request)
		if err != nil {
			if request.Cursor != "" {
				t.Fatalf("the first page was good and a later one is not: %v", err)
			}
			return
		}
		for _, account := range page.Accounts {
			if account.ID == "" || seen[account.ID] {
				t.Fatalf("the id %q is empty or came twice", account.ID)
			}
			seen[account.ID] = true
			again, err := d.(directory.Getter).GetAccount(t.Context(), account.ID)
			if err != nil || again.Revision != account.Revision {
				t.Fatalf("%q is listed as %+v and read as %+v, %v", account.ID, account, again, err)
			}
		}
		total, doubt = page.Total, page.Doubt
		if page.Next == "" {
			break
		}
		request.Cursor = page.Next
	}
	if len(seen) != total && doubt == "" {
		t.Fatalf("%d accounts of %d were listed", len(seen), total)
	}
	writeOne(t, d, path, seen)
}

// writeOne sets one attribute of one account, and looks whether the others can still be read.
func writeOne(t *testing.T, d directory.Directory, path string, ids map[string]bool) {
	for id := range ids {
		_, err := d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: id, Set: directory.Attributes{directory.Title: directory.Text(`new, "title"`)}})
		if err != nil {
			continue // the file cannot hold it
		}
		n, err := openAt(t, path, nil).(directory.Counter).CountAccounts(t.Context())
		if err != nil || n != len(ids) {
			content, _ := os.ReadFile(path)
			t.Fatalf("after a write there are %d accounts instead of %d: %v\n%s", n, len(ids), err, content)
		}
		return
	}
}

func FuzzCSV(f *testing.F) {
	seeds(f, "testdata/broken/*.csv", "id,title\n1,a\n2,\"b\nc\"\n", "sep=;\r\nid;title\r\n1;\"x\"\"y\"\r\n\r\n;\r\n2;", "id\ttitle\r1\ta\r")
	f.Fuzz(func(t *testing.T, content []byte) { decode(t, "a.csv", content) })
}

func FuzzJSON(f *testing.F) {
	seeds(f, "testdata/broken/*.json", `[{"id":1,"emails":[{"value":"a@b"}],"groups":["a",{"id":7}]}]`, `{"users":[{"id":"1","name":{"x":{}}}],"totalResults":1}`)
	f.Fuzz(func(t *testing.T, content []byte) { decode(t, "a.json", content) })
}

func FuzzJSONLines(f *testing.F) {
	seeds(f, "testdata/broken/*.jsonl", "{\"id\":1}\r\n\n{\"id\":2}")
	f.Fuzz(func(t *testing.T, content []byte) { decode(t, "a.jsonl", content) })
}

// FuzzRecords: every record of a CSV file is accounted for. Text without quotes has as many records as lines that are not
// blank, and the fields joined again are the record.
func FuzzRecords(f *testing.F) {
	f.Add("a,b\n\nc,d\r\ne", byte(','))
	f.Add("a;\"b\n\"\"\";c", byte(';'))
	f.Fuzz(func(t *testing.T, text string, delimiter byte) {
		if delimiter == '"' || delimiter == '\n' || delimiter == '\r' {
			return
		}
		s := newCSVScanner(strings.NewReader(text), delimiter)
		records, end := 0, int64(0)
		for {
			record, err := s.next()
			if err != nil {
				break
			}
			records++
			if string(record.raw) != text[record.offset:record.offset+int64(len(record.raw))] {
				t.Fatalf("the record %q is not what stands at %d", record.raw, record.offset)
			}
			if strings.Trim(text[end:record.offset], "\r\n") != "" {
				t.Fatalf("%q belongs to no record", text[end:record.offset])
			}
			if want := 1 + countLines([]byte(text[:record.offset])); record.line != want {
				t.Fatalf("the record at %d is said to be on line %d, and is on %d", record.offset, record.line, want)
			}
			end = record.offset + int64(len(record.raw))
			fields, err := split(record.raw, delimiter, 1)
			if err != nil {
				continue
			}
			var parts []string
			for _, field := range fields {
				parts = append(parts, string(record.raw[field.start:field.end]))
			}
			if joined := strings.Join(parts, string([]byte{delimiter})); joined != string(record.raw) {
				t.Fatalf("the fields of %q make %q", record.raw, joined)
			}
		}
		if lines := len(strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' })); !strings.Contains(text, `"`) && records != lines {
			t.Fatalf("%d records in %d lines", records, lines)
		}
	})
}

// FuzzPut: a value put into any JSON object is read back, the rest stays as it was, and the result is JSON.
func FuzzPut(f *testing.F) {
	f.Add(`{"title": {"a": [1, "}"]}, "b" : null }`)
	f.Add("{\n}")
	f.Fuzz(func(t *testing.T, text string) {
		raw := []byte(strings.TrimSpace(text))
		var before map[string]any
		if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &before) != nil {
			return
		}
		have := members(raw)
		if len(have) != len(before) {
			return // a key occurs twice, which is refused before any write
		}
		for _, m := range have {
			var value any
			if err := json.Unmarshal(raw[m.start:m.end], &value); err != nil || !reflect.DeepEqual(value, before[m.key]) {
				t.Fatalf("the member %q of %s is %s: %v", m.key, raw, raw[m.start:m.end], err)
			}
		}
		for _, path := range [][]string{{"title"}, {"name", "givenName"}, {"emails", "[]", "value"}, {"phoneNumbers", "[work]", "value"}} {
			var after map[string]any
			written := put(raw, path, []byte(`"new"`))
			if err := json.Unmarshal(written, &after); err != nil {
				t.Fatalf("%s became %s: %v", raw, written, err)
			}
			if got := follow(after, path); got != "new" {
				t.Fatalf("%v of %s is %v", path, written, got)
			}
			delete(after, path[0])
			rest := maps.Clone(before)
			delete(rest, path[0])
			if !reflect.DeepEqual(rest, after) {
				t.Fatalf("%s became %s", raw, written)
			}
		}
	})
}
