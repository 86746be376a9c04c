package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// writer, statusWriter and groupWriter are the powers of a writable file. Which of them a directory has is settled at Open,
// so that a file without a column for the status is not asked to change it.
type (
	writer       struct{ s *store }
	statusWriter struct{ s *store }
	groupWriter  struct{ s *store }
)

// edit is one change asked for by one call.
type edit struct {
	ctx   context.Context
	apply func(b *batch) error
	done  bool
	err   error
}

// submit has a change made. Callers who come while a rewrite is under way are served together by the next one, so that
// many changes at once cost few rewrites.
func (s *store) submit(ctx context.Context, op, record string, apply func(b *batch) error) error {
	e := &edit{ctx: ctx, apply: apply}
	s.queueMu.Lock()
	s.queue = append(s.queue, e)
	s.queueMu.Unlock()

	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if !e.done {
		s.queueMu.Lock()
		waiting := s.queue
		s.queue = nil
		s.queueMu.Unlock()
		s.commit(waiting)
	}
	return s.fail(op, record, e.err)
}

// commit applies the edits in order and writes the file once.
func (s *store) commit(edits []*edit) {
	err := s.locked(edits, func(b *batch) error {
		for _, e := range edits {
			if e.err = e.ctx.Err(); e.err == nil {
				e.err = e.apply(b)
			}
		}
		return b.write(s)
	})
	for _, e := range edits {
		e.done = true
		if e.err == nil {
			e.err = err
		}
	}
}

// batch is one rewrite in the making.
type batch struct {
	x    *index // a copy that the edits may extend with columns
	d    *document
	text textReader
	// rows holds the records that change, nil for those that go.
	rows map[int][]byte
	// added are new records, with their ids.
	added    [][]byte
	addedIDs map[string]int
	gone     []string
}

// record returns the place of an account and what stands there now: row, or -1-n for the nth added one.
func (b *batch) record(s *store, id string) (place int, raw []byte, line int, err error) {
	if n, ok := b.addedIDs[id]; ok {
		return -1 - n, b.added[n], 0, nil
	}
	row, err := b.x.find(b.text, id)
	if err != nil {
		return 0, nil, 0, err
	}
	changed, touched := b.rows[row]
	if row < 0 || touched && changed == nil {
		return 0, nil, 0, s.absent(b.x, id)
	}
	if touched {
		return row, changed, int(b.x.rows[row].line), nil
	}
	raw, err = b.x.raw(b.text, row)
	return row, raw, int(b.x.rows[row].line), err
}

// put keeps a changed record.
func (b *batch) put(place int, raw []byte) {
	if place < 0 {
		b.added[-1-place] = raw
		return
	}
	b.rows[place] = raw
}

// wanted is what one edit asks of one record; nil and StatusUnknown leave alone.
type wanted struct {
	set    directory.Attributes
	status directory.Status
	groups []directory.Group
	// regroup is set where the groups are to become those of groups.
	regroup bool
}

// change edits one record and makes sure that what was asked for is what will be read.
func (b *batch) change(raw []byte, line int, changes []change, want wanted) ([]byte, directory.Account, error) {
	changed, err := b.x.grammar.edit(raw, b.x.columns, changes)
	if err != nil {
		return nil, directory.Account{}, err
	}
	if len(changed) > maxRecord {
		return nil, directory.Account{}, refused("", "write less into it", "the record would be longer than 16 MiB")
	}
	if _, err := fromUTF8(b.x.encoding, changed); err != nil {
		return nil, directory.Account{}, err
	}
	account, err := b.x.account(changed, line)
	if err != nil {
		return nil, account, err
	}
	return changed, account, want.kept(account)
}

// kept compares with what was asked for: what the format cannot hold is refused and never dropped or bent in silence.
func (w wanted) kept(account directory.Account) error {
	for _, name := range w.set.Names() {
		value, got := w.set[name], account.Attributes[name]
		if value.Equal(got) || value.String() == got.String() || strings.TrimSpace(value.String()) == got.String() {
			continue
		}
		message := "the file cannot hold this value of " + name
		if account.Problem != "" {
			message += ": " + account.Problem
		}
		return refused(name, "", "%s", message)
	}
	if w.status != directory.StatusUnknown && w.status != account.Status {
		return refused(directory.Active, "add the file's spellings to active_values and inactive_values", "the status %s would be read as %s", w.status, account.Status)
	}
	if !w.regroup {
		return nil
	}
	if len(w.groups) != len(account.Groups) || slices.ContainsFunc(w.groups, func(g directory.Group) bool { return !slices.Contains(account.Groups, g.ID) }) {
		return refused("", "set group_separator to something that no name holds", "the groups would be read as %q", account.Groups)
	}
	return nil
}

// UpdateAccount changes the cells that differ.
func (w writer) UpdateAccount(ctx context.Context, request directory.UpdateRequest) (directory.Account, error) {
	var account directory.Account
	err := w.s.submit(ctx, "update account", request.ID, func(b *batch) error {
		place, raw, line, err := b.record(w.s, request.ID)
		if err != nil {
			return err
		}
		if request.Revision != "" && request.Revision != revision(raw) {
			return &fault{kind: directory.Conflict, message: "the record was changed since it was read", remedy: "the next run starts from what it says now"}
		}
		changes, err := b.attributes(raw, line, request.Set, false)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			account, err = b.x.account(raw, line)
			return err
		}
		raw, account, err = b.change(raw, line, changes, wanted{set: request.Set})
		if err == nil {
			b.put(place, raw)
		}
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	return account, nil
}

// CreateAccount appends a record.
func (w writer) CreateAccount(ctx context.Context, request directory.CreateRequest) (directory.Account, error) {
	results, err := w.create(ctx, "create account", []directory.CreateRequest{request})
	if err != nil {
		return directory.Account{}, err
	}
	return results[0].Account, results[0].Err
}

// CreateAccounts appends records in one rewrite.
func (w writer) CreateAccounts(ctx context.Context, requests []directory.CreateRequest) ([]directory.CreateResult, error) {
	return w.create(ctx, "create accounts", requests)
}

func (w writer) create(ctx context.Context, op string, requests []directory.CreateRequest) ([]directory.CreateResult, error) {
	results := make([]directory.CreateResult, len(requests))
	err := w.s.submit(ctx, op, "", func(b *batch) error {
		for i, request := range requests {
			account, err := b.create(w.s, request)
			if err != nil {
				label := directory.Account{Attributes: request.Attributes}.Label()
				results[i] = directory.CreateResult{Err: w.s.fail("create account", label, err)}
				continue
			}
			results[i] = directory.CreateResult{Account: account}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// create makes one record.
func (b *batch) create(s *store, request directory.CreateRequest) (directory.Account, error) {
	if err := b.countable(); err != nil {
		return directory.Account{}, err
	}
	changes, err := b.attributes(nil, 0, request.Attributes, true)
	if err != nil {
		return directory.Account{}, err
	}
	idColumn := b.x.columns[b.x.id]
	id := request.Attributes.Text(idColumn.attribute)
	if b.x.options.trim {
		id = strings.TrimSpace(id)
	}
	switch {
	case idColumn.attribute == directory.ID:
		id = newID()
		changes = append(changes, change{b.x.id, id})
	case id == "":
		return directory.Account{}, refused(idColumn.attribute, "map it", "a new record needs %s, which is the id", idColumn.attribute)
	}
	_, _, _, err = b.record(s, id)
	var f *fault
	if err == nil {
		return directory.Account{}, &fault{kind: directory.Conflict, attribute: idColumn.attribute, message: "another record has this id"}
	} else if !errors.As(err, &f) || len(b.x.rows) > 0 && f.kind != directory.NotFound {
		return directory.Account{}, err
	}
	want := wanted{set: request.Attributes, status: request.Status}
	more, err := b.status(nil, 0, request.Status)
	if err != nil {
		return directory.Account{}, err
	}
	changes = append(changes, more...)
	if len(request.Groups) > 0 {
		if want.groups, want.regroup = nil, true; err == nil {
			more, err = b.regroup(s, nil, 0, &want, request.Groups, nil)
		}
		if err != nil {
			return directory.Account{}, err
		}
		changes = append(changes, more...)
	}
	raw, account, err := b.change(nil, 0, changes, want)
	if err != nil {
		return directory.Account{}, err
	}
	b.addedIDs[account.ID] = len(b.added)
	b.added = append(b.added, raw)
	return account, nil
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// countable refuses to change the number of records where the file states it elsewhere.
func (b *batch) countable() error {
	if g, ok := b.x.grammar.(*jsonGrammar); ok && (g.told >= 0 || g.more != "") {
		return &fault{
			kind: directory.Unsupported, message: "the file is a recorded answer that states its own number of accounts or a next page",
			remedy: "remove the keys totalResults, @odata.count, @odata.nextLink and nextPageToken from it",
		}
	}
	return nil
}

// DeleteAccount takes the record out of the file.
func (w writer) DeleteAccount(ctx context.Context, id string) error {
	return w.s.submit(ctx, "delete account", id, func(b *batch) error {
		place, _, _, err := b.record(w.s, id)
		if err != nil {
			return err
		}
		if err := b.countable(); err != nil {
			return err
		}
		if place < 0 {
			return &fault{kind: directory.Conflict, message: "the record was made in this very moment", remedy: "try again"}
		}
		b.rows[place] = nil
		b.gone = append(b.gone, id)
		return nil
	})
}

// SetStatus writes what the file writes for that status elsewhere.
func (w statusWriter) SetStatus(ctx context.Context, request directory.StatusRequest) (directory.Account, error) {
	var account directory.Account
	err := w.s.submit(ctx, "set status", request.ID, func(b *batch) error {
		place, raw, line, err := b.record(w.s, request.ID)
		if err != nil {
			return err
		}
		if request.Status == directory.StatusUnknown {
			return refused(directory.Active, "ask for active or inactive", "an unknown status cannot be set")
		}
		if account, err = b.x.account(raw, line); err != nil || account.Status == request.Status {
			return err
		}
		changes, err := b.status(raw, line, request.Status)
		if err != nil {
			return err
		}
		raw, account, err = b.change(raw, line, changes, wanted{status: request.Status})
		if err == nil {
			b.put(place, raw)
		}
		return err
	})
	if err != nil {
		return directory.Account{}, err
	}
	return account, nil
}

// ChangeGroups writes the cell of groups.
func (w groupWriter) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	return w.s.submit(ctx, "change groups", request.Account, func(b *batch) error {
		place, raw, line, err := b.record(w.s, request.Account)
		if err != nil {
			return err
		}
		want := wanted{regroup: true}
		changes, err := b.regroup(w.s, raw, line, &want, request.Add, request.Remove)
		if err != nil || len(changes) == 0 {
			return err
		}
		if raw, _, err = b.change(raw, line, changes, want); err == nil {
			b.put(place, raw)
		}
		return err
	})
}

// CreateGroup remembers the name until a record has it: a file of people has no other place for a group.
func (w groupWriter) CreateGroup(ctx context.Context, name string) (directory.Group, error) {
	group := directory.Group{ID: name, Name: name}
	err := w.s.read(ctx, func(x *index, _ textReader) error {
		csv, isCSV := x.grammar.(*csvGrammar)
		switch {
		case strings.TrimSpace(name) == "" || strings.TrimSpace(name) != name:
			return refused("", "give it a name without spaces around", "%q is no name of a group", name)
		case isCSV && strings.Contains(name, csv.split):
			return refused("", "set group_separator to something that no name holds", "the name of the group %q holds the separator", name)
		case slices.ContainsFunc(w.s.groups(x), func(have directory.Group) bool { return have.ID == name || have.Name == name }):
			return &fault{kind: directory.Conflict, message: "the group exists"}
		}
		return nil
	})
	if err != nil {
		return directory.Group{}, w.s.fail("create group", name, err)
	}
	if _, exists := w.s.made.LoadOrStore(name, group); exists {
		return directory.Group{}, w.s.fail("create group", name, &fault{kind: directory.Conflict, message: "the group exists"})
	}
	return group, nil
}
