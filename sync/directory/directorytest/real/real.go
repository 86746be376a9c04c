// Package real gives tests real servers: Keycloak realms, WordPress sites and user pools of a server that plays Amazon Cognito,
// each fresh, each gone when its test ends.
// The servers themselves are started beforehand, once for many test programs:
//
//	go run ./sync/directory/directorytest/real/start -- go test ./targets/wordpress
//
// Where a server is not there, the test is skipped with the reason; under CI=true it fails instead, so that a green run
// means that everything was tried.
package real

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// need returns the value of a variable that the starter sets, or ends the test with the reason why it is not set.
func need(t testing.TB, variable string) string {
	t.Helper()
	if value := os.Getenv(variable); value != "" {
		return value
	}
	reason := os.Getenv(variable + rig.MissingSuffix)
	if reason == "" {
		reason = variable + " is not set; run make test, or put " +
			"\"go run ./sync/directory/directorytest/real/start --\" before the command"
	}
	reason = fmt.Sprintf("%s needs a real server: %s", t.Name(), reason)
	if strict, err := strconv.ParseBool(os.Getenv("CI")); err == nil && strict {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}
