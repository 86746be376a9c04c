package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

// place is one directory of a scenario: a directory in memory that the tables of the story fill, and what the options in
// rollcall.yaml say about it.
type place struct {
	name      string
	memory    *memory.Directory
	view      func(*memory.Directory) directory.Directory
	shown     func(time.Time)
	groups    []string // as configured
	keepsTime bool
}

// scenarioTypes are the two kinds of directories that a scenario can name. Both are in memory; they differ in how groups are
// read: an identity provider lists the members of each group, a CMS tells the groups with each account.
func (s *scenario) scenarioTypes() []directory.Type {
	options := []directory.Option{
		{Name: "groups", Type: directory.OptionList, Doc: "The groups that there are."},
		{Name: "parents", Type: directory.OptionMap, Doc: "Groups that are members of another group, and of which."},
		{Name: "privileged", Type: directory.OptionList, Doc: "Groups whose members are never written."},
		{Name: "signs_in_as", Type: directory.OptionText, Doc: "The id of the account that Rollcall signs in with."},
		{Name: "groups_lost_on_deactivation", Type: directory.OptionBool, Doc: "Whether deactivating takes the groups away.", Default: "false"},
		{Name: "keeps_times", Type: directory.OptionBool, Doc: "Whether it knows when an account was changed.", Default: "false"},
		{Name: "required", Type: directory.OptionList, Doc: "Attributes without which no account can be created."},
		{Name: "fixed", Type: directory.OptionList, Doc: "Attributes that cannot be changed once the account exists."},
		{Name: "page_size", Type: directory.OptionInt, Doc: "How many accounts a page has.", Default: "100"},
		{Name: "mails", Type: directory.OptionMap, Doc: "Mails that it sends and that cannot be switched off: on what, and to whom."},
		{
			Name: "can", Type: directory.OptionChoice, Choices: []string{"everything", "only what is usual", "only be read", "only be listed"},
			Doc: "What Rollcall may ask of it.", Default: "everything",
		},
	}
	open := func(inline bool) func(directory.Settings) (directory.Directory, error) {
		return func(settings directory.Settings) (directory.Directory, error) { return s.place(settings, inline), nil }
	}
	attributes := memory.Attributes(true)
	return []directory.Type{
		{Name: "identity-provider", Title: "Identity provider of a scenario", Options: options, Attributes: attributes, Open: open(false)},
		{Name: "cms", Title: "CMS of a scenario", Options: options, Attributes: attributes, Open: open(true)},
	}
}

// place opens a directory: a new one the first time, the same one on every later day.
func (s *scenario) place(settings directory.Settings, inline bool) directory.Directory {
	if known, ok := s.places[settings.Name]; ok {
		return known.view(known.memory.Reopen())
	}
	now := s.clock
	known := &place{name: settings.Name, groups: settings.List("groups"), keepsTime: settings.Bool("keeps_times")}
	known.shown = func(t time.Time) { now = func() time.Time { return t } }
	options := memory.Options{
		Name: settings.Name, Type: "scenario", PageSize: settings.Int("page_size"), GroupsInline: inline, Self: settings.Text("signs_in_as"),
		GroupsLostOnDeactivation: settings.Bool("groups_lost_on_deactivation"), ReadConcurrency: 1, WriteConcurrency: 1,
		Attributes: memory.Attributes(known.keepsTime),
	}
	if known.keepsTime {
		options.Now = func() time.Time { return now() }
	}
	for i := range options.Attributes {
		spec := &options.Attributes[i]
		spec.Required = spec.Required || slices.Contains(settings.List("required"), spec.Name)
		if slices.Contains(settings.List("fixed"), spec.Name) {
			spec.Writable, spec.CreateOnly = false, true
		}
	}
	mails := settings.Map("mails")
	for _, on := range sortedKeys(mails) {
		options.Notices = append(options.Notices, directory.Notice{On: on, Text: mails[on]})
	}
	ids := make(map[string]string)
	for i, name := range known.groups {
		ids[name] = fmt.Sprintf("group-%d", i+1)
	}
	for _, name := range settings.List("privileged") {
		options.PrivilegedGroups = append(options.PrivilegedGroups, ids[name])
	}
	known.memory = memory.New(options)
	for _, name := range known.groups {
		group := directory.Group{ID: ids[name], Name: name}
		if parent, ok := settings.Map("parents")[name]; ok {
			group.Parents = []string{ids[parent]}
		}
		known.memory.PutGroup(group)
	}
	known.view = map[string]func(*memory.Directory) directory.Directory{
		"everything":         func(d *memory.Directory) directory.Directory { return d },
		"only what is usual": (*memory.Directory).OneByOne,
		"only be read":       (*memory.Directory).ReadOnly,
		"only be listed":     (*memory.Directory).Core,
	}[settings.Text("can")]
	s.places[settings.Name] = known
	return known.view(known.memory)
}

// behave makes the directory misbehave for a day, as the remarks above its table say. Without remarks it behaves.
func (k *place) behave(t *testing.T, remarks []string) {
	t.Helper()
	k.memory.SetFault(nil)
	k.memory.SetTamper(nil)
	trouble := func(op string) error {
		return &directory.Error{Kind: directory.Retryable, Op: op, Directory: k.name, Err: errors.New("bad gateway")}
	}
	for _, remark := range remarks {
		ids, leavesOut := strings.CutPrefix(remark, "the listing leaves out ")
		switch {
		case leavesOut:
			left := strings.Split(ids, ", ")
			k.memory.SetTamper(func(_ directory.ListRequest, page *directory.AccountPage) {
				page.Accounts = slices.DeleteFunc(page.Accounts, func(a directory.Account) bool { return slices.Contains(left, a.ID) })
			})
		case remark == "each listing breaks off after the first of its two pages":
			first := k.memory.Calls(memory.OpListAccounts)
			k.memory.SetFault(func(op string, n int) error {
				if op == memory.OpListAccounts && (n-first)%2 == 0 {
					return trouble(op)
				}
				return nil
			})
		case remark == "nobody can be looked up":
			k.memory.SetFault(func(op string, _ int) error {
				if op == memory.OpGetAccount {
					return trouble(op)
				}
				return nil
			})
		default:
			t.Fatalf("%s: no such remark: %q", k.name, remark)
		}
	}
}

// fill makes the directory hold exactly the accounts of a table, as if somebody else had changed it. Whoever is in it
// already is left alone, so that revision and times stay.
func (k *place) fill(t *testing.T, rows table, now time.Time) {
	t.Helper()
	ids := make(map[string]string)
	for _, group := range k.memory.Groups() {
		ids[group.Name] = group.ID
	}
	var keep []string
	for _, row := range rows.rows {
		keep = append(keep, rows.cell(row, "id"))
	}
	old := make(map[string]string)
	for _, account := range k.memory.Accounts() {
		if !slices.Contains(keep, account.ID) {
			k.memory.Remove(account.ID)
		}
		old[account.ID] = fmt.Sprint(k.cells(account))
	}
	var changed []directory.Account
	for _, row := range rows.rows {
		account := rows.account(t, row, ids)
		if old[account.ID] != fmt.Sprint(k.cells(account)) {
			changed = append(changed, account)
		}
	}
	for _, account := range changed { // first out of each other's way, then to the new values
		if _, ok := k.memory.Account(account.ID); ok {
			k.memory.Edit(account.ID, func(a *directory.Account) { a.Attributes = nil })
		}
	}
	for _, account := range changed {
		at, ok := account.Attributes[directory.UpdatedAt].AsTime()
		if !ok {
			at = now
		}
		k.shown(at)
		k.memory.Put(account)
		k.memory.Edit(account.ID, func(a *directory.Account) { a.Status = account.Status }) // Put takes unknown for active
	}
	k.shown(now)
}

// cells returns an account as a row of a table shows it.
func (k *place) cells(account directory.Account) map[string]string {
	names := make(map[string]string)
	for _, group := range k.memory.Groups() {
		names[group.ID] = group.Name
	}
	cells := map[string]string{"id": account.ID, "status": account.Status.String(), "problem": account.Problem, "read-only": account.ReadOnly}
	for name, value := range account.Attributes {
		if name != directory.CreatedAt && (name != directory.UpdatedAt || k.keepsTime) {
			cells[name] = value.String()
		}
	}
	var groups []string
	for _, id := range account.Groups {
		groups = append(groups, names[id])
	}
	slices.Sort(groups)
	cells["groups"] = strings.Join(groups, ", ")
	for name, cell := range cells {
		if cell == "" {
			delete(cells, name)
		}
	}
	return cells
}

// table returns what the directory holds now. Groups that were made since the beginning are named above it.
func (k *place) table() string {
	var rows []map[string]string
	for _, account := range k.memory.Accounts() {
		rows = append(rows, k.cells(account))
	}
	text := formatTable(rows)
	for _, group := range k.memory.Groups() {
		if !slices.Contains(k.groups, group.Name) {
			text = "new group: " + group.Name + "\n" + text
		}
	}
	return text
}
