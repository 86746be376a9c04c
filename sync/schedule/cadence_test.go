package schedule_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-sync/rollcall/sync/schedule"
)

func TestTimesComeOnceAlsoWhenClocksAreChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line, zone, after string
		want                    []string
	}{
		{
			"an ordinary night", "30 2 * * *", "Europe/Berlin", "2026-11-22T12:00:00+01:00",
			[]string{"2026-11-23T02:30:00+01:00", "2026-11-24T02:30:00+01:00"},
		},
		{
			"half past two does not exist: at the change", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		},
		{
			"half past two comes twice: the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		},
		{
			"asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T02:10:00+01:00",
			[]string{"2026-10-26T02:30:00+01:00"},
		},
		{
			"two times, one in the gap and one at its end, are one run", "0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T01:00:00+01:00",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00"},
		},
		{
			"all quarters of an hour that pass, in spring", "*/15 * * * *", "Europe/Berlin", "2026-03-29T01:40:00+01:00",
			[]string{"2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00"},
		},
		{
			"all quarters of an hour that pass, in autumn", "*/30 * * * *", "Europe/Berlin", "2026-10-25T02:10:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"},
		},
		{
			"every hour, over the change", "@hourly", "America/New_York", "2026-11-01T00:30:00-04:00",
			[]string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"},
		},
		{
			"New York in spring", "30 2 * * *", "America/New_York", "2026-03-08T00:00:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"midnight does not exist", "@daily", "Africa/Cairo", "2026-04-23T12:00:00+02:00",
			[]string{"2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
		},
		{
			"midnight comes twice", "@daily", "America/Havana", "2026-10-31T12:00:00-04:00",
			[]string{"2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"},
		},
		{
			"half an hour of summer time", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
		},
		{
			"every hour where half of one is left out", "@hourly", "Australia/Lord_Howe", "2026-10-04T01:00:00+10:30",
			[]string{"2026-10-04T03:00:00+11:00", "2026-10-04T04:00:00+11:00"},
		},
		{
			"every hour where half of one comes twice", "@hourly", "Australia/Lord_Howe", "2026-04-05T00:59:00+11:00",
			[]string{"2026-04-05T01:00:00+11:00", "2026-04-05T02:00:00+10:30", "2026-04-05T03:00:00+10:30"},
		},
		{
			"a day that was left out", "0 9 * * *", "Pacific/Apia", "2011-12-29T10:00:00-10:00",
			[]string{"2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00"},
		},
		{
			"working days", "0 6 * * 1-5", "UTC", "2026-11-20T07:00:00Z",
			[]string{"2026-11-23T06:00:00Z", "2026-11-24T06:00:00Z"},
		},
		{
			"a leap day", "0 6 29 2 *", "UTC", "2026-11-20T07:00:00Z",
			[]string{"2028-02-29T06:00:00Z"},
		},
		{
			"every six hours of time that passes", "@every 6h", "Europe/Berlin", "2026-10-24T22:00:00+02:00",
			[]string{"2026-10-25T03:00:00+01:00", "2026-10-25T09:00:00+01:00"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cadence := parse(t, c.line, c.zone)
			at := moment(t, c.after)
			var got []string
			for range c.want {
				at = cadence.Next(at)
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEachDayOnce walks through three years of a zone and counts.
func TestEachDayOnce(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"} {
		for _, line := range []string{"30 2 * * *", "0 0 * * *", "45 1 * * *", "0 3 * * *"} {
			cadence := parse(t, line, zone)
			at := moment(t, "2025-01-01T12:00:00Z")
			end := at.AddDate(3, 0, 0)
			days := make(map[string]int)
			for at = cadence.Next(at); at.Before(end); at = cadence.Next(at) {
				days[at.Format(time.DateOnly)]++
			}
			if len(days) < 1094 || len(days) > 1096 {
				t.Errorf("%s in %s: ran on %d of 1095 days", line, zone, len(days))
			}
			for day, n := range days {
				if n != 1 {
					t.Errorf("%s in %s: ran %d times on %s", line, zone, n, day)
				}
			}
		}
	}
}

func TestBadSchedules(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"", ""}, {"* * *", ""}, {"61 2 * * *", ""}, {"0 30 2 * * *", ""}, {"CRON_TZ=UTC", ""}, {"TZ=UTC 0 2 * * *", ""}, {"@every x", ""}, {"0 2 * * *", "Europe/Bärlin"}} {
		if got, err := schedule.Parse(c[0], c[1]); err == nil {
			t.Errorf("%q %q is taken as %s", c[0], c[1], got)
		}
	}
	if next := parse(t, "0 0 30 2 *", "UTC").Next(moment(t, "2026-11-22T00:00:00Z")); !next.IsZero() {
		t.Errorf("the thirtieth of February comes on %s", next)
	}
	if next := (schedule.Cadence{}).Next(time.Now()); !next.IsZero() {
		t.Errorf("the zero cadence comes at %s", next)
	}
}

func parse(t *testing.T, line, zone string) schedule.Cadence {
	t.Helper()
	c, err := schedule.Parse(line, zone)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
