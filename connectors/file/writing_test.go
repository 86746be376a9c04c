package file_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/connectors/file"
	"github.com/rollcall-sync/rollcall/sync/directory"
)

func set(d directory.Directory, id string, attributes directory.Attributes) error {
	_, err := d.(directory.Updater).UpdateAccount(context.Background(), directory.UpdateRequest{ID: id, Set: attributes})
	return err
}

func text(name, value string) directory.Attributes {
	return directory.Attributes{name: directory.Text(value)}
}

func deactivate(d directory.Directory, id string) error {
	_, err := d.(directory.StatusSetter).SetStatus(context.Background(), directory.StatusRequest{ID: id, Status: directory.StatusInactive})
	return err
}

func activate(d directory.Directory, id string) error {
	_, err := d.(directory.StatusSetter).SetStatus(context.Background(), directory.StatusRequest{ID: id, Status: directory.StatusActive})
	return err
}

func regroup(d directory.Directory, id string, add, remove []string) error {
	return d.(directory.GroupChanger).ChangeGroups(context.Background(), directory.GroupsRequest{Account: id, Add: add, Remove: remove})
}

func remove(d directory.Directory, id string) error {
	return d.(directory.Deleter).DeleteAccount(context.Background(), id)
}

// TestWritesToTheByte: nothing but what was asked for changes.
func TestWritesToTheByte(t *testing.T) {
	type do = func(d directory.Directory) error
	for name, c := range map[string]struct {
		file, before, after string
		values              map[string]any
		do                  do
	}{
		"one cell": {
			"a.csv", "sep=;\r\nid; email ;\"Name\";Note\r\n1;zoe@example.com;\"Zoë\";\"a \"\"b\"\"\"\r\n\r\n2; x@example.com ;Bert;c\r\n", "sep=;\r\nid; email ;\"Name\";Note\r\n1;zoe@example.com;\"Zoë; the 1st\";\"a \"\"b\"\"\"\r\n\r\n2; x@example.com ;Bert;c\r\n",
			nil, func(d directory.Directory) error { return set(d, "1", text("display_name", "Zoë; the 1st")) },
		},
		"a value that the cell has already": {
			"a.csv", "id,email,email_verified\n1, \"x\" ,YES\n", "id,email,email_verified\n1, \"x\" ,YES\n",
			nil, func(d directory.Directory) error {
				return set(d, "1", directory.Attributes{"email_verified": directory.Bool(true)})
			},
		},
		"no newline at the end": {"a.csv", "id,title\n1,a\n2,b", "id,title\n1,a\n2,", nil, func(d directory.Directory) error { return set(d, "2", directory.Attributes{"title": {}}) }},
		"the status as it is spelled": {
			"a.csv", "id,Status\n1,Active\n2,Active\n", "id,Status\n1,Active\n2,Inactive\n", nil, func(d directory.Directory) error { return deactivate(d, "2") },
		},
		"the status as it is spelled elsewhere": {
			"a.csv", "id,Status\n1,Active\n2,LEFT\n", "id,Status\n1,LEFT\n2,LEFT\n", nil, func(d directory.Directory) error { return deactivate(d, "1") },
		},
		"the status the other way round": {
			"a.csv", "id,Disabled\n1,0\n2,0\n", "id,Disabled\n1,0\n2,1\n", nil, func(d directory.Directory) error { return deactivate(d, "2") },
		},
		"groups in their order": {
			"a.csv", "id,groups\n1,B;A\n2,C\n", "id,groups\n1,B;C\n2,C\n", nil, func(d directory.Directory) error { return regroup(d, "1", []string{"C"}, []string{"A"}) },
		},
		"a deleted row": {"a.csv", "id,title\n1,a\n2,\"b\nb\"\n3,c\n", "id,title\n1,a\n3,c\n", nil, func(d directory.Directory) error { return remove(d, "2") }},
		"the last row":  {"a.csv", "id,title\n1,a\n", "id,title\n", nil, func(d directory.Directory) error { return remove(d, "1") }},
		"Windows-1252": {
			"a.csv", "id,title\n1,Zo\xeb\n2,\xdcber\n", "id,title\n1,\xa45 \x80\n2,\xdcber\n", nil, func(d directory.Directory) error { return set(d, "1", text("title", "¤5 €")) },
		},
		"JSON": {
			"a.json", "[ {\"id\" : 1, \"n\": 1.50, \"mail\": \"a@example.com\", \"x\": {\"y\":[ ]}},\n{\"id\":2}\n]\n", "[ {\"id\" : 1, \"n\": 1.50, \"mail\": \"b&c@example.com\", \"x\": {\"y\":[ ]}, \"title\": \"T\"},\n{\"id\":2}\n]\n",
			nil, func(d directory.Directory) error {
				return set(d, "1", directory.Attributes{"email": directory.Text("b&c@example.com"), "title": directory.Text("T")})
			},
		},
		"SCIM": {
			"a.json", `{"v":1,"Resources":[{"id":"1","name":{"givenName":"A"},"emails":[{"type":"home","value":"h@example.com"},{"value":"w@example.com","primary":true}],"groups":[{"value":"g","display":"G"}]},{"id":"2","groups":[{"value":"k","display":"K"}],"phoneNumbers":[{"type":"work","value":"1"}]}]}`,
			`{"v":1,"Resources":[{"id":"1","name":{"givenName":"B"},"emails":[{"type":"home","value":"h@example.com"},{"value":"n@example.com","primary":true}],"groups":[{"value":"g","display":"G"},{"value":"k","display":"K"}],"phoneNumbers":[{"value":"7","type":"work"}]},{"id":"2","groups":[{"value":"k","display":"K"}],"phoneNumbers":[{"type":"work","value":"1"}]}]}`,
			nil, func(d directory.Directory) error {
				err := set(d, "1", directory.Attributes{"email": directory.Text("n@example.com"), "first_name": directory.Text("B"), "phone": directory.Text("7")})
				return errors.Join(err, regroup(d, "1", []string{"k"}, nil))
			},
		},
		"JSON without a status": {
			"a.jsonl", "{\"id\":\"1\"}\r\n{\"id\":\"2\"}\r\n", "{\"id\":\"1\",\"active\":false}\r\n{\"id\":\"2\"}\r\n", nil, func(d directory.Directory) error { return deactivate(d, "1") },
		},
		"a deleted object": {"a.json", "[\n  {\"id\":1},\n  {\"id\":2},\n  {\"id\":3}\n]", "[\n  {\"id\":2},\n  {\"id\":3}\n]", nil, func(d directory.Directory) error { return remove(d, "1") }},
		"Keycloak's lists": {
			"a.json", `{"users":[{"id":"k","enabled":true,"attributes":{"department":["Press"]}}]}`, `{"users":[{"id":"k","enabled":false,"attributes":{"department":["Web"]}}]}`,
			nil, func(d directory.Directory) error {
				return errors.Join(set(d, "k", text("department", "Web")), deactivate(d, "k"))
			},
		},
		"a new row": {
			"a.csv", "\"username\",\"active\",\"Room\",\"groups\"\n\"anna\",\"yes\",\"1\",\"A\"\n", "\"username\",\"active\",\"Room\",\"groups\"\n\"anna\",\"yes\",\"1\",\"A\"\n\"bert\",\"no\",\"\",\"A\"\n",
			nil, func(d directory.Directory) error {
				_, err := d.(directory.Creator).CreateAccount(context.Background(), directory.CreateRequest{Attributes: text("username", "bert"), Status: directory.StatusInactive, Groups: []string{"A"}})
				return err
			},
		},
		"the first object": {
			"a.json", "[]\n", "[\n{\"username\":\"bert\"}\n]\n",
			map[string]any{"id_column": "username"},
			func(d directory.Directory) error {
				_, err := d.(directory.Creator).CreateAccount(context.Background(), directory.CreateRequest{Attributes: text("username", "bert"), Status: directory.StatusActive})
				return err
			},
		},
		"a list": {
			"a.csv", "id,Languages\n1,de\n", "id,Languages\n1,de|fr\n",
			map[string]any{"list_columns": []string{"Languages"}},
			func(d directory.Directory) error {
				return set(d, "1", directory.Attributes{"custom.Languages": directory.List("de", "fr")})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.file, c.before)
			values := maps.Clone(writable)
			maps.Copy(values, c.values)
			if err := c.do(open(t, path, values)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, read(t, path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedWritesChangeNothing(t *testing.T) {
	const people = "id,email,title,Disabled,groups\n1,zoe@example.com,Zo\xeb,no,A|B\n2,bert@example.com,x,no,\n"
	d := func(t *testing.T, content string) (directory.Directory, string) {
		path := write(t, "a.csv", content)
		return open(t, path, writable), path
	}
	for name, c := range map[string]struct {
		do   func(d directory.Directory) error
		kind directory.ErrorKind
		says string
	}{
		"no column":         {func(d directory.Directory) error { return set(d, "1", text("department", "x")) }, directory.Unsupported, "no column for department"},
		"no such character": {func(d directory.Directory) error { return set(d, "1", text("title", "漢")) }, directory.Invalid, "does not exist in the file's encoding windows-1252"},
		"a NUL byte":        {func(d directory.Directory) error { return set(d, "1", text("title", "a\x00b")) }, directory.Invalid, "no text that a CSV file can hold"},
		"several values": {func(d directory.Directory) error {
			return set(d, "1", directory.Attributes{"title": directory.List("a", "b")})
		}, directory.Invalid, "holds one value"},
		"no address":    {func(d directory.Directory) error { return set(d, "1", text("email", "zoe")) }, directory.Invalid, "is no e-mail address"},
		"the id":        {func(d directory.Directory) error { return set(d, "1", text("id", "3")) }, directory.Unsupported, "no column for id"},
		"nobody":        {func(d directory.Directory) error { return set(d, "3", text("title", "x")) }, directory.NotFound, "no record has this id"},
		"unknown group": {func(d directory.Directory) error { return regroup(d, "1", []string{"C"}, nil) }, directory.Invalid, `no group "C"`},
		"separator in a group": {func(d directory.Directory) error {
			_, err := d.(directory.GroupCreator).CreateGroup(t.Context(), "A|B")
			return err
		}, directory.Invalid, "holds the separator"},
		"the other separator": {func(d directory.Directory) error {
			_, err := d.(directory.GroupCreator).CreateGroup(t.Context(), "R;D")
			return errors.Join(err, regroup(d, "2", []string{"R;D"}, nil))
		}, directory.Invalid, "would be read as"},
		"a revision before": {func(d directory.Directory) error {
			_, err := d.(directory.Updater).UpdateAccount(t.Context(), directory.UpdateRequest{ID: "1", Set: text("title", "x"), Revision: "before"})
			return err
		}, directory.Conflict, "changed since it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			d, path := d(t, people)
			err := c.do(d)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %s and %q", err, c.kind, c.says)
			}
			if now := read(t, path); now != people {
				t.Errorf("the file became\n%s", now)
			}
		})
	}
}

// TestPowers: what a file cannot do it has no method for.
func TestPowers(t *testing.T) {
	for content, want := range map[string]string{
		"id,active,groups\n1,yes,A\n": "lists groups, creates, updates, sets status, deletes, changes groups",
		"id,active\n1,yes\n":          "creates, updates, sets status, deletes",
		"id,groups\n1,A\n":            "lists groups, creates, updates, deletes, changes groups",
		"id\n1\n":                     "creates, updates, deletes",
	} {
		path := write(t, "a.csv", content)
		if got := powers(open(t, path, writable)); got != want {
			t.Errorf("%q: %s; want %s", content, got, want)
		}
		readOnly := strings.SplitAfter(want, "lists groups")[0]
		if !strings.HasPrefix(want, "lists groups") {
			readOnly = ""
		}
		d := open(t, path, nil)
		if got := powers(d); got != readOnly {
			t.Errorf("%q without writable: %s; want %s", content, got, readOnly)
		}
		for _, spec := range d.Describe().Attributes {
			if spec.Writable || spec.CreateOnly {
				t.Errorf("without writable, %s is said to be writable", spec.Name)
			}
		}
	}
}

func powers(d directory.Directory) string {
	var can []string
	if _, ok := d.(directory.GroupLister); ok {
		can = append(can, "lists groups")
	}
	if _, ok := d.(directory.Creator); ok {
		can = append(can, "creates")
	}
	if _, ok := d.(directory.Updater); ok {
		can = append(can, "updates")
	}
	if _, ok := d.(directory.StatusSetter); ok {
		can = append(can, "sets status")
	}
	if _, ok := d.(directory.Deleter); ok {
		can = append(can, "deletes")
	}
	if _, ok := d.(directory.GroupChanger); ok {
		can = append(can, "changes groups")
	}
	return strings.Join(can, ", ")
}

// TestForeignChangeIsNotOverwritten: what somebody else wrote since we read stays, until it has been read.
func TestForeignChangeIsNotOverwritten(t *testing.T) {
	path := write(t, "a.csv", "id,title\n1,a\n2,b\n")
	d := open(t, path, writable)
	list(t, d)
	const theirs = "id,title\n1,a\n2,by somebody else\n"
	if err := os.WriteFile(path, []byte(theirs), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second try knows no better
		if err := set(d, "1", text("title", "ours")); !errors.Is(err, directory.Conflict) || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("the error is %v", err)
		}
	}
	if now := read(t, path); now != theirs {
		t.Fatalf("the file became\n%s", now)
	}
	if _, err := d.(directory.Getter).GetAccount(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if err := set(d, "1", text("title", "ours")); err != nil {
		t.Fatal(err)
	}
	if now := read(t, path); now != strings.Replace(theirs, "1,a", "1,ours", 1) {
		t.Errorf("the file became\n%s", now)
	}
}

func TestReplacementKeepsLinkAndMode(t *testing.T) {
	path := write(t, "a.csv", "id,title\n1,a\n")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.csv")
	if err := os.Symlink(path, link); err != nil {
		t.Skip("this system makes no symbolic links:", err)
	}
	d := open(t, link, writable)
	if err := set(d, "1", text("title", "b")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became a file: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v, %v", info.Mode(), err)
	}
	if now := read(t, path); now != "id,title\n1,b\n" {
		t.Errorf("the file became\n%s", now)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "a.csv" && name != ".a.csv.lock" {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestGoneIsProvenByOurOwnDeletion(t *testing.T) {
	path := write(t, "a.csv", "id,title\n1,a\n")
	d := open(t, path, writable)
	if err := remove(d, "1"); err != nil {
		t.Fatal(err)
	}
	_, err := d.(directory.Getter).GetAccount(t.Context(), "1")
	if !errors.Is(err, directory.NotFound) {
		t.Errorf("the account that we removed: %v", err)
	}
	if _, err = d.(directory.Getter).GetAccount(t.Context(), "2"); !errors.Is(err, directory.Retryable) {
		t.Errorf("another account, in a file that holds nobody: %v", err)
	}
}

// TestRecordedAnswersKeepTheirCount: a file that states how many it holds is not made a liar.
func TestRecordedAnswersKeepTheirCount(t *testing.T) {
	path := write(t, "a.json", `{"totalResults": 1, "Resources": [{"id": "1"}]}`)
	d := open(t, path, writable)
	if err := remove(d, "1"); !errors.Is(err, directory.Unsupported) {
		t.Errorf("delete: %v", err)
	}
	if err := set(d, "1", text("title", "x")); err != nil {
		t.Error(err)
	}
}

func TestStatusOfTheFileIsNotGuessed(t *testing.T) {
	path := write(t, "a.csv", "id,Employed\n1,seit 1999\n2,seit 2004\n")
	d := open(t, path, map[string]any{"writable": true, "active_column": "Employed", "active_values": []string{"seit 1999"}})
	if err := errors.Join(deactivate(d, "1"), activate(d, "1"), deactivate(d, "2")); err != nil {
		t.Fatal(err)
	}
	if now := read(t, path); now != "id,Employed\n1,seit 1999\n2,false\n" && now != "id,Employed\n1,true\n2,false\n" {
		t.Errorf("the file became\n%s", now)
	}
}

// TestWaitsForTheLock: another run that writes is waited for, and in the end given up on without a write.
func TestWaitsForTheLock(t *testing.T) {
	path := write(t, "a.csv", "id,title\n1,a\n")
	waits, limit := 0, 3
	release := holdLock(t, filepath.Join(filepath.Dir(path), ".a.csv.lock"))
	settings, faults := file.Type.Complete(directory.Settings{
		Name: "people", Values: map[string]any{"path": path, "writable": true},
		Sleep: func(context.Context, time.Duration) error {
			if waits++; waits == limit {
				release()
			}
			return nil
		},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	d, err := file.Type.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := set(d, "1", text("title", "b")); err != nil || waits != limit {
		t.Errorf("after %d waits: %v", waits, err)
	}
	release = holdLock(t, filepath.Join(filepath.Dir(path), ".a.csv.lock"))
	limit = -1
	if err := set(d, "1", text("title", "c")); !errors.Is(err, directory.Retryable) {
		t.Errorf("with the lock held for ever: %v", err)
	}
	release()
	if now := read(t, path); now != "id,title\n1,b\n" {
		t.Errorf("the file became\n%s", now)
	}
}
