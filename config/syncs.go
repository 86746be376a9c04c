package config

import (
	"strings"
	"time"
	_ "time/tzdata" // a time zone that is known where the file was written is known on the server too

	"github.com/invopop/jsonschema"
	"github.com/robfig/cron/v3"

	"github.com/rollcall-sync/rollcall/sync/rules"
)

// syncs is the mapping of names to syncs.
type syncs struct{}

func (v syncs) load(l *loader, at *node) {
	if l.first["syncs"] == nil {
		l.first["syncs"] = at
	}
	if !l.isMapping(at) {
		return
	}
	for _, p := range at.pairs {
		if !l.isProperName(p) {
			continue
		}
		if first := l.syncAt(p.name); first != nil {
			l.fault(p.key, "rename one of the two", "is given twice, first in %s:%d", first.file.name, first.line)
			continue
		}
		s := &loadedSync{Sync: rules.NewSync(p.name, "", ""), at: p.value}
		l.syncs = append(l.syncs, s)
		object{syncKeys(&s.Sync)}.load(l, p.value)
	}
}

func (l *loader) syncAt(name string) *node {
	for _, s := range l.syncs {
		if s.Name == name {
			return s.at
		}
	}
	return nil
}

func (v syncs) shape() shape {
	s := rules.NewSync("", "", "")
	return shape{form: "mapping", entry: "<sync>", keys: syncKeys(&s)}
}

func (v syncs) schema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "object", MinProperties: &oneLetter, AdditionalProperties: &jsonschema.Schema{Ref: "#/$defs/sync"},
		PropertyNames: &jsonschema.Schema{Pattern: properName.String()},
	}
}

// syncKeys declares what a sync may be told; s holds the defaults.
func syncKeys(s *rules.Sync) []key {
	return []key{
		{"source", "The directory that is followed.", true, text(&s.Source, nil)},
		{"target", "The directory that is brought up to date.", true, text(&s.Target, nil)},
		{"schedule", "When `rollcall serve` runs it: a cron line of five fields, or @every 15m; without it, on demand only.", false, schedule(&s.Schedule)},
		{"timezone", "The time zone of the schedule, as in Europe/Berlin; without it, that of the machine.", false, timezone(&s.Timezone)},
		{"scope", "Which accounts of the source take part; without it, all of them.", false, expression(&s.Scope)},
		{"match", "The attributes by which the other half of an account without a link is looked for, in this order.", false, texts{&s.Match, attributeName}},
		{"attributes", "The attributes of the target and where their values come from; without it, what both directories have in common.", false, attributeRules{&s.Attributes}},
		{"groups", "The groups of the target and who belongs in them.", false, groupRules{&s.Groups}},
		{"group_options", "What holds for all groups of the sync.", false, object{groupOptionKeys(&s.GroupOptions)}},
		{"actions", "What may be done in the target.", false, object{actionKeys(&s.Actions)}},
		{"writeback", "What may be done in the source.", false, object{writebackKeys(&s.Writeback)}},
		{"limits", "How much one run may do; what is more waits for an approval.", false, object{limitKeys(&s.Limits)}},
		{"protect", "Expressions over an account of either side; where one is true, the account is never written.", false, texts{&s.Protect, expression}},
		{"examples", "What the rules must make of a given account; a failing example stops the run before anything is read.", false, examples{&s.Examples}},
	}
}

func groupOptionKeys(o *rules.GroupOptions) []key {
	return []key{
		{"mirror", "Patterns of source groups (\"*\", \"Web *\") that are copied to groups of the same name.", false, texts{&o.Mirror, pattern}},
		{"prefix", "What stands before the names of mirrored groups.", false, text(&o.Prefix, nil)},
		{"create", "Whether groups that the target lacks are made.", false, truth(&o.Create)},
		{"exact", "Whether managed accounts lose all groups of the target that the rules do not give them.", false, truth(&o.Exact)},
		{"nested", "Whether a member of a group counts as a member of the groups above it.", false, truth(&o.Nested)},
	}
}

func actionKeys(a *rules.Actions) []key {
	return []key{
		{"create", "Whether accounts that the target lacks are created.", false, truth(&a.Create)},
		{"update", "Whether attributes that differ are written.", false, truth(&a.Update)},
		{"activate", "Whether accounts that the sync deactivated are activated again.", false, truth(&a.Activate)},
		{"deactivate", "Whether those who left lose their access.", false, truth(&a.Deactivate)},
		{"delete", "How long an account stays deactivated before it is deleted: days (30d), hours (12h) or never.", false, grace(&a.Delete)},
		{"link", "Which matches are linked: all but those whose e-mail the source calls unverified, any, or none (report).", false, choice(&a.Link, rules.LinkTrusted, rules.LinkAny, rules.Report)},
		{"out_of_scope", "What happens to a linked account that leaves the scope.", false, choice(&a.OutOfScope, rules.Deactivate, rules.DropGroups, rules.Ignore)},
		{"missing_in_target", "What happens when the target has lost a linked account.", false, choice(&a.MissingInTarget, rules.Report, rules.Recreate)},
		{"deactivated_elsewhere", "What happens to an account that somebody else deactivated: respect it, or override it as the source says.", false, choice(&a.DeactivatedElsewhere, rules.Respect, rules.Override)},
		{"rehire", "What happens when a new source account matches one whose old source account is gone.", false, choice(&a.Rehire, rules.Report, rules.LinkIt)},
	}
}

func writebackKeys(w *rules.Writeback) []key {
	return []key{
		{"create", "Whether accounts of the target that the source lacks are created there.", false, truth(&w.Create)},
		{"update", "Whether attributes flow back where their direction says so.", false, truth(&w.Update)},
		{"deactivate", "Whether a deactivation in the target is repeated in the source.", false, truth(&w.Deactivate)},
		{"groups", "Whether changed memberships flow back, for groups with exactly one source group.", false, truth(&w.Groups)},
		{"scope", "Which accounts of the target may be created in the source; without it, all of them.", false, expression(&w.Scope)},
	}
}

func limitKeys(m *rules.Limits) []key {
	return []key{
		{"removals", "How many may lose access in one run: deactivated, deleted or taken out of a group.", false, amount(&m.Removals)},
		{"removals_floor", "How many may always lose access, also where the share allows less.", false, count(&m.RemovalsFloor)},
		{"creations", "How many accounts may be created in one run.", false, amount(&m.Creations)},
		{"updates", "How many accounts may be changed in one run.", false, amount(&m.Updates)},
	}
}

// grace is a grace period; the text is kept as it is, once it is known to be good.
func grace(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = "never, days (30d) or hours (12h)", "never, days (30d) or hours (12h)"
	v.parse = func(text string) (string, bool) {
		_, _, err := rules.ParseGrace(text)
		return text, err == nil && text != ""
	}
	v.json = orReference(&jsonschema.Schema{Type: "string", Pattern: `^(never|[1-9][0-9]*[dh])$`})
	return v
}

// pattern is a pattern of group names.
func pattern(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = "a name or a pattern such as \"Web *\"", "pattern"
	v.parse = func(text string) (string, bool) { return text, text != "" }
	return v
}

func timezone(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = "a time zone's name such as Europe/Berlin or UTC", "time zone"
	v.parse = func(text string) (string, bool) {
		_, err := time.LoadLocation(text)
		return text, err == nil && text != "" && text != "Local"
	}
	return v
}

// leastEvery is the closest schedule: a run reads both sides whole, so more often only loads the vendors.
const leastEvery = time.Minute

func schedule(into *string) one[string] {
	v := text(into, nil)
	v.wants, v.form = `a cron line of five fields such as "30 2 * * *", or @every 15m`, "cron line"
	v.parse = func(text string) (string, bool) { return strings.TrimSpace(text), true }
	v.check = func(l *loader, at *node, line string) {
		// Looked for first, because the parser panics on a zone without fields.
		if strings.Contains(line, "TZ=") {
			l.fault(at, "write the zone under timezone:", "the schedule holds a time zone")
			return
		}
		parsed, err := cron.ParseStandard(line)
		every, isEvery := parsed.(cron.ConstantDelaySchedule)
		switch {
		case err != nil:
			l.fault(at, "write "+v.wants, "%s is no schedule", at.shown())
		case isEvery && every.Delay < leastEvery:
			l.fault(at, "write @every 1m or more", "%s is too close", at.shown())
		case !isEvery && parsed.Next(time.Unix(0, 0).UTC()).IsZero():
			l.fault(at, "check day and month", "%s names a day that never comes", at.shown())
		}
	}
	return v
}
