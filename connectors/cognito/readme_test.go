package cognito

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/optiondoc/optiondoctest"
)

func TestOptionsAreInTheReadme(t *testing.T) {
	optiondoctest.Check(t, Type, "README.md")
}
