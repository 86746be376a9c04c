package wordpress

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// payload is the body of a create or an update. WordPress takes JSON only with its content type, and roles only as a list:
// a text would be split at its commas.
type payload map[string]any

// meta returns the part of the payload with user meta, made when first asked for.
func (p payload) meta() map[string]any {
	if m, ok := p["meta"].(map[string]any); ok {
		return m
	}
	m := map[string]any{}
	p["meta"] = m
	return m
}

// payload turns attributes into a body. What WordPress would refuse with a crash, or drop without a word (too long a value
// on update, an unregistered meta key), is refused here.
func (s *site) payload(ctx context.Context, k call, set directory.Attributes, create bool) (payload, error) {
	p := payload{}
	for _, name := range set.Names() {
		if err := s.put(ctx, k, p, name, set[name], create); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (s *site) put(ctx context.Context, k call, p payload, name string, value directory.Value, create bool) error {
	refuse := func(kind directory.ErrorKind, err error, remedy string) error {
		return s.client.fail(k, &directory.Error{Kind: kind, Attribute: name, Err: err, Remedy: remedy})
	}
	spec, ok := s.desc.Attribute(name)
	switch {
	case !ok && strings.HasPrefix(name, directory.CustomPrefix):
		return refuse(directory.Unsupported, fmt.Errorf("%s is no attribute here", name), "add the meta key to the option meta, and register it on the site with register_meta and show_in_rest")
	case !ok || !spec.Writable && !spec.CreateOnly:
		return refuse(directory.Unsupported, fmt.Errorf("WordPress cannot set %s", name), "")
	case spec.CreateOnly && !create:
		return refuse(directory.Unsupported, fmt.Errorf("WordPress cannot change the %s of an account", name), "")
	case spec.Required && value.IsEmpty():
		return refuse(directory.Invalid, fmt.Errorf("%s must not be empty", name), "")
	}
	if field, ok := users.FieldOf(name); ok {
		text := value.String()
		stored, fault := field.Stored(text)
		if fault != "" {
			return refuse(directory.Invalid, errors.New(fault), "")
		}
		if name != directory.Email { // escaped, an address would be malformed; WordPress escapes it by itself
			text = stored
		}
		p[field.REST] = text
		return nil
	}
	return s.putMeta(ctx, k, p, strings.TrimPrefix(name, directory.CustomPrefix), value)
}

// putMeta sets a meta key in the type that it is registered with. WordPress drops an unregistered one and answers 200.
func (s *site) putMeta(ctx context.Context, k call, p payload, key string, value directory.Value) error {
	f, err := s.siteFeatures(ctx, k.op)
	if err != nil {
		return err
	}
	kind, ok := f.meta[key]
	if !ok {
		return s.unregistered(k, key)
	}
	data, err := metaJSON(kind, value)
	if err != nil {
		return s.client.fail(k, &directory.Error{Kind: directory.Invalid, Attribute: directory.CustomPrefix + key, Err: err})
	}
	p.meta()[key] = data
	return nil
}

func (s *site) unregistered(k call, key string) *directory.Error {
	return s.client.fail(k, &directory.Error{
		Kind: directory.Invalid, Attribute: directory.CustomPrefix + key,
		Err:    fmt.Errorf("the site does not keep the user meta %q", key),
		Remedy: fmt.Sprintf("register it on the site: register_meta('user', '%s', ['single' => true, 'type' => 'string', 'show_in_rest' => true])", key),
	})
}

// kept checks that the answer holds each meta key that was sent.
func (s *site) kept(k call, a answer, p payload) error {
	sent, _ := p["meta"].(map[string]any)
	if len(sent) == 0 {
		return nil
	}
	var got record
	if err := s.client.decode(k, a, &got); err != nil {
		return err
	}
	values, err := metaValues(got.Meta)
	if err != nil {
		return s.client.fail(k, &directory.Error{Kind: lostKind(k), Err: err})
	}
	keys := make([]string, 0, len(sent))
	for key := range sent {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		var e *directory.Error
		value, ok := values[key]
		switch {
		case !ok:
			e = s.unregistered(k, key)
		case key == s.rules.Flag.Key && s.rules.Flag.Locked(value) != p.locks(s.rules.Flag):
			e = s.client.fail(k, &directory.Error{
				Kind: directory.Invalid, Attribute: directory.CustomPrefix + key, Err: fmt.Errorf("the site stored %q for the user meta %q", value, key),
				Remedy: "set deactivated_value and activated_value to what the plugin uses",
			})
		default:
			continue
		}
		if k.creates { // the account is there; only reading it back can tell what else of it is
			e.Kind = directory.UnknownOutcome
		}
		return e
	}
	return nil
}

// locks reports whether the payload sets the plugin's flag to locked.
func (p payload) locks(f users.Flag) bool {
	value := directory.Value{}
	switch x := p.meta()[f.Key].(type) {
	case nil:
	case bool:
		value = directory.Text(strconv.FormatBool(x))
	default:
		value = directory.Text(fmt.Sprint(x))
	}
	return f.Locked(value)
}

// password returns a new password that nobody sees: 40 characters of 64, 240 bits, without the backslash that WordPress
// refuses.
func password() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 40)
	_, _ = rand.Read(b) // never fails: it ends the program where there is no randomness
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b)
}
