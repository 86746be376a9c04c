package memory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

func newPerson(name string) directory.CreateRequest {
	return directory.CreateRequest{Status: directory.StatusActive, Attributes: directory.Attributes{directory.Username: directory.Text(name)}}
}

func TestAroundDecidesWhatBecomesOfACall(t *testing.T) {
	refused := &directory.Error{Kind: directory.Auth, Err: errors.New("401")}
	for _, c := range []struct {
		name   string
		around func(do func() error) error
		kind   error // nil means success
		made   int
	}{
		{"lets it happen", func(do func() error) error { return do() }, nil, 1},
		{"refuses it before it happens", func(func() error) error { return refused }, directory.Auth, 0},
		{"loses the question", func(func() error) error { return memory.ErrLostAnswer }, directory.UnknownOutcome, 0},
		{"loses the answer", func(do func() error) error { return errors.Join(do(), memory.ErrLostAnswer) }, directory.UnknownOutcome, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := memory.New(memory.Options{Around: func(_ context.Context, call memory.Call, do func() error) error {
				if call.Op != memory.OpCreateAccount || call.Record != "anna" {
					t.Errorf("call %+v", call)
				}
				return c.around(do)
			}})
			_, err := d.CreateAccount(t.Context(), newPerson("anna"))
			if (c.kind == nil) != (err == nil) || (c.kind != nil && !errors.Is(err, c.kind)) {
				t.Errorf("error %v, want %v", err, c.kind)
			}
			if n := len(d.Accounts()); n != c.made {
				t.Errorf("%d accounts, want %d", n, c.made)
			}
		})
	}
}

func TestAroundSeesAndChangesAnswers(t *testing.T) {
	d := memory.New(memory.Options{Around: func(_ context.Context, call memory.Call, do func() error) error {
		err := do()
		switch answer := call.Answer.(type) {
		case *int:
			*answer--
		case *directory.AccountPage:
			answer.Accounts = answer.Accounts[1:]
		}
		return err
	}})
	d.Put(directory.Account{Attributes: newPerson("anna").Attributes}, directory.Account{Attributes: newPerson("bert").Attributes})
	n, err := d.CountAccounts(t.Context())
	page, listErr := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil || listErr != nil || n != 1 || len(page.Accounts) != 1 || page.Accounts[0].Label() != "bert" {
		t.Errorf("%d counted, %+v listed; %v, %v", n, page.Accounts, err, listErr)
	}
}

func TestRefusedRecordsDoNotStopTheOthersOfABulkCall(t *testing.T) {
	d := memory.New(memory.Options{Refuse: func(request directory.CreateRequest) error {
		if request.Attributes.Text(directory.Username) == "bert" {
			return &directory.Error{Kind: directory.Invalid, Err: errors.New("refused")}
		}
		return nil
	}})
	results, err := d.CreateAccounts(t.Context(), []directory.CreateRequest{newPerson("anna"), newPerson("bert"), newPerson("carl")})
	if err != nil || results[0].Err != nil || !errors.Is(results[1].Err, directory.Invalid) || results[2].Err != nil {
		t.Errorf("%+v, %v", results, err)
	}
	if n := len(d.Accounts()); n != 2 {
		t.Errorf("%d accounts, want 2", n)
	}
}

func TestSessionsShareTheContentAndNothingElse(t *testing.T) {
	d := memory.New(memory.Options{})
	other := d.Session(func(o *memory.Options) {
		o.Fault = memory.OnCall(memory.OpCountAccounts, 1, &directory.Error{Kind: directory.Throttled})
	})
	if _, err := other.CreateAccount(t.Context(), newPerson("anna")); err != nil {
		t.Fatal(err)
	}
	if n, err := d.CountAccounts(t.Context()); err != nil || n != 1 {
		t.Errorf("the first session counts %d, %v", n, err)
	}
	if _, err := other.CountAccounts(t.Context()); !errors.Is(err, directory.Throttled) {
		t.Errorf("the fault of the second session: %v", err)
	}
	if d.Requests() != 1 || other.Requests() != 2 {
		t.Errorf("%d and %d requests, want 1 and 2", d.Requests(), other.Requests())
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.CountAccounts(t.Context()); err != nil {
		t.Errorf("closing one session closed the other: %v", err)
	}
}
