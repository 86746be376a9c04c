package directory_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestFindingsCarryTheRemedyOfAnErrorApart(t *testing.T) {
	var f directory.Findings
	f.OK("connection", "signed in")
	f.Warn("mails", "a mail is sent", "switch it off")
	f.Failed("users", &directory.Error{Kind: directory.Auth, Op: "list accounts", Directory: "staff", Err: errors.New("refused"), Remedy: "grant view-users"}, "try again")
	f.Failed("groups", errors.New("hung up"), "try again")
	want := directory.Findings{
		{Level: directory.LevelOK, Subject: "connection", Message: "signed in"},
		{Level: directory.LevelWarning, Subject: "mails", Message: "a mail is sent", Remedy: "switch it off"},
		{Level: directory.LevelError, Subject: "users", Message: "refused", Remedy: "grant view-users"},
		{Level: directory.LevelError, Subject: "groups", Message: "hung up", Remedy: "try again"},
	}
	if difference := cmp.Diff(want, f); difference != "" {
		t.Error(difference)
	}
}

func TestAnErrorIsLocated(t *testing.T) {
	inner := &directory.Error{Kind: directory.Auth, Op: "sign in", Directory: "x", Record: "y", Err: errors.New("refused"), Remedy: "renew it"}
	err := directory.Located(inner, "list accounts", "", "staff")
	if want := "staff: list accounts: cannot sign in: refused - renew it"; err.Error() != want || !errors.Is(err, directory.Auth) {
		t.Errorf("%q, want %q", err, want)
	}
	if inner.Op != "sign in" || inner.Directory != "x" {
		t.Errorf("the error itself was changed: %+v", inner)
	}
	bare := errors.New("hung up")
	if err := directory.Located(bare, "get account", "7", "staff"); !errors.Is(err, directory.Retryable) || !errors.Is(err, bare) {
		t.Errorf("%v", err)
	}
}
