package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Amount is a limit as people write it: "none" (no limit), a count ("25") or a share ("10%") of the linked accounts.
type Amount struct {
	// Unlimited is set for "none".
	Unlimited bool
	// Count is the limit where Percent is not set.
	Count int
	// Percent is set where the limit is a share; Share is it, 0 to 100.
	Percent bool
	Share   float64
}

// ParseAmount reads an amount.
func ParseAmount(text string) (Amount, error) {
	text = strings.TrimSpace(text)
	if text == "none" {
		return Amount{Unlimited: true}, nil
	}
	if number, ok := strings.CutSuffix(text, "%"); ok {
		share, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(share) || share < 0 || share > 100 {
			return Amount{}, fmt.Errorf("%q is no share; write a number from 0%% to 100%%", text)
		}
		return Amount{Percent: true, Share: share}, nil
	}
	count, err := strconv.Atoi(text)
	if err != nil || count < 0 {
		return Amount{}, fmt.Errorf("%q is no limit; write a count (25), a share (10%%) or none", text)
	}
	return Amount{Count: count}, nil
}

// String returns what ParseAmount reads.
func (a Amount) String() string {
	switch {
	case a.Unlimited:
		return "none"
	case a.Percent:
		return strconv.FormatFloat(a.Share, 'f', -1, 64) + "%"
	default:
		return strconv.Itoa(a.Count)
	}
}

// Of returns the number allowed out of total, rounded down, and whether there is a limit at all.
func (a Amount) Of(total int) (allowed int, limited bool) {
	switch {
	case a.Unlimited:
		return 0, false
	case a.Percent:
		return int(math.Floor(float64(total) * a.Share / 100)), true
	default:
		return a.Count, true
	}
}

// MarshalText makes an Amount a text in JSON.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads it back.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := ParseAmount(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
