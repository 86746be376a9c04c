package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Check reads the whole file and says how it was understood.
func (s *store) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	var report report
	err := s.read(ctx, func(x *index, text textReader) error {
		report = nil
		report.content(x)
		report.columns(x, request)
		return report.people(ctx, x, text)
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, s.fail("check", "", err)
		}
		var e *directory.Error
		errors.As(s.fail("read", "", err), &e)
		report = nil
		report.add(directory.LevelError, "file", e.Record+": "+e.Err.Error(), e.Remedy)
		return report, nil
	}
	if request.Write {
		report.writing(s.options)
	}
	return report, nil
}

// report collects findings.
type report []directory.Finding

func (r *report) add(level directory.Level, subject, message, remedy string) {
	*r = append(*r, directory.Finding{Level: level, Subject: subject, Message: message, Remedy: remedy})
}

func (r *report) ok(subject, format string, args ...any) {
	r.add(directory.LevelOK, subject, fmt.Sprintf(format, args...), "")
}

// content says what kind of file it is.
func (r *report) content(x *index) {
	kind := strings.ToUpper(x.options.format)
	if g, ok := x.grammar.(*csvGrammar); ok {
		for _, separator := range separators {
			if separator.char == g.delimiter {
				kind += " with " + separator.name
			}
		}
		if g.empty > 0 {
			r.ok("rows", "%d rows without any value were passed over", g.empty)
		}
	}
	r.ok("file", "%s in %s, %d accounts", kind, x.encoding, len(x.rows))
	if x.guessed {
		r.add(directory.LevelWarning, "encoding", "the text is not UTF-8 and was read as "+x.encoding+", which gives plausible text",
			"save the file as UTF-8, or set encoding: "+x.encoding+" if names look right")
	}
	if x.doubt != "" {
		r.add(directory.LevelWarning, "rows", x.doubt, x.remedy+"; until then nobody loses access because of it")
	}
}

// columns says what each column was taken for.
func (r *report) columns(x *index, request directory.CheckRequest) {
	if x.id >= 0 {
		r.ok("id", "accounts are told apart by the column %s; its values must never change or be given to another person", x.columns[x.id].header)
	}
	var known, custom []string
	for i, c := range x.columns {
		switch {
		case i == x.layout.groups || c.attribute == directory.ID || c.attribute == directory.Active:
		case strings.HasPrefix(c.attribute, directory.CustomPrefix):
			custom = append(custom, c.attribute)
		default:
			known = append(known, c.attribute+" from "+c.header)
		}
	}
	if len(known) > 0 {
		r.ok("columns", "%s", strings.Join(known, ", "))
	}
	if len(custom) > 0 {
		r.ok("columns", "kept under names of their own: %s", strings.Join(custom, ", "))
	}
	if x.active < 0 {
		r.add(directory.LevelWarning, "active", "no column says who may sign in, so that everybody in the file counts as active",
			"set active_column, unless leavers are taken out of the file")
	} else {
		r.ok("active", "the column %s says who may sign in", x.columns[x.active].header)
	}
	if x.layout.groups < 0 {
		r.ok("groups", "no column %s, so that the groups of the accounts are not known", x.options.groupsColumn)
	} else {
		r.ok("groups", "the column %s names %d groups", x.columns[x.layout.groups].header, len(x.groups))
	}
	for _, name := range request.Attributes {
		if name == directory.ID || name == directory.Active || x.options.format != formatCSV || x.attributeColumn(name) >= 0 {
			continue
		}
		r.add(directory.LevelError, "columns", "the rules use "+name+", for which the file has no column",
			"add the column, name it under columns, or take "+name+" out of the rules")
	}
}

// people counts the records that cannot be used.
func (r *report) people(ctx context.Context, x *index, text textReader) error {
	count, first := 0, ""
	for from := 0; from < len(x.rows); from += pageSize {
		if err := ctx.Err(); err != nil {
			return err
		}
		accounts, err := x.accounts(text, from, min(from+pageSize, len(x.rows)))
		if err != nil {
			return err
		}
		for _, account := range accounts {
			if account.Problem == "" {
				continue
			}
			if count++; first == "" {
				first = account.Problem
			}
		}
	}
	if count > 0 {
		r.add(directory.LevelWarning, "rows", fmt.Sprintf("%d accounts have a problem and are left alone, the first on %s", count, first),
			"correct them in the file, or name the spellings under active_values and inactive_values")
	}
	return nil
}

// writing says whether the file could be replaced now.
func (r *report) writing(o *options) {
	if !o.writable {
		r.add(directory.LevelError, "writing", "the syncs write to this file, and it is read only", "set writable: true, or turn writing off in the sync")
		return
	}
	path, err := filepath.EvalSymlinks(o.path)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		r.add(directory.LevelError, "writing", "no new file can be made beside it: "+err.Error(), "let the account that runs Rollcall write to the folder")
		return
	}
	r.ok("writing", "the folder can be written to")
}
