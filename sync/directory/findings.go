package directory

import "errors"

// Findings collects the lines of a check.
type Findings []Finding

// OK adds what is as it should be.
func (f *Findings) OK(subject, message string) {
	*f = append(*f, Finding{Level: LevelOK, Subject: subject, Message: message})
}

// Warn adds what an administrator should know.
func (f *Findings) Warn(subject, message, remedy string) {
	*f = append(*f, Finding{Level: LevelWarning, Subject: subject, Message: message, Remedy: remedy})
}

// Fault adds what would make a sync fail.
func (f *Findings) Fault(subject, message, remedy string) {
	*f = append(*f, Finding{Level: LevelError, Subject: subject, Message: message, Remedy: remedy})
}

// Failed turns the error of a question into a finding, without what the subject says already. The remedy is for an error that
// brings none.
func (f *Findings) Failed(subject string, err error, remedy string) {
	var e *Error
	if errors.As(err, &e) {
		short := *e
		short.Directory, short.Op, short.Record, short.Remedy = "", "", "", ""
		err = &short
		if e.Remedy != "" {
			remedy = e.Remedy
		}
	}
	f.Fault(subject, err.Error(), remedy)
}
