package transport

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Servers, and firewalls before them, are seen to repeat in an error page what was sent to them. Connectors put such words
// into their errors, and errors end up on screens, in reports and in the journal. So whatever secret went out with a request
// is blanked in the error that comes back for it, before anybody reads it.

// leastEcho is the shortest text that is taken for a secret; shorter ones would blank half of every message.
const leastEcho = 6

// blankEcho blanks the request's own secrets in an answer of status 400 and above.
func (c *call) blankEcho(r *result) {
	if r.resp.StatusCode < http.StatusBadRequest || len(r.body) == 0 || r.rest != nil {
		return
	}
	clean := c.blanked(r.body)
	if len(clean) == len(r.body) && bytes.Equal(clean, r.body) {
		return
	}
	r.body = clean
	r.resp.Body, r.resp.ContentLength = io.NopCloser(bytes.NewReader(clean)), int64(len(clean))
	if r.resp.Header.Get("Content-Length") != "" {
		r.resp.Header.Set("Content-Length", strconv.Itoa(len(clean)))
	}
}

// blanked is a text without the request's own secrets.
func (c *call) blanked(text []byte) []byte {
	for _, secret := range c.secrets() {
		text = bytes.ReplaceAll(text, []byte(secret), []byte(blank))
	}
	return text
}

// secrets returns what the request holds of secrets, in all the forms in which they may come back, the longest first.
func (c *call) secrets() []string {
	names := newTracer(nil, c.transport.options.SecretHeaders, c.transport.options.SecretFields)
	var found []string
	for name, values := range c.req.Header {
		if names.isSecret(name) || slices.Contains(names.headers, plain(name)) {
			for _, value := range values {
				found = append(found, credentials(value)...)
			}
		}
	}
	found = append(found, c.bodySecrets(names)...)
	var forms []string
	for _, secret := range found {
		forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret))
		forms = append(forms, quotedForms(secret)...)
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return len(form) < leastEcho })
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(forms)
}

// quotedForms returns a text as JSON quotes it: in the least form, with the signs of HTML escaped as Go does it, with everything
// beyond ASCII escaped as PHP does it, and with escaped slashes.
func quotedForms(secret string) []string {
	var least strings.Builder
	encoder := json.NewEncoder(&least)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(secret) != nil {
		return nil
	}
	forms := []string{strings.TrimSuffix(least.String(), "\n")}
	if escaped, err := json.Marshal(secret); err == nil {
		forms = append(forms, string(escaped))
	}
	for _, form := range slices.Clone(forms) {
		var ascii strings.Builder
		for _, unit := range utf16.Encode([]rune(form)) {
			if unit < utf8.RuneSelf {
				ascii.WriteByte(byte(unit))
			} else {
				fmt.Fprintf(&ascii, `\u%04x`, unit)
			}
		}
		forms = append(forms, ascii.String(), strings.ReplaceAll(ascii.String(), "/", `\/`), strings.ReplaceAll(form, "/", `\/`))
	}
	for i, form := range forms {
		forms[i] = form[1 : len(form)-1]
	}
	return forms
}

// credentials takes a header's value apart: "Basic …" holds a name and a password.
func credentials(value string) []string {
	found := []string{value}
	_, bare, ok := strings.Cut(value, " ")
	if !ok {
		return found
	}
	found = append(found, bare)
	if decoded, err := base64.StdEncoding.DecodeString(bare); err == nil {
		if _, password, ok := strings.Cut(string(decoded), ":"); ok {
			found = append(found, string(decoded), password)
		}
	}
	return found
}

// bodySecrets returns the secret values of a form or of a JSON body.
func (c *call) bodySecrets(names *tracer) (found []string) {
	if c.newBody == nil || c.once {
		return nil
	}
	body, err := c.newBody()
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(body, maxReplay))
	_ = body.Close() // a copy in memory
	if err != nil {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(c.req.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		values, err := url.ParseQuery(string(data))
		if err != nil {
			return nil
		}
		for name, list := range values {
			if names.isSecretParameter(name) {
				found = append(found, list...)
			}
		}
		return found
	}
	var value any
	if json.Unmarshal(data, &value) != nil {
		return nil
	}
	return secretTexts(names, value, false)
}

// secretTexts gathers the texts below secret names, at any depth.
func secretTexts(names *tracer, value any, secret bool) (found []string) {
	switch x := value.(type) {
	case map[string]any:
		for name, inner := range x {
			found = append(found, secretTexts(names, inner, secret || names.isSecret(name))...)
		}
		// {"type": "password", "value": …}
		if kind, ok := x["type"].(string); ok && names.isSecret(kind) {
			found = append(found, secretTexts(names, x["value"], true)...)
		}
	case []any:
		for _, inner := range x {
			found = append(found, secretTexts(names, inner, secret)...)
		}
	case string:
		if secret {
			found = append(found, x)
		}
	}
	return found
}
