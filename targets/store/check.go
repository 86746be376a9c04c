package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Check opens the file, looks it over and, where accounts will be written, takes and returns the lock for writing. A file
// that does not exist is not made.
func (d *Directory) Check(ctx context.Context, request directory.CheckRequest) ([]directory.Finding, error) {
	n, err := d.CountAccounts(ctx)
	if err != nil {
		return d.finding(ctx, "file", err)
	}
	exists, err := d.exists()
	if err != nil {
		return d.finding(ctx, "file", d.explain("check", "", err))
	}
	found := directory.Finding{Level: directory.LevelOK, Subject: "file", Message: fmt.Sprintf("%s holds %d accounts", d.path, n)}
	steps := []func(context.Context) ([]directory.Finding, error){d.checkMode, d.checkHealth, d.checkGroups}
	writing := d.checkLock
	if !exists {
		found.Message = d.path + " does not exist yet; the first write makes it"
		steps, writing = steps[2:], d.checkFolder
	}
	if request.Write {
		steps = append(steps, writing)
	}
	findings := []directory.Finding{found}
	for _, step := range steps {
		found, err := step(ctx)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	for _, name := range request.Attributes {
		if !directory.IsAttributeName(name) {
			findings = append(findings, directory.Finding{
				Level: directory.LevelError, Subject: name, Message: "the store has no attribute " + name,
				Remedy: "use a name of the vocabulary, or " + directory.CustomPrefix + name,
			})
		}
	}
	return findings, nil
}

// finding tells of an error that an administrator can do something about; anything else stays an error.
func (d *Directory) finding(ctx context.Context, subject string, err error) ([]directory.Finding, error) {
	var e *directory.Error
	if ctx.Err() != nil || !errors.As(err, &e) || e.Remedy == "" {
		return nil, err
	}
	return []directory.Finding{{Level: directory.LevelError, Subject: subject, Message: e.Err.Error(), Remedy: e.Remedy}}, nil
}

// checkMode looks who may read the file. Windows keeps that elsewhere.
func (d *Directory) checkMode(context.Context) ([]directory.Finding, error) {
	info, err := os.Stat(d.path)
	if err != nil {
		return nil, d.explain("check", "", err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil, nil
	}
	return []directory.Finding{{
		Level: directory.LevelWarning, Subject: "permissions",
		Message: fmt.Sprintf("others may read %s (mode %04o)", d.path, info.Mode().Perm()), Remedy: "run: chmod 600 " + d.path,
	}}, nil
}

// checkHealth lets SQLite look for damage.
func (d *Directory) checkHealth(ctx context.Context) ([]directory.Finding, error) {
	var verdict string
	err := d.read(ctx, "check", "", func(ctx context.Context, q queryer) error {
		return q.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	})
	if err != nil {
		return d.finding(ctx, "health", err)
	}
	if verdict == "ok" {
		return nil, nil
	}
	return []directory.Finding{{
		Level: directory.LevelError, Subject: "health", Message: "the file is damaged: " + verdict, Remedy: "restore " + d.path + " from a backup",
	}}, nil
}

// checkGroups looks for privileged groups that do not exist, which protect nobody.
func (d *Directory) checkGroups(ctx context.Context) ([]directory.Finding, error) {
	var missing []string
	err := d.read(ctx, "check", "", func(ctx context.Context, q queryer) (err error) {
		missing, err = texts(ctx, q, "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT name_key FROM groups)", jsonTexts(d.privileged))
		return err
	})
	if err != nil {
		return d.finding(ctx, optionPrivileged, err)
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return []directory.Finding{{
		Level: directory.LevelWarning, Subject: optionPrivileged, Message: "there is no group " + strings.Join(missing, ", "),
		Remedy: "correct the name, or create the group, so that it protects its members",
	}}, nil
}

// checkLock takes the lock that a write needs.
func (d *Directory) checkLock(ctx context.Context) ([]directory.Finding, error) {
	err := d.write(ctx, "check", "", func(context.Context, *sql.Tx) error { return nil })
	if err != nil {
		return d.finding(ctx, "writing", err)
	}
	return []directory.Finding{{Level: directory.LevelOK, Subject: "writing", Message: "the file can be written"}}, nil
}

// checkFolder tries whether the file can be made, with one of another name.
func (d *Directory) checkFolder(ctx context.Context) ([]directory.Finding, error) {
	probe, err := os.CreateTemp(filepath.Dir(d.path), "."+filepath.Base(d.path)+".*.tmp")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return d.finding(ctx, "writing", d.explain("check", "", err))
	}
	return []directory.Finding{{Level: directory.LevelOK, Subject: "writing", Message: "the file can be made"}}, nil
}
