package apply

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/plan"
)

// An answer is believed where it tells what was asked for. A directory that answers yes may have done nothing: a plugin throws a
// value away, a cache answers, a proxy sends the page of somebody else.

// believe compares what a directory answered to one operation with what it was asked. An answer about another account is a lost
// one: what became of the write has to be read back.
func (e *executor) believe(o plan.Operation, stored directory.Account) outcome {
	d := e.directory(o.Side)
	fault := func(kind directory.ErrorKind, attribute, format string, arguments ...any) error {
		return &directory.Error{
			Kind: kind, Op: string(o.Action), Directory: d.Describe().Name, Record: o.Account, Attribute: attribute, Err: fmt.Errorf(format, arguments...),
		}
	}
	switch id := e.options.Draft(o).id(o.Side); {
	case stored.ID == "":
		return outcome{err: fault(directory.UnknownOutcome, "", "the answer names no account")}
	case o.Action != plan.Create && stored.ID != id:
		return outcome{err: fault(directory.UnknownOutcome, "", "the answer is about another account (id %s)", stored.ID)}
	}
	switch o.Action {
	case plan.Create:
		if spec, other := another(d, attributes(o), stored); other {
			return outcome{err: fault(directory.UnknownOutcome, spec, "the answer is about another account (id %s), whose %s is %q", stored.ID, spec, stored.Attributes.Text(spec))}
		}
	case plan.Activate, plan.Deactivate:
		if want := statusRequest(o, "").Status; stored.Status != want && stored.Status != directory.StatusUnknown {
			return outcome{err: fault(directory.Invalid, "", "the directory answered yes, and the account is still %s; look at it there, something keeps it so", stored.Status)}
		}
	case plan.Update:
		return e.kept(o, stored, fault)
	}
	return outcome{stored: &stored}
}

// kept looks for values that the directory did not change although it said so.
func (e *executor) kept(o plan.Operation, stored directory.Account, fault func(directory.ErrorKind, string, string, ...any) error) outcome {
	description, draft := e.directory(o.Side).Describe(), e.options.Draft(o)
	out := outcome{stored: &stored, unwritten: make(map[string]bool)}
	var faults, names []string
	for _, change := range o.Changes {
		value, told := stored.Attributes[change.Attribute]
		if !told { // the next listing tells
			out.unwritten[change.Attribute] = true
			continue
		}
		spec, _ := description.Attribute(change.Attribute)
		before := mapping.Equal(value, change.Before, spec) || mapping.Equal(value, draft.value(o.Side, change.Attribute), spec)
		if !before || mapping.Equal(value, change.After, spec) || (!value.IsEmpty() && formOf(value, spec) == formOf(change.After, spec)) {
			continue
		}
		out.unwritten[change.Attribute] = true
		names = append(names, change.Attribute)
		faults = append(faults, fmt.Sprintf("the old value %q of %s instead of %q", value, change.Attribute, change.After))
	}
	if len(faults) == 0 {
		return out
	}
	out.err = fault(directory.Invalid, names[0], "the directory answered yes and kept %s; look at the account there, something keeps it so", strings.Join(faults, ", "))
	if len(faults) == len(o.Changes) {
		out.stored = nil // nothing was done
	}
	return out
}

// another names the unique attribute in which an account is not the one that was asked for; what it does not tell says nothing.
func another(d directory.Directory, wanted directory.Attributes, account directory.Account) (attribute string, found bool) {
	for _, spec := range d.Describe().Attributes {
		value, given := wanted[spec.Name]
		has, told := account.Attributes[spec.Name]
		if spec.Unique && given && told && !has.IsEmpty() && formOf(value, spec) != formOf(has, spec) {
			return spec.Name, true
		}
	}
	return "", false
}

var tag = regexp.MustCompile(`<[^<>]*>`)

// formOf is what is left of a value in whatever form a directory stores it: without case and accents, escapes, tags and signs. Of an
// e-mail address each sign counts.
func formOf(value directory.Value, spec directory.AttributeSpec) string {
	spec.FoldCase, spec.FoldAccents = true, spec.Name != directory.Email
	key := mapping.Key(value, spec)
	if spec.Name == directory.Email {
		return html.UnescapeString(key)
	}
	bare := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return r
		}
		return -1
	}, tag.ReplaceAllString(html.UnescapeString(key), ""))
	if bare == "" {
		return key
	}
	return bare
}
