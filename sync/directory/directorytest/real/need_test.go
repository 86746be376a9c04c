package real

import (
	"runtime"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// verdict is a test that remembers how it ended.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()      {}
func (v *verdict) Name() string { return "TestX" }

func (v *verdict) Skip(words ...any) {
	v.skipped = words[0].(string)
	runtime.Goexit()
}

func (v *verdict) Fatal(words ...any) {
	v.failed = words[0].(string)
	runtime.Goexit()
}

func TestAMissingServerSkipsLocallyAndFailsUnderCI(t *testing.T) {
	for _, c := range []struct {
		name, ci, value, reason string
		skipped, failed         string
	}{
		{name: "there", ci: "true", value: "http://127.0.0.1:1"},
		{name: "not started", skipped: "run make test"},
		{name: "not started under CI", ci: "true", failed: "run make test"},
		{name: "could not be started", reason: "the disk is full", skipped: "TestX needs a real server: the disk is full"},
		{name: "could not be started under CI", ci: "1", reason: "the disk is full", failed: "the disk is full"},
		{name: "CI is off", ci: "false", skipped: "is not set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CI", c.ci)
			t.Setenv(rig.KeycloakVariable, c.value)
			t.Setenv(rig.KeycloakVariable+rig.MissingSuffix, c.reason)
			v := &verdict{}
			var got string
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				got = need(v, rig.KeycloakVariable)
			}()
			<-ended
			if got != c.value {
				t.Errorf("got %q", got)
			}
			if (v.skipped == "") != (c.skipped == "") || !strings.Contains(v.skipped, c.skipped) {
				t.Errorf("skipped because %q, want %q", v.skipped, c.skipped)
			}
			if (v.failed == "") != (c.failed == "") || !strings.Contains(v.failed, c.failed) {
				t.Errorf("failed because %q, want %q", v.failed, c.failed)
			}
		})
	}
}
