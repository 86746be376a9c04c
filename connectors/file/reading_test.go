package file_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/connectors/file"
	"github.com/rollcall-sync/rollcall/sync/directory"
)

func utf16Text(order binary.AppendByteOrder, text string) string {
	var data []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return string(data)
}

// described writes accounts as short lines, for tables.
func described(accounts []directory.Account) string {
	var lines []string
	for _, a := range accounts {
		line := a.ID + " " + a.Status.String()
		for _, name := range a.Attributes.Names() {
			line += fmt.Sprintf(" %s=%s", name, a.Attributes[name])
		}
		if a.GroupsKnown {
			line += " [" + strings.Join(a.Groups, "; ") + "]"
		}
		if a.Problem != "" {
			line += " ! " + a.Problem
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestShapesAndEncodings(t *testing.T) {
	const plain = "id,email,Name\n1,zoe@example.com,Zoë\n"
	const told = "1 active display_name=Zoë email=zoe@example.com"
	for name, c := range map[string]struct {
		file, content string
		values        map[string]any
		want          string
	}{
		"UTF-8":                      {"a.csv", plain, nil, told},
		"byte-order mark":            {"a.csv", "\xef\xbb\xbf" + plain, nil, told},
		"UTF-16LE with mark":         {"a.csv", "\xff\xfe" + utf16Text(binary.LittleEndian, plain), nil, told},
		"UTF-16BE with mark":         {"a.csv", "\xfe\xff" + utf16Text(binary.BigEndian, plain), nil, told},
		"UTF-16LE as configured":     {"a.csv", utf16Text(binary.LittleEndian, plain), map[string]any{"encoding": "utf-16le"}, told},
		"Windows-1252 recognised":    {"a.csv", strings.ReplaceAll(plain, "ë", "\xeb"), nil, told},
		"Latin-1 as configured":      {"a.csv", strings.ReplaceAll(plain, "ë", "\xeb"), map[string]any{"encoding": "latin-1"}, told},
		"semicolons":                 {"a.csv", strings.ReplaceAll(plain, ",", ";"), nil, told},
		"tabs":                       {"a.tsv", strings.ReplaceAll(plain, ",", "\t"), nil, told},
		"pipes":                      {"a.txt", strings.ReplaceAll(plain, ",", "|"), nil, told},
		"the line sep=":              {"a.csv", "sep=;\r\nid;email;Name,first\r\n1;zoe@example.com;Zoë\r\n", nil, "1 active custom.Name,first=Zoë email=zoe@example.com"},
		"carriage returns":           {"a.csv", strings.ReplaceAll(plain, "\n", "\r"), nil, told},
		"no newline at the end":      {"a.csv", strings.TrimSuffix(plain, "\n"), nil, told},
		"blank lines and rows":       {"a.csv", "\n\nid,email,Name\n\n1,zoe@example.com,Zoë\n,,\n\n\"\",,\n", nil, told},
		"quotes and newlines":        {"a.csv", "id,Name,Note\n1,\"Zoë \"\"Z\"\" X\",\"two\r\nlines, really\"\n2,a\"b,\n", nil, "1 active custom.Note=two\r\nlines, really display_name=Zoë \"Z\" X\n2 active custom.Note= display_name=a\"b"},
		"spaces":                     {"a.csv", "id , email\n 1 , zoe@example.com \n", nil, "1 active email=zoe@example.com"},
		"spaces kept":                {"a.csv", "id,Note\n1, a \n", map[string]any{"trim": false}, "1 active custom.Note= a "},
		"spellings":                  {"a.csv", "Employee Number,E-MAIL,given_name,Surname,Zip Code\n7,a@example.com,A,B,01067\n", nil, "7 active email=a@example.com employee_id=7 first_name=A last_name=B postal_code=01067"},
		"the vocabulary's word wins": {"a.csv", "uid,username,email\n7,anna,a@example.com\n", nil, "anna active custom.uid=7 email=a@example.com username=anna"},
		"columns as configured":      {"a.csv", "Badge,Cost unit,Mail\n7,Press,a@example.com\n", map[string]any{"id_column": "badge", "columns": map[string]string{"department": "cost UNIT", "custom.m": "Mail"}}, "7 active custom.Badge=7 custom.m=a@example.com department=Press"},
		"lists":                      {"a.csv", "id,Languages\n1,de|en | fr\n2,de\n3,\n", map[string]any{"list_columns": []string{"Languages"}}, "1 active custom.Languages=de, en, fr\n2 active custom.Languages=de\n3 active custom.Languages="},
		"groups":                     {"a.csv", "id,groups\n1,A | B|A\n2,A;B\n3,\n4,A;B|C\n", nil, "1 active [A; B]\n2 active [A; B]\n3 active []\n4 active [A;B; C]"},
		"groups as configured":       {"a.csv", "id,Roles\n1,A/B;C\n", map[string]any{"groups_column": "roles", "group_separator": "/"}, "1 active [A; B;C]"},
		"who may sign in":            {"a.csv", "id,Status\n1,Active\n2,DISABLED\n3,on leave\n4,\n5,1\n6,retired\n", map[string]any{"inactive_values": []string{"Retired"}}, "1 active\n2 inactive\n3 unknown ! line 4: column Status says neither active nor inactive\n4 unknown ! line 5: column Status says neither active nor inactive\n5 active\n6 inactive"},
		"who may not":                {"a.csv", "id,Suspended\n1,false\n2,true\n", nil, "1 active\n2 inactive"},
		"odd values":                 {"a.csv", "id,email,Created,email_verified\n1,zoe,yesterday,perhaps\n2,zoe@example.com,2026-02-28,no\n", nil, "1 active ! line 2: column email is no e-mail address; column Created is no time such as 2026-02-28T23:59:58Z or 2026-02-28; column email_verified is neither yes nor no\n2 active created_at=2026-02-28T00:00:00Z email=zoe@example.com email_verified=false"},
		"JSON array":                 {"a.json", `[{"id": 7, "email": null, "level": 2, "remote": true, "tags": ["a", "b"], "deep": {"x": 1}, "employee_id": 12345678901234567890}, {"id": 8}]`, nil, "7 active custom.level=2 custom.remote=true custom.tags=a, b email= employee_id=12345678901234567890 []\n8 active []"},
		"JSON with a mark":           {"a.json", "\xef\xbb\xbf[{\"id\": \"1\"}]", nil, "1 active []"},
		"JSON lines":                 {"a.ndjson", "{\"id\": \"1\", \"disabled\": true}\n\n  {\"id\": \"2\"}", nil, "1 inactive []\n2 active []"},
		"SCIM": {
			"a.json", `{"totalResults": 1, "Resources": [{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "x", "userName": "anna", "active": false,
			"name": {"givenName": "Anna", "familyName": "E", "formatted": "Anna E"}, "emails": [{"value": "home@example.com"}, {"value": "a@example.com", "primary": true}],
			"phoneNumbers": [{"type": "mobile", "value": "1"}, {"type": "work", "value": "2"}], "addresses": [{"locality": "Northport"}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Press", "manager": {"value": "m"}}, "groups": [{"value": "g1", "display": "Editors"}]}]}`, nil,
			"x inactive city=Northport custom.schemas=urn:ietf:params:scim:schemas:core:2.0:User department=Press display_name=Anna E email=a@example.com first_name=Anna last_name=E manager=m mobile=1 phone=2 username=anna [g1]",
		},
		"Okta":       {"a.json", `[{"id": "00u", "status": "DEPROVISIONED", "profile": {"login": "anna", "firstName": "Anna", "costCenter": "7"}}]`, nil, "00u inactive custom.costCenter=7 first_name=Anna username=anna []"},
		"Keycloak":   {"a.json", `{"realm": "acme", "users": [{"id": "k", "username": "anna", "enabled": true, "attributes": {"department": ["Press"]}, "groups": ["/Staff"]}], "clients": [{"a": "]"}]}`, nil, "k active department=Press username=anna [/Staff]"},
		"Graph":      {"a.json", `{"value": [{"id": "m", "userPrincipalName": "anna", "mail": "a@example.com", "accountEnabled": true}]}`, nil, "m active email=a@example.com username=anna []"},
		"JSON types": {"a.json", `[{"id": "1", "email": true, "title": ["a", "b"], "department": {"x": 1}, "email_verified": 3}, {"id": "2", "department": "Press", "groups": [7]}]`, nil, "1 active [] ! line 1: column email holds true or false where a text is expected; column title holds several values where one is expected; column email_verified holds a number where something else is expected; column department holds an object where a plain value is expected\n2 active department=Press ! line 1: column groups holds a group without id and name"},
	} {
		t.Run(name, func(t *testing.T) {
			got := described(list(t, open(t, write(t, c.file, c.content), c.values)))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNobodyProvesNothing(t *testing.T) {
	for name, content := range map[string]string{"a.csv": "id,email\n", "b.json": "[]", "c.json": `{"users": []}`} {
		t.Run(name, func(t *testing.T) {
			d := open(t, write(t, name, content), nil)
			page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
			if err != nil || len(page.Accounts) != 0 || page.Doubt == "" || !strings.Contains(page.Remedy, "export") {
				t.Errorf("a file with nobody in it lists %+v, %v; it must be doubted, with a word on files", page, err)
			}
			if _, err := d.(directory.Getter).GetAccount(t.Context(), "1"); !errors.Is(err, directory.Retryable) {
				t.Errorf("it proves that an account is gone: %v", err)
			}
		})
	}
}

func TestPartOfALongerAnswerIsDoubted(t *testing.T) {
	for _, content := range []string{
		`{"totalResults": 5000, "Resources": [{"id": "1"}]}`, `{"value": [{"id": "1"}], "@odata.nextLink": "https://graph.example.com/x"}`,
		`{"nextPageToken": "x", "users": [{"id": "1"}]}`,
	} {
		d := open(t, write(t, "a.json", content), nil)
		page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		if err != nil || len(page.Accounts) != 1 || page.Doubt == "" || !strings.Contains(page.Remedy, "export") {
			t.Errorf("%s lists %+v, %v", content, page, err)
		}
		if _, err := d.(directory.Getter).GetAccount(t.Context(), "2"); !errors.Is(err, directory.Retryable) || !strings.Contains(err.Error(), page.Doubt) {
			t.Errorf("%s proves that an account is gone: %v", content, err)
		}
	}
	// An empty one is no empty directory, whatever the administrator says of its size: the count disagrees.
	page, err := open(t, write(t, "a.json", `{"totalResults": 7, "Resources": []}`), nil).ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil || page.Total != 7 || page.Doubt == "" {
		t.Errorf("an empty answer of seven lists %+v, %v", page, err)
	}
	page, err = open(t, write(t, "a.json", `{"totalResults": 1, "Resources": [{"id": "1"}]}`), nil).ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil || page.Doubt != "" || page.Remedy != "" {
		t.Errorf("a whole file lists %+v, %v", page, err)
	}
}

func TestPeopleAreFoundInAnyCase(t *testing.T) {
	d := open(t, write(t, "a.csv", "id,username,email,employee_id\nA1,Änna,Anna@Example.com,x7\n"), nil)
	for _, c := range []struct {
		attribute, value string
		found            int
	}{
		{directory.Username, "änna", 1},
		{directory.Username, "ÄNNA", 1},
		{directory.Username, "änn", 0},
		{directory.Email, "anna@example.COM", 1},
		{directory.ID, "A1", 1},
		{directory.ID, "a1", 0},
		{directory.EmployeeID, "x7", 1},
		{directory.EmployeeID, "X7", 0},
	} {
		found, err := d.(directory.Finder).FindAccounts(t.Context(), c.attribute, c.value)
		if err != nil || len(found) != c.found {
			t.Errorf("%s %q finds %d accounts, want %d: %v", c.attribute, c.value, len(found), c.found, err)
		}
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	folder := t.TempDir()
	for path, kind := range map[string]directory.ErrorKind{filepath.Join(folder, "none.csv"): directory.Retryable, folder: directory.Invalid} {
		d := open(t, path, map[string]any{"format": "csv"})
		_, err := d.ListAccounts(t.Context(), directory.ListRequest{})
		var e *directory.Error
		if !errors.As(err, &e) || e.Kind != kind || e.Remedy == "" {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := d.(directory.Getter).GetAccount(t.Context(), "1"); errors.Is(err, directory.NotFound) {
			t.Errorf("%s proves that an account is gone: %v", path, err)
		}
		findings, err := d.(directory.Checker).Check(t.Context(), directory.CheckRequest{})
		if err != nil || len(findings) != 1 || findings[0].Level != directory.LevelError {
			t.Errorf("check finds %+v, %v", findings, err)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	path := write(t, "a.csv", "id\n1\n")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, path, nil).ListAccounts(t.Context(), directory.ListRequest{}); !errors.Is(err, directory.Auth) {
		t.Errorf("the error is %v", err)
	}
}

// TestChangeInMidListing: pages of two states of a file never make one listing.
func TestChangeInMidListing(t *testing.T) {
	const before, after = "id\n1\n2\n3\n", "id\n0\n1\n2\n3\n"
	for name, change := range map[string]func(path string) error{
		"written in place": func(path string) error { return os.WriteFile(path, []byte(after), 0o600) },
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", []byte(before), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "a.csv", before)
			d := open(t, path, nil)
			page, err := d.ListAccounts(t.Context(), directory.ListRequest{Size: 2})
			if err != nil || page.Next == "" {
				t.Fatal(page, err)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			_, err = d.ListAccounts(t.Context(), directory.ListRequest{Size: 2, Cursor: page.Next})
			if !errors.Is(err, directory.Retryable) || !strings.Contains(err.Error(), "changed while it was being listed") {
				t.Errorf("the second page after a change: %v", err)
			}
			if all := list(t, d); len(all) < 3 {
				t.Errorf("a listing from the start has %d accounts", len(all))
			}
		})
	}
}

func TestYoungFileIsLeftAlone(t *testing.T) {
	path := write(t, "a.csv", "id\n1\n")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	now := info.ModTime().Add(59 * time.Second)
	settings, faults := file.Type.Complete(directory.Settings{
		Name: "people", Values: map[string]any{"path": path, "min_age": time.Minute}, Now: func() time.Time { return now },
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	d, err := file.Type.Open(settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.ListAccounts(t.Context(), directory.ListRequest{}); !errors.Is(err, directory.Retryable) || !strings.Contains(err.Error(), "min_age") {
		t.Errorf("a file of 59 seconds is read: %v", err)
	}
	now = now.Add(time.Second)
	if all := list(t, d); len(all) != 1 {
		t.Errorf("after a minute it lists %d", len(all))
	}
}

func TestBadOptions(t *testing.T) {
	for want, values := range map[string]map[string]any{
		"format":          {"path": "people.dat"},
		"columns":         {"columns": map[string]string{"colour": "X"}},
		"columns ":        {"columns": map[string]string{"title": "X", "email": "x"}},
		"id_column":       {"id_column": "X", "columns": map[string]string{"id": "Y"}},
		"active_column":   {"active_column": "X", "columns": map[string]string{"active": "Y"}},
		"inactive_values": {"active_values": []string{"x"}, "inactive_values": []string{"X"}},
		"group_separator": {"group_separator": " "},
		"min_age":         {"min_age": -time.Second},
	} {
		path, ok := values["path"].(string)
		if !ok {
			path = "people.csv"
		}
		_, err := tryOpen(t, path, values)
		var e *directory.OptionError
		if !errors.As(err, &e) || e.Option != strings.TrimSpace(want) {
			t.Errorf("%v: the error is %v, want one of the option %s", values, err, want)
		}
	}
}

func TestCheckSaysWhatWasUnderstood(t *testing.T) {
	d := open(t, write(t, "a.csv", strings.ReplaceAll("id;E-Mail;Zimmer\n1;zoe@example.com;Zoë\n2;nobody;x\n", "ë", "\xeb")), nil)
	findings, err := d.(directory.Checker).Check(t.Context(), directory.CheckRequest{Write: true, Attributes: []string{"email", "title"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, string(f.Level)+" "+f.Subject+": "+f.Message)
		if (f.Level == directory.LevelOK) != (f.Remedy == "") {
			t.Errorf("%+v: a remedy belongs to what is not ok, and to nothing else", f)
		}
	}
	want := []string{
		"ok file: CSV with semicolon in windows-1252, 2 accounts",
		"warning encoding: the text is not UTF-8 and was read as windows-1252, which gives plausible text",
		"ok id: accounts are told apart by the column id; its values must never change or be given to another person",
		"ok columns: email from E-Mail",
		"ok columns: kept under names of their own: custom.Zimmer",
		"warning active: no column says who may sign in, so that everybody in the file counts as active",
		"ok groups: no column groups, so that the groups of the accounts are not known",
		"error columns: the rules use title, for which the file has no column",
		"warning rows: 1 accounts have a problem and are left alone, the first on line 3: column E-Mail is no e-mail address",
		"error writing: the syncs write to this file, and it is read only",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAFileWithoutAStatusSaysSo(t *testing.T) {
	for content, want := range map[string]bool{"id,username,active\n1,anna,true\n": false, "id,username,contract\n1,anna,true\n": true} {
		if got := open(t, write(t, "a.csv", content), nil).Describe().NoStatus; got != want {
			t.Errorf("%q: %t", content, got)
		}
	}
}
