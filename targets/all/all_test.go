package all_test

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/targets/all"
)

func TestEachTypeIsDeclaredWell(t *testing.T) {
	directorytest.Types(t, all.Types())
}
