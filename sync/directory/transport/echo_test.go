package transport_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/transport"
)

// TestAnErrorPageDoesNotRepeatSecrets asks servers that answer with all that was sent to them.
func TestAnErrorPageDoesNotRepeatSecrets(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		status := http.StatusForbidden
		if r.URL.Path == "/fine" {
			status = http.StatusOK
		}
		w.WriteHeader(status)
		_ = r.ParseForm()
		name, password, _ := r.BasicAuth()
		io.WriteString(w, strings.Join([]string{ //nolint:errcheck // a test
			"no: " + r.Header.Get("Authorization"), name, password, r.Header.Get("X-Vendor"), string(body), r.PostForm.Get("client_secret"), "the end",
		}, " | "))
	}))
	t.Cleanup(server.Close)
	client := transport.New(transport.Options{Directory: "website", SecretHeaders: []string{"X-Vendor"}}).Client()
	basic := base64.StdEncoding.EncodeToString([]byte("rollcall:abcd EFGH ijkl"))
	for _, c := range []struct {
		name, path, kind, body string
		secrets                []string
	}{
		{"headers", "/", "", "", []string{basic, "abcd EFGH ijkl", "vendor-key-1"}},
		{"a form", "/", "application/x-www-form-urlencoded", url.Values{"client_id": {"rollcall"}, "client_secret": {"p&q=7 +xyz"}}.Encode(), []string{"p&q=7 +xyz", url.QueryEscape("p&q=7 +xyz")}},
		{"JSON", "/", "application/json", `{"username": "anna", "credentials": [{"type": "password", "value": "long \"password\""}], "password": "another-one"}`, []string{`long \"password\"`, "another-one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Basic "+basic)
			req.Header.Set("X-Vendor", "vendor-key-1")
			req.Header.Set("Content-Type", c.kind)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			page, err := io.ReadAll(resp.Body)
			if err != nil || int64(len(page)) != resp.ContentLength {
				t.Errorf("%d bytes of %d, %v", len(page), resp.ContentLength, err)
			}
			for _, secret := range c.secrets {
				if strings.Contains(string(page), secret) {
					t.Errorf("%q comes back: %s", secret, page)
				}
			}
			for _, kept := range []string{"no: ***", "the end"} {
				if !strings.Contains(string(page), kept) {
					t.Errorf("%q is missing in %s", kept, page)
				}
			}
		})
	}
	t.Run("an answer that is no error stays as it is", func(t *testing.T) {
		t.Parallel()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/fine", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer token-1234567")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if page, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(page), "Bearer token-1234567") {
			t.Errorf("%s, %v", page, err)
		}
	})
}

// Servers quote what was sent to them each in its own way, and traces hold answers of every status.
func TestAnEchoedSecretIsBlankedHoweverItIsQuoted(t *testing.T) {
	t.Parallel()
	const secret = `hüh€ner"suppe/&<12>`
	for _, quoted := range []string{
		`hüh€ner\"suppe/&<12>`, `hüh€ner\"suppe/\u0026\u003c12\u003e`, `h\u00fch\u20acner\"suppe/&<12>`, `h\u00fch\u20acner\"suppe\/&<12>`,
		`h\u00fch\u20acner\"suppe\/\u0026\u003c12\u003e`, `hüh€ner\"suppe\/&<12>`, `hüh€ner&#34;suppe/&amp;&lt;12&gt;`, secret,
	} {
		for _, status := range []int{http.StatusOK, http.StatusForbidden} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				io.WriteString(w, `{"message":"not good: `+quoted+` at all"}`) //nolint:errcheck // a test
			}))
			t.Cleanup(server.Close)
			var trace strings.Builder
			client := transport.New(transport.Options{Directory: "website", Trace: func(line string) { trace.WriteString(line) }}).Client()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("rollcall", secret)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.Contains(trace.String(), "not good: ***") {
				t.Errorf("%d %s: %v, the trace is %s", status, quoted, err, &trace)
			}
			if status >= 400 && !strings.Contains(string(page), "not good: *** at all") {
				t.Errorf("%d %s comes back as %s", status, quoted, page)
			}
		}
	}
}
