package users

import (
	"errors"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Report collects the findings of a check.
type Report []directory.Finding

// OK adds what is as it should be.
func (r *Report) OK(subject, message string) {
	*r = append(*r, directory.Finding{Level: directory.LevelOK, Subject: subject, Message: message})
}

// Warn adds what an administrator should know.
func (r *Report) Warn(subject, message, remedy string) {
	*r = append(*r, directory.Finding{Level: directory.LevelWarning, Subject: subject, Message: message, Remedy: remedy})
}

// Fault adds what would make a sync fail.
func (r *Report) Fault(subject, message, remedy string) {
	*r = append(*r, directory.Finding{Level: directory.LevelError, Subject: subject, Message: message, Remedy: remedy})
}

// Failed turns the error of a question into a finding. The remedy is for an error that brings none.
func (r *Report) Failed(subject string, err error, remedy string) {
	var e *directory.Error
	if errors.As(err, &e) {
		short := *e
		short.Directory, short.Op, short.Record, short.Remedy = "", "", "", ""
		err = &short
		if e.Remedy != "" {
			remedy = e.Remedy
		}
	}
	r.Fault(subject, err.Error(), remedy)
}
