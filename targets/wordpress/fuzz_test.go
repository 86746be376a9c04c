package wordpress

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

func mustJSON(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

func decodeRows(data []byte) []map[string]any {
	var rows []map[string]any
	if err := json.Unmarshal(data, &rows); err != nil {
		panic(err)
	}
	return rows
}

// Whatever a site sends as a record: no panic, and what passes as whole has what protects it.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		`{"id":2,"username":"anna","name":"A &amp; B","first_name":"","email":"a@example.com","roles":["author"],"capabilities":{"read":true},"registered_date":"2026-11-22T02:23:45+00:00","meta":{"persisted_preferences":[],"department":"Press"}}`,
		`{"id":"2","username":"anna","roles":{"1":"author"},"capabilities":[],"meta":[]}`,
		`{"id":2,"username":null,"roles":[],"capabilities":{}}`,
		`{"id":2,"username":"x","roles":"author","capabilities":{"a":1,"b":"0"},"meta":{"a":[1,true,"x"],"b":{"c":1},"d":null,"e":12345678901234567890}}`,
		`{"id":0}`, `{"id":-1}`, `{"id":1.5}`, `[]`, `null`, `{"id":1e3}`, `{"id":2,"meta":"x","username":"x","roles":[],"capabilities":{}}`,
	} {
		f.Add([]byte(seed))
	}
	s := &site{rules: users.Rules{Privileges: users.Privileges{Capabilities: users.DefaultPrivileged()}, Flag: users.Flag{Key: "department", Off: "Press"}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := s.account(data, nil)
		if err != nil {
			return
		}
		if !users.IsID(a.ID) {
			t.Fatalf("the id is %q", a.ID)
		}
		if a.Problem == "" && (!a.GroupsKnown || a.Attributes[directory.Username].Kind() > directory.KindText) {
			t.Fatalf("a thin record passes as whole: %+v", a)
		}
		for name := range a.Attributes {
			if !directory.IsAttributeName(name) {
				t.Fatalf("%q is no attribute", name)
			}
		}
		if _, rest, err := directory.DecodeAccount(a.AppendBinary(nil)); err != nil || len(rest) > 0 {
			t.Fatalf("the account cannot be stored: %v", err)
		}
	})
}

// Whatever a site answers: a bad status is an error of ours, and only one answer means "not found".
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":"rest_user_invalid_id","message":"Invalid user ID.","data":{"status":404}}`, `{"code":"x","data":[1]}`,
		`{"code":"rest_invalid_param","data":{"params":["a"],"details":3}}`, `<b>Warning</b> {"code":"x"}`, "\ufeff[]", `{"code":1}`, `[`, ``,
		`{"code":"rest_invalid_type","additional_data":[{"param":"meta.a[b]"}]}`,
	} {
		f.Add(404, []byte(seed))
	}
	c := &client{name: "website", base: &url.URL{Scheme: "https", Host: "www.example.com"}}
	f.Fuzz(func(t *testing.T, status int, data []byte) {
		a := answer{status: status, header: http.Header{}, body: data}
		k := call{method: http.MethodPost, route: usersRoute, op: "create account", body: payload{}, creates: true}
		err := c.judge(k, a)
		if (err == nil) != (status >= 200 && status < 300) {
			t.Fatalf("status %d: %v", status, err)
		}
		if err == nil {
			var into record
			_ = c.decode(k, a, &into)
			return
		}
		var r refusal
		proof := status == 404 && json.Unmarshal(a.json(), &r) == nil && r.Code == "rest_user_invalid_id"
		if got := directory.KindOf(err) == directory.NotFound; got != proof {
			t.Fatalf("not found: %t, want %t: %v", got, proof, err)
		}
		_ = err.Error()
	})
}

// Names keep their text on the way into WordPress and back.
func FuzzEscaping(f *testing.F) {
	for _, seed := range []string{"R&D", "a < b", "<b>x</b>", "&amp;", "&lt;", `"quoted" 'it''s'`, "&eacute;", "&#039;", "a &amp;amp; b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := users.Unescape(users.Escape(text)); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}
