package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cadence says when a sync runs. The zero Cadence never does.
//
// A cron line names times of the clock on the wall, and each of them is meant once. On the two nights of the year on which
// the clocks are changed:
//
//	30 2 * * *     forward, 02:30 does not exist   runs at the moment of the change
//	30 2 * * *     back, 02:30 comes twice         runs at the first of the two
//	*/15 * * * *   either                          every quarter of an hour that really passes
//	@every 6h      either                          six hours after the run before
//
// A line that names every hour is one that wants to run all the time; that is what tells the third row from the first two.
type Cadence struct {
	line  string
	zone  *time.Location
	spec  *cron.SpecSchedule
	every time.Duration
}

// allHours are the bits of a cron line's hour field that names every hour.
const allHours = 1<<24 - 1

// Parse reads a cron line of five fields, @daily and the like, or @every. The zone is an IANA name; empty means the zone of
// this machine.
func Parse(line, zone string) (Cadence, error) {
	line = strings.TrimSpace(line)
	location := time.Local
	if zone != "" {
		var err error
		if location, err = time.LoadLocation(zone); err != nil {
			return Cadence{}, fmt.Errorf("the time zone %q is not known; use a name such as Europe/Berlin", zone)
		}
	}
	// Looked for first, because the parser panics on a zone without fields.
	if strings.Contains(line, "TZ=") {
		return Cadence{}, errors.New("the schedule holds a time zone; write it under timezone")
	}
	parsed, err := cron.ParseStandard(line)
	if err != nil {
		return Cadence{}, fmt.Errorf("%q is no schedule; write five fields such as \"30 2 * * *\", or @every 15m", line)
	}
	c := Cadence{line: line, zone: location}
	switch s := parsed.(type) {
	case cron.ConstantDelaySchedule:
		c.every = s.Delay
	case *cron.SpecSchedule:
		// The parser's own walk through a zone runs a time twice or not at all when clocks change. It is asked about
		// bare wall-clock times instead, written as UTC, which has no such nights.
		s.Location = time.UTC
		c.spec = s
	default:
		return Cadence{}, fmt.Errorf("%q is a kind of schedule that is not known", line)
	}
	return c, nil
}

// String returns the line and, where it matters, the zone.
func (c Cadence) String() string {
	if c.spec == nil {
		return c.line
	}
	return c.line + " " + c.zone.String()
}

// Next returns the first time after the given one, in the zone of the schedule. The zero time means that it never comes.
func (c Cadence) Next(after time.Time) time.Time {
	switch {
	case c.every > 0:
		return after.Add(c.every).In(c.zone)
	case c.spec == nil:
		return time.Time{}
	case c.spec.Hour&allHours == allHours:
		return c.nextPassing(after.In(c.zone))
	default:
		return c.nextNamed(after.In(c.zone))
	}
}

// nextNamed returns the next time of the wall clock, each of which comes once.
func (c Cadence) nextNamed(after time.Time) time.Time {
	wall := wallOf(after)
	for {
		wall = c.spec.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		// Inside an hour that comes for the second time, the times that came in the first are over.
		if at := instantOf(wall, c.zone); at.After(after) {
			return at
		}
	}
}

// nextPassing goes through the stretches between two changes of the clocks; within one of them the wall clock is even.
func (c Cadence) nextPassing(after time.Time) time.Time {
	for {
		_, end := after.ZoneBounds()
		wall := wallOf(after)
		next := c.spec.Next(wall)
		if next.IsZero() {
			return time.Time{}
		}
		at := after.Add(next.Sub(wall))
		if end.IsZero() || at.Before(end) {
			return at
		}
		if first := wallOf(end); c.matches(first) {
			return end
		}
		after = end
	}
}

// matches reports whether the line names this wall-clock time.
func (c Cadence) matches(wall time.Time) bool {
	return c.spec.Next(wall.Add(-time.Nanosecond)).Equal(wall)
}

// wallOf returns what the clock on the wall shows, written as UTC.
func wallOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instantOf returns when the clock on the wall shows a time: at the first of two, and at the change where it never does.
func instantOf(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	start, end := t.ZoneBounds()
	switch shown := wallOf(t); {
	case shown.After(wall): // in the gap, reckoned by the time before it
		return start
	case shown.Before(wall): // in the gap, reckoned by the time after it
		return end
	case start.IsZero():
		return t
	}
	_, now := t.Zone()
	_, before := start.Add(-time.Nanosecond).Zone()
	if first := t.Add(time.Duration(now-before) * time.Second); first.Before(start) && wallOf(first).Equal(wall) {
		return first
	}
	return t
}
