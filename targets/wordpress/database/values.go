package database

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

// changes are what attributes become: values of columns and of meta keys, as they are stored.
type changes struct {
	columns map[string]string
	meta    map[string]string
	// cleared are the meta keys that lose their rows.
	cleared []string
}

// changes translates attributes, and refuses what WordPress would refuse or could not keep.
func (w *website) changes(set directory.Attributes, create bool) (changes, error) {
	c := changes{columns: map[string]string{}, meta: map[string]string{}}
	for _, name := range set.Names() {
		refuse := func(kind directory.ErrorKind, format string, arguments ...any) (changes, error) {
			return c, &directory.Error{Kind: kind, Attribute: name, Err: fmt.Errorf(format, arguments...)}
		}
		value := set[name]
		spec, ok := w.desc.Attribute(name)
		switch {
		case !ok && strings.HasPrefix(name, directory.CustomPrefix):
			return c, &directory.Error{
				Kind: directory.Unsupported, Attribute: name, Err: fmt.Errorf("%s is no attribute here", name),
				Remedy: "add the meta key to the option meta",
			}
		case !ok || !spec.Writable && !spec.CreateOnly:
			return refuse(directory.Unsupported, "WordPress cannot set %s", name)
		case spec.CreateOnly && !create:
			return refuse(directory.Unsupported, "WordPress cannot change the %s of an account", name)
		case spec.Required && value.IsEmpty():
			return refuse(directory.Invalid, "%s must not be empty", name)
		case !utf8.ValidString(value.String()):
			return refuse(directory.Invalid, "%s is no valid text", name)
		}
		if fault := c.put(name, value); fault != "" {
			return refuse(directory.Invalid, "%s", fault)
		}
	}
	return c, nil
}

// put adds one attribute and returns what is wrong with its value.
func (c *changes) put(name string, value directory.Value) (fault string) {
	field, own := users.FieldOf(name)
	if !own {
		key := strings.TrimPrefix(name, directory.CustomPrefix)
		switch value.Kind() {
		case directory.KindEmpty:
			c.cleared = append(c.cleared, key)
		case directory.KindList:
			c.meta[key] = listForMeta(value.Items())
		default:
			c.meta[key] = forMeta(value.String())
		}
		return ""
	}
	text := value.String()
	switch name {
	case directory.URL:
		text, fault = webAddress(text)
	case directory.Email:
		fault = users.CheckAddress(text)
	case directory.Locale:
		if !localeForm.MatchString(text) {
			fault = fmt.Sprintf("%q is no name of a language, such as de_DE", text)
		}
	}
	if fault != "" {
		return fault
	}
	stored, fault := field.Stored(text)
	switch name {
	case directory.FirstName, directory.LastName, directory.Nickname, directory.DisplayName:
		if stored = oneLine(stored); isEmpty(stored) {
			stored = ""
		}
	case directory.URL:
		stored = severalLines(stored)
	case users.Description:
		if stored = severalLines(stored); isEmpty(stored) {
			stored = ""
		}
	}
	if field.Column != "" {
		c.columns[field.Column] = stored
	} else {
		c.meta[field.Meta] = forMeta(stored)
	}
	return fault
}

// fallBack puts the username in place of an emptied name, as wp_insert_user does.
func (c *changes) fallBack(login string) {
	if text, ok := c.columns["display_name"]; ok && text == "" {
		c.columns["display_name"] = login
	}
	if text, ok := c.meta["nickname"]; ok && text == "" {
		c.meta["nickname"] = login
	}
}

// unusable returns a new value for the column of password hashes that fits no password: no form of hash that WordPress has
// ever had begins with an exclamation mark, so that none of its ways to compare can succeed (pluggable.php,
// wp_check_password). It is as long as a hash, because up to 32 characters were once taken for MD5, and random, because
// WordPress signs its cookies with a part of it: a new one ends all sessions.
func unusable() string {
	b := make([]byte, 33)
	_, _ = rand.Read(b) // never fails: it ends the program where there is no randomness
	return "!" + base64.RawURLEncoding.EncodeToString(b)
}

// newcomer is one account to be made.
type newcomer struct {
	index  int // in the results
	record string
	// columns and meta are what is stored; nicename gets its suffix when others are known.
	columns map[string]string
	meta    [][2]string
	stored  *person
}

// prepare checks a request and makes its rows: those of wp_insert_user (user.php) and of set_role (class-wp-user.php), in
// their order.
func (w *website) prepare(f facts, r roles, index int, request directory.CreateRequest) (*newcomer, error) {
	for _, name := range []string{directory.Username, directory.Email} {
		if request.Attributes[name].IsEmpty() {
			return nil, &directory.Error{Kind: directory.Invalid, Attribute: name, Err: fmt.Errorf("%s is missing, which WordPress requires", name)}
		}
	}
	given := w.rules.NewRoles(request)
	if err := w.grantable(r, given); err != nil {
		return nil, err
	}
	c, err := w.changes(request.Attributes, true)
	if err != nil {
		return nil, err
	}
	login := c.columns["user_login"]
	c.fallBack(login)
	if c.columns["display_name"] == "" || request.Attributes[directory.DisplayName].IsEmpty() {
		c.columns["display_name"] = defaultName(c.meta["first_name"], c.meta["last_name"], login)
		if n := utf8.RuneCountInString(c.columns["display_name"]); n > 250 {
			return nil, &directory.Error{Kind: directory.Invalid, Attribute: directory.DisplayName, Err: fmt.Errorf("first and last name have %d characters together and may have 250", n)}
		}
	}
	if c.meta["nickname"] == "" {
		c.meta["nickname"] = login
	}
	n := &newcomer{index: index, record: login, columns: c.columns}
	n.columns["user_pass"], n.columns["user_nicename"] = unusable(), nicename(login)
	caps := r.with(nil, given)
	for _, row := range [][2]string{
		{"nickname", c.meta["nickname"]},
		{"first_name", c.meta["first_name"]},
		{"last_name", c.meta["last_name"]},
		{"description", c.meta["description"]},
		{"rich_editing", "true"},
		{"syntax_highlighting", "true"},
		{"comment_shortcuts", "false"},
		{"admin_color", f.color},
		{"use_ssl", "0"},
		{"show_admin_bar_front", "true"},
		{"locale", c.meta["locale"]},
		{w.capKey(), caps.String()},
		{w.levelKey(), r.level(caps)},
	} {
		n.meta = append(n.meta, row)
		delete(c.meta, row[0])
	}
	if key := w.rules.Flag.Key; key != "" {
		text := w.rules.Flag.On
		if request.Status == directory.StatusInactive {
			text = w.rules.Flag.Off
		}
		if text != "" {
			c.meta[key] = forMeta(text)
		}
	}
	for _, key := range sortedKeys(c.meta) {
		n.meta = append(n.meta, [2]string{key, c.meta[key]})
	}
	return n, nil
}

// defaultName is the name shown for a new account that was given none.
func defaultName(first, last, login string) string {
	switch {
	case !isEmpty(first) && !isEmpty(last):
		return first + " " + last
	case !isEmpty(first):
		return first
	case !isEmpty(last):
		return last
	default:
		return login
	}
}

// grantable refuses roles that the site does not have, and privileged ones.
func (w *website) grantable(r roles, wanted []string) error {
	for _, role := range wanted {
		if reason := w.rules.Privileges.Group(role).ReadOnly; reason != "" {
			return &directory.Error{
				Kind: directory.Unsupported, Err: fmt.Errorf("the role %s is not given: %s", role, reason),
				Remedy: "give the role in WordPress, or take it out of privileged_roles",
			}
		}
		if !r.known(role) {
			return &directory.Error{
				Kind: directory.Invalid, Err: fmt.Errorf("the site has no role %q", role),
				Remedy: "name a role that the site has (its key, not its title)",
			}
		}
		if why := w.rules.Privileges.Of([]string{role}, r.all(array{{key: role, raw: "b:1;"}})); why != "" {
			return users.Overgranted([]string{role}, directory.Account{Privileged: why})
		}
	}
	return nil
}

var errUnreadable = errors.New("it is left as it is, because what cannot be read could not be put back")
