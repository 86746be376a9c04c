package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DefaultActions are the actions of a sync that configures none.
func DefaultActions() Actions {
	return Actions{
		Create: true, Update: true, Activate: true, Deactivate: true, Delete: Never, Link: LinkTrusted, OutOfScope: Deactivate,
		MissingInTarget: Report, DeactivatedElsewhere: Respect, Rehire: Report,
	}
}

// DefaultWriteback lets attributes flow back where their direction says so, and nothing else.
func DefaultWriteback() Writeback { return Writeback{Update: true} }

// DefaultLimits allow a tenth of the linked accounts to lose access in one run, three at least, and any number of
// creations and updates.
func DefaultLimits() Limits {
	return Limits{
		Removals: Amount{Percent: true, Share: 10}, RemovalsFloor: 3,
		Creations: Amount{Unlimited: true}, Updates: Amount{Unlimited: true},
	}
}

// DefaultMatch is how the other half of an account is looked for.
func DefaultMatch() []string { return []string{"email", "username"} }

// NewSync returns a sync with all defaults.
func NewSync(name, source, target string) Sync {
	return Sync{
		Name: name, Source: source, Target: target, Match: DefaultMatch(), Actions: DefaultActions(),
		Writeback: DefaultWriteback(), Limits: DefaultLimits(),
	}
}

// DeleteGrace returns how long a deactivated account stays before it is deleted; ok is false for "never".
func (a Actions) DeleteGrace() (grace time.Duration, ok bool, err error) {
	return ParseGrace(a.Delete)
}

// ParseGrace reads "never", or a number of days ("30d") or hours ("12h"). Deleting at once is not offered: zero is refused.
func ParseGrace(text string) (grace time.Duration, ok bool, err error) {
	if text == Never || text == "" {
		return 0, false, nil
	}
	unit := 24 * time.Hour
	number, found := strings.CutSuffix(text, "d")
	if !found {
		unit = time.Hour
		number, found = strings.CutSuffix(text, "h")
	}
	n, err := strconv.Atoi(number)
	if !found || err != nil || n <= 0 || n > 36500 {
		return 0, false, fmt.Errorf("%q is no grace period; write never, days (30d) or hours (12h)", text)
	}
	return time.Duration(n) * unit, true, nil
}

// Fingerprint identifies the parts of a definition that decide what happens to accounts; schedule, limits and examples
// are not among them.
func (s Sync) Fingerprint() string {
	s.Schedule, s.Timezone, s.Limits, s.Examples = "", "", Limits{}, nil
	data, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("rules: a sync must be plain data: %v", err))
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
