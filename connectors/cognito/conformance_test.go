package cognito

import (
	"fmt"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
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
