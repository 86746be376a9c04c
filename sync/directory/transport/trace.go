package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	blank    = "***"
	maxTrace = 16 << 10 // of one body
)

// secretParts are parts of names, in lower case without separators, whose values are never shown; secretNames are whole
// names that are too short to be looked for inside others; openNames look like secrets and are none.
var (
	secretParts = []string{
		"password", "passwd", "passphrase", "secret", "token", "assertion", "apikey", "privatekey", "credential",
		"authorization", "cookie", "signature", "accesskey", "sessionid", "nonce", "csrf",
	}
	secretNames = []string{"pass", "pwd", "auth", "otp", "pin", "sid", "jwt", "userpass", "newpass"}
	// In a query or a form only: as JSON names they stand for error codes and map keys.
	secretParameters = []string{"key", "code"}
	openNames        = []string{
		"tokentype", "nextpagetoken", "pagetoken", "nexttoken", "paginationtoken", "skiptoken", "deltatoken",
		"tokenendpoint", "accesstokenlifespan",
	}

	// A signed token is a secret under whatever name it comes.
	signedToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)
	parameter   = regexp.MustCompile(`([?&;][\s]*)([A-Za-z0-9_.\[\]$-]+)=([^&#>;,\s"]*)`)
)

// tracer writes requests and answers for people, secrets blanked. A nil tracer writes nothing.
type tracer struct {
	line    func(string)
	headers []string
	fields  []string
}

func newTracer(line func(string), headers, fields []string) *tracer {
	t := &tracer{line: line}
	for _, name := range headers {
		t.headers = append(t.headers, plain(name))
	}
	for _, name := range fields {
		t.fields = append(t.fields, plain(name))
	}
	return t
}

// plain brings client_secret, Client-Secret and clientSecret to one form.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", "[", "", "]", "", "$", "").Replace(strings.ToLower(name))
}

func (t *tracer) isSecret(name string) bool {
	name = plain(name)
	if slices.Contains(t.fields, name) || slices.Contains(secretNames, name) {
		return true
	}
	if slices.Contains(openNames, name) {
		return false
	}
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) })
}

func (t *tracer) isSecretParameter(name string) bool {
	return slices.Contains(secretParameters, plain(name)) || t.isSecret(name)
}

func (t *tracer) request(number int64, req *http.Request, newBody func() (bodyReader, error)) {
	if t == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#%d > %s %s", number, req.Method, t.address(req.URL))
	t.header(&b, number, '>', req.Header)
	if newBody != nil && req.GetBody != nil {
		if body, err := newBody(); err == nil {
			start, err := io.ReadAll(io.LimitReader(body, maxReplay))
			_ = body.Close() // a copy in memory
			if err == nil {
				fmt.Fprintf(&b, "\n#%d > %s", number, t.body(req.Header, start, req.ContentLength > int64(len(start))))
			}
		}
	} else if newBody != nil {
		fmt.Fprintf(&b, "\n#%d > (a large body)", number)
	}
	t.line(b.String())
}

func (t *tracer) answer(number int64, resp *http.Response, start []byte, more bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d < %s", number, resp.Status)
	t.header(&b, number, '<', resp.Header)
	if len(start) > 0 {
		fmt.Fprintf(&b, "\n#%d < %s", number, t.body(resp.Header, start, more))
	}
	t.line(b.String())
}

func (t *tracer) failure(number int64, err error) {
	if t == nil {
		return
	}
	t.line(fmt.Sprintf("#%d ! %s", number, t.text(err.Error())))
}

func (t *tracer) header(b *strings.Builder, number int64, direction rune, header http.Header) {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			if t.isSecret(name) || slices.Contains(t.headers, plain(name)) {
				value = blank
			}
			fmt.Fprintf(b, "\n#%d %c %s: %s", number, direction, name, t.text(value))
		}
	}
}

// address returns the URL without secrets, the user information left out altogether.
func (t *tracer) address(u *url.URL) string {
	copied := *u
	if copied.User != nil {
		copied.User = url.User(blank)
	}
	return t.text(copied.String())
}

// text blanks signed tokens and secret parameters inside free text.
func (t *tracer) text(s string) string {
	s = signedToken.ReplaceAllString(s, blank)
	return parameter.ReplaceAllStringFunc(s, func(match string) string {
		parts := parameter.FindStringSubmatch(match)
		name, err := url.QueryUnescape(parts[2])
		if err != nil || t.isSecretParameter(name) {
			return parts[1] + parts[2] + "=" + blank
		}
		return match
	})
}

// body returns JSON and forms with secrets blanked. Anything else, or what cannot be decoded, is named by its size only:
// a plain text may itself be a token.
func (t *tracer) body(header http.Header, start []byte, more bool) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "unknown"
	}
	switch {
	case more:
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		if shown, ok := t.json(start); ok {
			return cut(shown)
		}
	case kind == "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(start)); err == nil {
			return cut(t.form(values))
		}
	}
	return fmt.Sprintf("(%d bytes of %s)", len(start), kind)
}

func (t *tracer) form(values url.Values) string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	for _, name := range names {
		for _, value := range values[name] {
			if t.isSecretParameter(name) {
				value = blank
			}
			parts = append(parts, name+"="+t.text(value))
		}
	}
	return strings.Join(parts, "&")
}

func (t *tracer) json(data []byte) (string, bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return "", false
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(t.clean(value)); err != nil {
		return "", false
	}
	return strings.TrimSpace(b.String()), true
}

// clean blanks the values of secret names, at any depth. An empty or missing value stays as it is: that it was empty is
// often what one looks for.
func (t *tracer) clean(value any) any {
	switch x := value.(type) {
	case map[string]any:
		for name, inner := range x {
			if t.isSecret(name) && inner != nil && inner != "" {
				x[name] = blank
			} else {
				x[name] = t.clean(inner)
			}
		}
		// {"type": "password", "value": …} and {"name": "token", "value": …}
		for _, label := range []string{"type", "name", "key"} {
			if name, ok := x[label].(string); ok && t.isSecret(name) && x["value"] != nil {
				x["value"] = blank
			}
		}
		return x
	case []any:
		for i := range x {
			x[i] = t.clean(x[i])
		}
		return x
	case string:
		return t.text(x)
	default:
		return value
	}
}

func cut(s string) string {
	if len(s) <= maxTrace {
		return s
	}
	return s[:maxTrace] + fmt.Sprintf("… (%d bytes)", len(s))
}
