package rules_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-sync/rollcall/sync/rules"
)

func TestAmountsAreReadAndAppliedAsPeopleMeanThem(t *testing.T) {
	for _, c := range []struct {
		text    string
		total   int
		allowed int
		limited bool
		again   string
	}{
		{"none", 50, 0, false, "none"},
		{"25", 50, 25, true, "25"},
		{"0", 50, 0, true, "0"},
		{"10%", 50, 5, true, "10%"},
		{"10%", 59, 5, true, "10%"},
		{"10 %", 9, 0, true, "10%"},
		{"2.5%", 1000, 25, true, "2.5%"},
		{"100%", 7, 7, true, "100%"},
		{"0%", 7, 0, true, "0%"},
		{" 3 ", 7, 3, true, "3"},
	} {
		amount, err := rules.ParseAmount(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		allowed, limited := amount.Of(c.total)
		if allowed != c.allowed || limited != c.limited {
			t.Errorf("%q of %d: got %d, %t, want %d, %t", c.text, c.total, allowed, limited, c.allowed, c.limited)
		}
		if amount.String() != c.again {
			t.Errorf("%q is written %q, want %q", c.text, amount, c.again)
		}
	}
}

func TestWhatIsNoAmountIsRefused(t *testing.T) {
	for _, text := range []string{"", "ten", "-1", "1.5", "101%", "-1%", "%", "NaN%", "Inf%", "10%%", "None", "1e3", "99999999999999999999"} {
		if amount, err := rules.ParseAmount(text); err == nil {
			t.Errorf("%q was read as %s", text, amount)
		}
	}
}

func TestAnAmountSurvivesItsTextAndJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.OneOf(
			rapid.Just(rules.Amount{Unlimited: true}),
			rapid.Map(rapid.IntRange(0, 1e9), func(n int) rules.Amount { return rules.Amount{Count: n} }),
			rapid.Map(rapid.Float64Range(0, 100), func(f float64) rules.Amount { return rules.Amount{Percent: true, Share: f + 0} }),
		).Draw(t, "amount")
		data, err := json.Marshal(amount)
		if err != nil {
			t.Fatal(err)
		}
		var again rules.Amount
		if err := json.Unmarshal(data, &again); err != nil || again != amount {
			t.Fatalf("%s became %s, %v", amount, again, err)
		}
	})
	var amount rules.Amount
	if err := json.Unmarshal([]byte(`"lots"`), &amount); err == nil {
		t.Error("JSON with a bad amount was read")
	}
}

func TestGracePeriods(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"never", 0, false},
		{"", 0, false},
		{"30d", 30 * 24 * time.Hour, true},
		{"12h", 12 * time.Hour, true},
		{"1h", time.Hour, true},
		{"36500d", 36500 * 24 * time.Hour, true},
	} {
		got, ok, err := rules.ParseGrace(c.text)
		if err != nil || got != c.want || ok != c.ok {
			t.Errorf("%q: got %v, %t, %v", c.text, got, ok, err)
		}
		if got, ok, err := (rules.Actions{Delete: c.text}).DeleteGrace(); err != nil || got != c.want || ok != c.ok {
			t.Errorf("actions with %q: got %v, %t, %v", c.text, got, ok, err)
		}
	}
	for _, text := range []string{"0d", "0h", "-1d", "30", "d", "1.5d", "30m", "now", "36501d", "1d12h", "Never"} {
		if got, ok, err := rules.ParseGrace(text); err == nil {
			t.Errorf("%q was read as %v, %t", text, got, ok)
		}
	}
}

// TestDefaultsAreTheCarefulOnes writes out what an administrator gets who says nothing.
func TestDefaultsAreTheCarefulOnes(t *testing.T) {
	data, err := json.Marshal(rules.NewSync("a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"a","Source":"b","Target":"c","Schedule":"","Timezone":"","Scope":"","Match":["email","username"],` +
		`"Attributes":null,"Groups":null,"GroupOptions":{"Mirror":null,"Prefix":"","Create":false,"Exact":false,"Nested":false},` +
		`"Actions":{"Create":true,"Update":true,"Activate":true,"Deactivate":true,"Delete":"never","Link":"verified","OutOfScope":"deactivate",` +
		`"MissingInTarget":"report","DeactivatedElsewhere":"respect","Rehire":"report"},` +
		`"Writeback":{"Create":false,"Update":true,"Deactivate":false,"Groups":false,"Scope":""},` +
		`"Limits":{"Removals":"10%","RemovalsFloor":3,"Creations":"none","Updates":"none"},"Protect":null,"Examples":null}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	first := rules.NewSync("a", "b", "c")
	first.Match[0] = "employee_id"
	if second := rules.NewSync("a", "b", "c"); second.Match[0] != "email" {
		t.Errorf("a change of one sync changed the default to %s", second.Match[0])
	}
}

func TestTheFingerprintTellsWhetherTheRulesChanged(t *testing.T) {
	base := rules.NewSync("a", "b", "c")
	base.Attributes = []rules.Attribute{{Target: "email", From: "email"}, {Target: "username", From: "username"}}
	again := rules.NewSync("a", "b", "c")
	again.Attributes = slices.Clone(base.Attributes)
	if base.Fingerprint() != again.Fingerprint() || len(base.Fingerprint()) != 32 {
		t.Fatalf("the same sync has %q and %q", base.Fingerprint(), again.Fingerprint())
	}
	for name, change := range map[string]func(*rules.Sync){
		"schedule": func(s *rules.Sync) { s.Schedule = "@daily" },
		"timezone": func(s *rules.Sync) { s.Timezone = "UTC" },
		"limits":   func(s *rules.Sync) { s.Limits.RemovalsFloor = 9 },
		"examples": func(s *rules.Sync) { s.Examples = []rules.Example{{Given: map[string]any{"email": "a@example.com"}}} },
	} {
		changed := base
		change(&changed)
		if changed.Fingerprint() != base.Fingerprint() {
			t.Errorf("%s decides nothing about accounts and changed the fingerprint", name)
		}
	}
	seen := map[string]string{base.Fingerprint(): "the sync as it was"}
	for name, change := range map[string]func(*rules.Sync){
		"scope":      func(s *rules.Sync) { s.Scope = "active" },
		"match":      func(s *rules.Sync) { s.Match = []string{"email"} },
		"source":     func(s *rules.Sync) { s.Source = "other" },
		"attributes": func(s *rules.Sync) { s.Attributes = s.Attributes[:1] },
		"groups":     func(s *rules.Sync) { s.Groups = []rules.Group{{Target: "editor", When: "true"}} },
		"exact":      func(s *rules.Sync) { s.GroupOptions.Exact = true },
		"actions":    func(s *rules.Sync) { s.Actions.Deactivate = false },
		"writeback":  func(s *rules.Sync) { s.Writeback.Groups = true },
		"protect":    func(s *rules.Sync) { s.Protect = []string{"true"} },
	} {
		changed := base
		change(&changed)
		if other, ok := seen[changed.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[changed.Fingerprint()] = name
	}
}
