// Package file is the directory that a file of people is: a CSV export of a personnel department, a JSON dump of another
// system, one JSON object per line. It reads with bounded memory, says exactly what is wrong with a broken file, and takes
// a file that is not whole for no answer at all, because a list that ends too early looks like a list of leavers.
//
// Where the configuration allows it the file is written, too. Each write replaces the file in one step, keeps every byte
// that it was not asked to change, and refuses when somebody else changed the file since it was read.
package file

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Type is what a configuration names "file".
var Type = directory.Type{
	Name: "file", Title: "CSV or JSON file",
	Summary:    "People from a CSV, JSON or JSON Lines file, and back into it where it is writable.",
	Options:    declared(),
	Attributes: vocabulary(),
	Open:       open,
}

// store is an opened file.
type store struct {
	options     *options
	description directory.Description
	now         func() time.Time
	sleep       func(ctx context.Context, d time.Duration) error

	mu      sync.Mutex // guards index and written
	index   *index
	written identity // of the state that this directory wrote itself

	commitMu sync.Mutex // one rewrite at a time
	queueMu  sync.Mutex // guards queue
	queue    []*edit

	made sync.Map // groups created since Open, by id
	gone sync.Map // ids of records removed since Open
}

func (s *store) removed(id string) bool {
	_, ok := s.gone.Load(id)
	return ok
}

// open checks the options and looks at the columns, where the file is there already. What is wrong with the file is said
// when it is read, so that a schedule may start before the first export has arrived.
func open(settings directory.Settings) (directory.Directory, error) {
	o, err := parse(settings)
	if err != nil {
		return nil, err
	}
	s := &store{options: o, now: settings.Now, sleep: settings.Sleep}
	if s.now == nil {
		s.now = time.Now
	}
	if s.sleep == nil {
		s.sleep = pause
	}
	columns := peekColumns(o)
	s.describe(columns)
	return s.powers(columns), nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// peekColumns returns the layout of the file, nil where it cannot be told now.
func peekColumns(o *options) *layout {
	d, err := openDocument(o)
	if err != nil {
		return nil
	}
	defer d.Close()
	g := o.grammar()
	columns, err := g.discover(d.text())
	if err != nil {
		return nil
	}
	line := 0
	if csv, ok := g.(*csvGrammar); ok {
		line = csv.headerLine
	}
	l, err := arrange(columns, o, line)
	if err != nil {
		return nil
	}
	l.open(o)
	if j, ok := g.(*jsonGrammar); ok {
		l.kinds = j.kinds
	}
	return &l
}

// describe fills in the description, which never changes afterwards.
func (s *store) describe(l *layout) {
	path, err := filepath.Abs(s.options.path)
	if err != nil {
		path = s.options.path
	}
	s.description = directory.Description{
		Type: "file", Name: s.options.name, Identity: "file:" + filepath.ToSlash(path),
		OpenAttributes: l == nil || s.options.format != formatCSV,
		NoStatus:       l != nil && l.active < 0 && s.options.format == formatCSV,
		GroupsInline:   l == nil || l.groups >= 0,
		PageSize:       pageSize, ReadConcurrency: 4,
	}
	if s.options.writable {
		s.description.WriteConcurrency, s.description.BulkSize = 32, 1000
	}
	if l == nil || s.options.format != formatCSV {
		s.description.Attributes = vocabulary()
	}
	s.columnSpecs(l)
	for i := range s.description.Attributes {
		spec := &s.description.Attributes[i]
		if !s.options.writable {
			spec.Writable, spec.CreateOnly, spec.Required = false, false, false
		}
	}
}

// columnSpecs describes the attributes of the file's columns.
func (s *store) columnSpecs(l *layout) {
	if l == nil {
		return
	}
	for i, c := range l.columns {
		if c.attribute == directory.ID || c.attribute == directory.Active || i == l.groups {
			continue
		}
		spec := directory.AttributeSpec{
			Name: c.attribute, Kind: directory.VocabularyKind(c.attribute), Writable: true, FoldCase: folds(c.attribute), Searchable: true,
			Doc: "The column " + c.header + ".",
		}
		if strings.HasPrefix(c.attribute, directory.CustomPrefix) {
			spec.Kind = l.kindOf(c)
		}
		if i == l.id {
			spec.Writable, spec.CreateOnly, spec.Required, spec.Unique = false, true, true, true
		}
		at := slices.IndexFunc(s.description.Attributes, func(have directory.AttributeSpec) bool { return have.Name == spec.Name })
		if at >= 0 {
			s.description.Attributes[at] = spec
		} else {
			s.description.Attributes = append(s.description.Attributes, spec)
		}
	}
}

// kindOf is the kind of a custom attribute, as its values show.
func (l *layout) kindOf(c column) directory.Kind {
	switch {
	case c.list || l.kinds[c.header] == "list":
		return directory.KindList
	case l.kinds[c.header] == "bool":
		return directory.KindBool
	case l.kinds[c.header] == "number":
		return directory.KindNumber
	default:
		return directory.KindText
	}
}

// vocabulary describes all attributes that a file can have.
func vocabulary() []directory.AttributeSpec {
	var specs []directory.AttributeSpec
	for _, name := range directory.Vocabulary() {
		if name == directory.ID || name == directory.Active {
			continue
		}
		specs = append(specs, directory.AttributeSpec{
			Name: name, Kind: directory.VocabularyKind(name), Writable: true, FoldCase: folds(name), Searchable: true,
			Doc: "The column " + name + ", or another of its spellings.",
		})
	}
	return specs
}

// folds reports whether people write the attribute's values in any case and mean the same.
func folds(attribute string) bool {
	return attribute == directory.Username || attribute == directory.Email
}

// groupReader is the power to list groups.
type groupReader struct{ s *store }

// ListGroups returns the groups of all records.
func (r groupReader) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	return r.s.listGroups(ctx, request)
}

// powers puts together what this file can do. A file that is not writable has no method that writes.
func (s *store) powers(l *layout) directory.Directory {
	status, groups := l == nil || l.active >= 0, l == nil || l.groups >= 0
	if !s.options.writable {
		if groups {
			return struct {
				*store
				groupReader
			}{s, groupReader{s}}
		}
		return s
	}
	w := writer{s}
	switch {
	case status && groups:
		return struct {
			*store
			groupReader
			writer
			statusWriter
			groupWriter
		}{s, groupReader{s}, w, statusWriter{s}, groupWriter{s}}
	case status:
		return struct {
			*store
			writer
			statusWriter
		}{s, w, statusWriter{s}}
	case groups:
		return struct {
			*store
			groupReader
			writer
			groupWriter
		}{s, groupReader{s}, w, groupWriter{s}}
	default:
		return struct {
			*store
			writer
		}{s, w}
	}
}

// Describe tells what the file was when it was opened.
func (s *store) Describe() directory.Description { return s.description }

// Close has nothing to release: the file is open only while it is read.
func (s *store) Close() error { return nil }
