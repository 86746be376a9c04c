// Package store is the embedded user store: accounts and groups in one SQLite file, for sites that have no user database of
// their own, for trying Rollcall out, and as a stand-in for a CMS. It has every power of the directory contract.
//
// Files: store.go (type, options, description), open.go (the file, its schema, its locks), read.go and groups.go and
// write.go (the powers), record.go (one row to one account and back), errors.go (SQLite's codes in words), check.go.
package store

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// The options' names.
const (
	optionPath       = "path"
	optionPrivileged = "privileged_groups"
	optionBusy       = "busy_timeout"
	optionPageSize   = "page_size"
)

const (
	typeName    = "store"
	bulkSize    = 500
	mostPerPage = 10_000
	readers     = 4
)

// Type describes the store to configurations.
var Type = directory.Type{
	Name:    typeName,
	Title:   "Embedded store",
	Summary: "Accounts and groups in one SQLite file beside the configuration; needs no server.",
	Options: []directory.Option{
		{
			Name: optionPath, Type: directory.OptionPath, Default: "people.db", Example: "/var/lib/rollcall/people.db", Ask: true,
			Doc: "The file that holds the accounts; it is made by the first write, readable for its owner alone.",
		},
		{
			Name: optionPrivileged, Type: directory.OptionList, Example: "[Administrators]",
			Doc: "Names of groups whose members, nested ones included, are privileged and never written.",
		},
		{
			Name: optionBusy, Type: directory.OptionDuration, Default: "10s",
			Doc: "How long to wait while another program has the file locked.",
		},
		{
			Name: optionPageSize, Type: directory.OptionInt, Default: "1000",
			Doc: "Accounts read at once, 1 to 10000; more is faster and takes more memory.",
		},
	},
	Attributes: specs(),
	Open:       open,
}

// specs is the whole vocabulary: an account can hold all of it.
func specs() []directory.AttributeSpec {
	var all []directory.AttributeSpec
	for _, name := range directory.Vocabulary() {
		spec := directory.AttributeSpec{Name: name, Kind: directory.VocabularyKind(name), Writable: true}
		switch name {
		case directory.ID, directory.Active:
			continue
		case directory.Username:
			spec.Required, spec.Unique, spec.FoldCase, spec.Searchable, spec.MaxLength = true, true, true, true, 255
			spec.Doc = "the name to sign in with; case does not count"
		case directory.Email:
			spec.Unique, spec.FoldCase, spec.Searchable, spec.MaxLength = true, true, true, 254
			spec.Doc = "the e-mail address; case does not count"
		case directory.EmployeeID:
			spec.Searchable = true
		case directory.CreatedAt:
			spec.Writable, spec.Doc = false, "when the account was made here"
		case directory.UpdatedAt:
			spec.Writable, spec.Doc = false, "when it was last changed here"
		}
		all = append(all, spec)
	}
	return all
}

// Directory is one opened store. It is safe for concurrent use; several processes may share the file.
type Directory struct {
	desc       directory.Description
	path       string
	busy       time.Duration
	privileged []string // keys of names
	now        func() time.Time
	log        *slog.Logger
	requests   atomic.Int64

	mu     sync.Mutex // guards the fields below while the file is opened
	closed bool
	writer *sql.DB // one connection: SQLite has one writer
	reader *sql.DB
	empty  *sql.DB // what is read as long as there is no file
}

var _ interface {
	directory.Full
	directory.BulkCreator
} = (*Directory)(nil)

// open checks the options. The file is opened by the first call that needs it, and made by the first that
// writes.
func open(settings directory.Settings) (directory.Directory, error) {
	path := settings.Text(optionPath)
	if path == "" {
		return nil, &directory.OptionError{Option: optionPath, Message: "is empty; name a file, for example people.db"}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, &directory.OptionError{Option: optionPath, Message: err.Error()}
	}
	busy := settings.Duration(optionBusy)
	if busy < 0 || busy > time.Hour {
		return nil, &directory.OptionError{Option: optionBusy, Message: "must be between 0s and 1h"}
	}
	size := settings.Int(optionPageSize)
	if size < 1 || size > mostPerPage {
		return nil, &directory.OptionError{Option: optionPageSize, Message: "must be between 1 and 10000"}
	}
	d := &Directory{path: path, busy: busy, now: settings.Now, log: settings.Logger()}
	if d.now == nil {
		d.now = time.Now
	}
	for _, name := range settings.List(optionPrivileged) {
		d.privileged = append(d.privileged, fold(name))
	}
	d.desc = directory.Description{
		Type: typeName, Name: settings.Name, Identity: "store:" + path,
		Attributes: specs(), OpenAttributes: true, GroupsInline: true,
		PageSize: size, ReadConcurrency: readers, WriteConcurrency: 1, BulkSize: bulkSize,
	}
	return d, nil
}

// Describe tells what the store can hold.
func (d *Directory) Describe() directory.Description {
	desc := d.desc
	desc.Attributes = specs()
	return desc
}

// Requests counts the calls that went to the file.
func (d *Directory) Requests() int64 { return d.requests.Load() }
