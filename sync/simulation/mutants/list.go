package main

// mutants are the broken rules, in the order in which the engine keeps them.
var mutants = []mutant{
	{"certificate", "an incomplete listing proves nothing", []patch{
		{"sync/snapshot/certificate.go", "c.Complete = c.Complete && clause.Passed", "c.Complete = c.Complete || clause.Passed"},
	}},
	{"witness", "who is found when asked for is not gone", []patch{
		{"sync/engine/witness.go", "alive, found = append(alive, id), true", "gone = append(gone, id)"},
	}},
	{"target-witness", "an account is asked for before it is made anew", []patch{
		{"sync/engine/witness.go", "return !ok || w.provenGone(ctx, plan.Target, getter, id)", "return !ok || getter != nil || plan.Target == \"\""},
	}},
	{"unverified", "an unverified address links nobody", []patch{
		{"sync/diff/unlinked.go", "case actions.Link == rules.LinkTrusted && ", "case false && "},
	}},
	{"taken", "who is linked is not matched again", []patch{
		{"sync/diff/unlinked.go", `case candidate.LinkedTo != "" && !candidate.Gone:`, `case candidate.LinkedTo != "" && candidate.Gone && candidate.LinkedTo == "nobody":`},
		{"sync/diff/unlinked.go", `case candidate.LinkedTo != "" && actions.Rehire != rules.LinkIt:`, `case candidate.LinkedTo == "nobody":`},
	}},
	{"privileged", "privileged accounts are never written", []patch{
		{"sync/diff/unlinked.go", `case r.Account.Privileged != "":`, `case r.Account.Privileged == "nobody":`},
		{"sync/guard/guard.go", "return in.Guarded(o.Side, o.WrittenID())", `return ""`},
	}},
	{"protected", "protected accounts are never written", []patch{
		{"sync/diff/unlinked.go", `case r.Protected != "":`, `case r.Protected == "nobody":`},
	}},
	{"grace", "deletion waits for the end of the grace", []patch{
		{"sync/diff/release.go", "d.Now.Sub(c.Link.Since) >= grace", "d.Now.Sub(c.Link.Since) >= grace/1000"},
	}},
	{"removals", "no more accounts lose access than the limit allows", []patch{
		{"sync/guard/guard.go", "{removals, creations, updates, changedRules, moved, lost, restored}", "{creations, updates, changedRules, moved, lost, restored}"},
	}},
	{"rules", "changed rules write nothing before they are approved", []patch{
		{"sync/guard/guard.go", "{removals, creations, updates, changedRules, moved, lost, restored}", "{removals, creations, updates, moved, lost, restored}"},
	}},
	{"ceiling", "an approval covers the approved plan and nothing beyond", []patch{
		{"sync/guard/guard.go", "if seen.beyond.n == 0 {", "if seen.beyond.n >= 0 {"},
	}},
	{"intent", "the intent is in the journal before the write", []patch{
		{"sync/apply/apply.go", "	if err := e.options.Journal.Intend(ctx, entries...); err != nil {", "	defer func() { _ = e.options.Journal.Intend(ctx, entries...) }()\n	if err := ctx.Err(); err != nil {"},
	}},
	{"read-back", "a lost answer is read back", []patch{
		{"sync/apply/call.go", "return []outcome{e.readBack(ctx, first, err)}", "return []outcome{{err: err}}"},
	}},
	{"recovery", "what a crash cut off is settled first", []patch{
		{"sync/engine/world.go", "if err := w.recover(ctx, persist); err != nil {", "if err := error(nil); err != nil {"},
	}},
	{"recovered-edit", "an edit before the recovery is no stored value", []patch{
		{"sync/engine/recover.go", "ok && w.storedAsSent(change, stored)", "ok"},
	}},
	{"exchange", "one of a ring steps aside first", []patch{
		{"sync/plan/unique.go", "a.connect, a.breakRings, a.apply}", "a.connect, a.apply}"},
	}},
	{"lease", "one run of a sync at a time", []patch{
		{"sync/state/lease.go", "return &BusyError{Sync: l.name, Purpose: purpose, Host: holder.host, PID: holder.pid, Since: fromNanos(acquired)}", "return nil"},
	}},
	{"fence", "who lost the lease writes no more", []patch{
		{"sync/state/lease.go", "	if token != l.token {", "	if token == \"\" && l.token == \"\" {"},
		{"sync/state/lease.go", "> 2*heartbeat {\n\t\treturn l.beat(t, now)", "> 2*heartbeat {\n\t\treturn nil"},
		{"sync/state/lease.go", "case errors.Is(err, ErrLost) || ", "case "},
	}},
	{"counts", "what failed is not counted as done", []patch{
		{"sync/apply/apply.go", "	case out.done():", "	case true:"},
	}},
}
