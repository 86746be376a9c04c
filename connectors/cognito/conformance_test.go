package cognito

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// quirks are what Cognito does otherwise.
var quirks = []directorytest.Quirk{
	{Check: directorytest.Clear, Attribute: directory.EmailVerified, Reason: "email_verified is true or false; without it the address counts as unverified"},
	{Check: directorytest.Derived, Attribute: directory.EmailVerified, Reason: "a new address is marked as the option verified_addresses says"},
	{Check: directorytest.Derived, Attribute: "custom.phone_number_verified", Reason: "so is a new number"},
}

// values replaces the suite's numbers: Cognito takes the form of E.164 alone.
var values = map[string][]directory.Value{
	directory.Phone: {directory.Text("+49301234567"), directory.Text("+12065550100")},
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, signIn := range []string{byUsername, byAlias, byEmail, byPhone} {
		t.Run(signIn, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, signIn)
			suite := directorytest.Suite{Quirks: quirks, Values: values, New: func(t testing.TB) directorytest.Place {
				return directorytest.Place{
					Directory: f.open(t, nil),
					Again:     func(t testing.TB) directory.Directory { return f.open(t, nil) },
				}
			}}
			if signIn == byAlias || signIn == byPhone { // where a number is one person's alone
				suite.Values = nil
			}
			suite.Account = account(signIn)
			directorytest.Run(t, suite)
		})
	}
}

// account returns what the nth account of a run is created with.
func account(signIn string) func(n int) directory.Attributes {
	return func(n int) directory.Attributes {
		attributes := directory.Attributes{
			directory.Email: directory.Text(fmt.Sprintf("rc-%04d@example.com", n)), directory.FirstName: directory.Text("Anna"), directory.LastName: directory.Text("Example"),
		}
		switch signIn {
		case byUsername:
			attributes[directory.Username] = directory.Text(fmt.Sprintf("rc-%04d", n))
		case byAlias:
			attributes[directory.Username] = directory.Text(fmt.Sprintf("rc-%04d", n))
			attributes[directory.Phone] = directory.Text(fmt.Sprintf("+4930%07d", n))
		case byPhone:
			attributes[directory.Phone] = directory.Text(fmt.Sprintf("+4930%07d", n))
		}
		return attributes
	}
}

// milder are the checks in which moto 5.2.5 takes what Cognito refuses; the fake above refuses it.
var milder = []directorytest.Quirk{
	{Check: directorytest.FoldedConflict, Attribute: directory.Username, Reason: "moto tells usernames apart by case, which pools do only when they were made so"},
	{Check: directorytest.FoldedConflict, Attribute: directory.Email, Reason: "moto tells addresses apart by case"},
}

func TestConformanceOfMoto(t *testing.T) {
	t.Parallel()
	server := real.Cognito(t)
	for _, signIn := range []string{byUsername, byEmail} {
		t.Run(signIn, func(t *testing.T) {
			t.Parallel()
			options := []real.PoolOption{real.WithCustomAttributes("rcFavouriteColour")}
			if signIn == byEmail {
				options = append(options, real.WithUsernameAttributes(email))
			}
			pool := server.Pool(t, options...)
			directorytest.Run(t, directorytest.Suite{
				Quirks: append(milder, quirks...), Values: values, Account: account(signIn), New: func(t testing.TB) directorytest.Place {
					return directorytest.Place{
						Directory: openMoto(t, pool, map[string]any{"sign_in": signIn}),
						Again: func(t testing.TB) directory.Directory {
							return openMoto(t, pool, map[string]any{"sign_in": signIn})
						},
					}
				},
			})
		})
	}
}

// openMoto opens a pool of moto.
func openMoto(t testing.TB, pool *real.UserPool, extra map[string]any) *Directory {
	t.Helper()
	values := map[string]any{"user_pool_id": pool.ID, "access_key_id": pool.AccessKeyID, "secret_access_key": pool.SecretAccessKey, "endpoint": pool.URL, "rate": 1000}
	maps.Copy(values, extra)
	s, faults := Type.Complete(directory.Settings{
		Name: "staff", Values: values, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	for _, fault := range faults {
		t.Fatal(fault)
	}
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

// A token of moto's names the user that follows, so that it is void when that user is gone.
func TestMotoPagesAndVoidsItsTokens(t *testing.T) {
	t.Parallel()
	pool := real.Cognito(t).Pool(t)
	pool.AddGroup("editors")
	people := real.People(1, 130)
	for i := range people {
		people[i].Attributes, people[i].Groups = nil, []string{"editors"}
	}
	pool.AddPeople(people...)
	d := openMoto(t, pool, nil)
	if all := list(t, d); len(all) != 130 || d.Requests() != 3 {
		t.Errorf("%d users in %d requests", len(all), d.Requests())
	}
	members, err := d.ListMembers(t.Context(), directory.MemberListRequest{Group: "editors"})
	if err != nil || len(members.Accounts) != 60 || members.Next == "" {
		t.Errorf("%d members, %v", len(members.Accounts), err)
	}
	page, err := d.ListAccounts(t.Context(), directory.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next, err := d.ListAccounts(t.Context(), directory.ListRequest{Cursor: page.Next})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.DeleteAccount(t.Context(), next.Accounts[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err = d.ListAccounts(t.Context(), directory.ListRequest{Cursor: page.Next})
	wants(t, err, directory.Retryable, "from the beginning")
}
