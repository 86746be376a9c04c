package transport

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestTracesHoldNoSecret(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJoaWRkZW4tand0In0.hidden-signature"
	answer := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Set-Cookie", "session=hidden-cookie")
			w.Header().Set("X-Auth-Token", "hidden-header")
			w.Header().Set("Link", `<https://example.com/?after=shown-cursor&api_key=hidden-link>; rel="next"`)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name, kind, send, answer string
		shown                    []string
	}{
		{
			"JSON", "application/json", `{"username":"shown-name","password":"hidden-1","nested":[{"client_secret":"hidden-2"}],"credentials":[{"type":"password","value":"hidden-3"}]}`,
			`{"access_token":"hidden-4","token_type":"shown-bearer","expires_in":300,"note":"` + jwt + `","nextPageToken":"shown-cursor","code":"shown-code","id":12345678901234567890}`,
			[]string{"shown-name", "shown-bearer", "shown-cursor", "shown-code", "12345678901234567890"},
		},
		{"labelled values", "application/json", `{"fields":[{"name":"password","value":"hidden-1"},{"name":"colour","value":"shown-red"}]}`, `{"key":"shown-key"}`, []string{"shown-red", "shown-key"}},
		{"a form", "application/x-www-form-urlencoded", "grant_type=shown-grant&client_secret=hidden-1&code=hidden-2&assertion=hidden-3&vendor_pin_code=hidden-4", `{}`, []string{"shown-grant"}},
		{"a text", "text/plain", "hidden-1", "hidden-2", []string{"(8 bytes of text/plain)"}},
		{"a page", "text/html", "<p>hidden-1", "<p>hidden-2", []string{"of text/html"}},
		{"broken JSON", "application/json", `{"password":"hidden-1"`, `{"token":"hidden-2"} hidden-3`, []string{"bytes of application/json"}},
		{"problem JSON", "application/problem+json", `{"secretAnswer":"hidden-1"}`, `{"title":"shown-title","refreshToken":"hidden-2"}`, []string{"shown-title"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, answer(test.kind, test.answer))
			o, _ := options()
			var mu sync.Mutex
			var trace strings.Builder
			o.Trace = func(line string) { mu.Lock(); defer mu.Unlock(); trace.WriteString(line + "\n") }
			o.SecretHeaders, o.SecretFields = []string{"X-Vendor-Pin"}, []string{"vendorPinCode"}
			address := strings.Replace(server.URL, "http://", "http://user:hidden-user@", 1) + "/shown-path?page=shown-page&access_token=hidden-query&key=hidden-key"
			req, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(test.send))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", test.kind)
			req.Header.Set("Authorization", "Bearer hidden-bearer")
			req.Header.Set("Cookie", "hidden-cookie")
			req.Header.Set("X-Vendor-Pin", "hidden-pin")
			req.Header.Set("X-Api-Key", "hidden-api-key")
			req.Header.Set("X-Other", jwt)
			resp, err := New(o).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := got.ReadFrom(resp.Body); err != nil || got.String() != test.answer {
				t.Errorf("the answer became %q (%v)", got.String(), err)
			}
			if sent := server.got(); len(sent) != 1 || sent[0] != test.send {
				t.Errorf("the request became %q", sent)
			}
			text := trace.String()
			if strings.Contains(text, "hidden") || strings.Contains(text, "eyJ") {
				t.Errorf("a secret is in the trace:\n%s", text)
			}
			for _, want := range append(test.shown, "#1 > POST", "/shown-path", "shown-page", "#1 < 200 OK", "Authorization: ***", "after=shown-cursor") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in the trace:\n%s", want, text)
				}
			}
		})
	}
}

func TestFailuresAreTraced(t *testing.T) {
	t.Parallel()
	server := serve(t, hangUp)
	o, _ := options()
	var trace []string
	o.Trace = func(line string) { trace = append(trace, line) }
	o.Tries = 2
	_, err := send(t.Context(), t, New(o), "GET", server.URL, "")
	wantError(t, err, directory.Retryable)
	if len(trace) != 4 || !strings.HasPrefix(trace[1], "#1 ! ") || !strings.HasPrefix(trace[3], "#2 ! ") {
		t.Errorf("the trace is %q", trace)
	}
}
