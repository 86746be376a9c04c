package diff_test

import (
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

func linked(source, target []func(*directory.Account), changes ...func(*diff.Link)) func(*scene) diff.Case {
	return func(s *scene) diff.Case {
		return diff.Case{Link: link(changes...), Source: s.source(source...), Target: s.target(target...)}
	}
}

type accounts = []func(*directory.Account)

func TestALinkedPairThatTakesPart(t *testing.T) {
	t.Parallel()
	check(t, []row{
		{name: "is unchanged when both agree", of: linked(nil, nil), class: diff.Unchanged, reason: "both sides agree"},
		{
			name: "gets the attributes that differ and that the source leads", of: linked(accounts{with("email", "new@example.com")}, nil),
			writes: []string{"target update email=new@example.com"}, class: diff.Changed, reason: "email differs, staff leads",
		},
		{
			name: "gets both attributes in one update", of: linked(accounts{with("email", "new@example.com"), with("username", "ann")}, nil),
			writes: []string{"target update username=ann email=new@example.com"}, class: diff.Changed, reason: "email, username differ, staff leads",
		},
		{name: "is held again when the link was let go", of: linked(nil, nil, released), class: diff.Unchanged, hold: true},
		{
			name: "is activated when we deactivated it", of: linked(nil, accounts{inactive}, ours, remembered("r-subscriber")),
			writes: []string{"target activate with r-subscriber"}, class: diff.Changed, hold: true, reason: "active in staff again",
		},
		{
			name: "stays inactive when somebody else deactivated it, and its groups stay as they are", of: linked(accounts{in("g-web")}, accounts{inactive}),
			notes: []string{"respected: anna was deactivated in website by somebody else; activate it there, or set actions.deactivated_elsewhere: override"}, class: diff.Skipped,
		},
		{
			name: "is kept up to date while it stays inactive", of: linked(accounts{with("email", "new@example.com")}, accounts{inactive}),
			writes: []string{"target update email=new@example.com"}, notes: []string{"respected"}, class: diff.Changed,
		},
		{
			name: "is activated against somebody else where the policy says override", change: func(s *scene) { s.sync.Actions.DeactivatedElsewhere = rules.Override },
			of: linked(nil, accounts{inactive}), writes: []string{"target activate"}, class: diff.Changed, reason: "deactivated_elsewhere is override",
		},
		{
			name: "is not activated where activating is switched off", change: func(s *scene) { s.sync.Actions.Activate = false },
			of: linked(nil, accounts{inactive}, ours), notes: []string{"respected: anna is deactivated in website, and actions.activate is off"}, class: diff.Skipped, hold: true,
		},
		{
			name: "is not activated where the target cannot", change: func(s *scene) { s.decider.TargetPowers.Status = false },
			of: linked(nil, accounts{inactive}, ours), notes: []string{"unsupported: website cannot activate accounts"}, class: diff.Skipped, hold: true,
		},
		{name: "stays active when the source does not tell its status", of: linked(accounts{unknown}, nil), class: diff.Unchanged},
		{name: "stays inactive when the source does not tell its status", of: linked(accounts{unknown}, accounts{inactive}, ours), class: diff.Unchanged, hold: true},
		{
			name: "is left alone when its scope cannot be told", change: func(s *scene) { s.sync.Scope = `"Web editors" in groups` },
			of: linked(accounts{groupsUnknown}, nil), notes: []string{"unknown: whether it is in scope cannot be told"}, class: diff.Skipped,
		},
		{name: "fails when the source's record cannot be used", of: linked(accounts{problem, inactive}, nil), notes: []string{"invalid: the record cannot be used and its account is left alone"}, class: diff.Failed},
		{name: "fails when the target's record cannot be used", of: linked(accounts{inactive}, accounts{problem}), notes: []string{"invalid: its record in website cannot be used and is left alone"}, class: diff.Failed},
		{
			name: "gets nothing while a required value is missing: never half an account", change: func(s *scene) { s.sync.Attributes[1].Required = true },
			of: linked(accounts{without("email"), with("username", "ann")}, nil), notes: []string{"invalid: email: is required and has no value"}, class: diff.Failed,
		},
	})
}

func TestALinkWhoseTargetAccountIsMissing(t *testing.T) {
	t.Parallel()
	missing := func(evidence diff.Evidence, change ...func(*directory.Account)) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			return diff.Case{Link: link(), Source: s.source(change...), TargetMissing: evidence}
		}
	}
	recreate := func(s *scene) { s.sync.Actions.MissingInTarget = rules.Recreate }
	check(t, []row{
		{
			name: "is reported", of: missing(diff.Gone),
			notes: []string{"respected: somebody deleted its account in website; `rollcall unlink staff-to-website s1` lets it be created again, or set actions.missing_in_target: recreate"}, class: diff.Skipped,
		},
		{name: "is created anew where the policy says so", change: recreate, of: missing(diff.Gone), writes: []string{createsAnna}, class: diff.Changed, hold: true},
		{
			name: "is not created anew while its absence is not proven", change: recreate, of: missing(diff.Withheld),
			notes: []string{"suspected: its account is missing from the listing of website, which is not proven; nothing is created"}, class: diff.Skipped,
		},
		{name: "is nobody's loss when the source account is inactive", change: recreate, of: missing(diff.Gone, inactive), class: diff.Unchanged, reason: "does not take part, and is not in website"},
		{name: "is nobody's loss when the source account is out of scope", change: recreate, of: missing(diff.Gone, away), class: diff.Unchanged, reason: "does not take part"},
		{name: "is not created anew when the source does not tell its status", change: recreate, of: missing(diff.Gone, unknown), class: diff.Unchanged, reason: "does not take part"},
	})
}

func TestALinkedAccountThatNoLongerTakesPart(t *testing.T) {
	t.Parallel()
	policy := func(p rules.Decision) func(*scene) { return func(s *scene) { s.sync.Actions.OutOfScope = p } }
	claimed := func(s *scene) diff.Case {
		c := linked(accounts{inactive}, accounts{in("r-subscriber", "r-editor")}, had("r-subscriber", "r-editor"))(s)
		c.OtherClaims, c.OtherGroups = []string{"shop"}, []string{"r-subscriber"}
		return c
	}
	check(t, []row{
		{name: "is deactivated when it is inactive in the source", of: linked(accounts{inactive}, nil), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed, reason: "inactive in staff"},
		{name: "is deactivated when it is inactive and out of scope, whatever the policy", change: policy(rules.Ignore), of: linked(accounts{inactive, away}, nil), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed},
		{name: "is deactivated out of scope", of: linked(accounts{away}, nil), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed, reason: "out of scope"},
		{name: "is ignored out of scope where the policy says so", change: policy(rules.Ignore), of: linked(accounts{away}, nil), class: diff.Unchanged, reason: "left as it is"},
		{
			name: "loses the groups that we gave, and no other, where the policy says so", change: policy(rules.DropGroups),
			of:     linked(accounts{away}, accounts{in("r-editor", "r-shop", "r-subscriber")}, had("r-editor", "r-subscriber")),
			writes: []string{"target group_remove editor", "target group_remove subscriber"}, class: diff.Changed, release: true,
		},
		{
			name: "keeps its groups while they are not known", change: policy(rules.DropGroups), of: linked(accounts{away}, accounts{groupsUnknown}),
			notes: []string{"unknown: its groups in website are not known, so none is taken away"}, class: diff.Skipped,
		},
		{
			name: "is let go when it has no group of ours and none is known", change: policy(rules.DropGroups), of: linked(accounts{away}, accounts{groupsUnknown}, had()),
			class: diff.Unchanged, release: true,
		},
		{
			name: "is not let go while its groups cannot be taken away", change: func(s *scene) {
				policy(rules.DropGroups)(s)
				s.decider.TargetPowers.Groups = false
			},
			of: linked(accounts{away}, nil), notes: []string{"unsupported: website cannot change memberships"}, class: diff.Skipped,
		},
		{name: "is let go without a write when it is inactive already", of: linked(accounts{inactive}, accounts{inactive}), class: diff.Unchanged, release: true, reason: "and inactive in website"},
		{name: "is let go when we deactivated it where the target tells no status", of: linked(accounts{inactive}, accounts{unknown}, ours), class: diff.Unchanged},
		{name: "is deactivated where the target tells no status", of: linked(accounts{inactive}, accounts{unknown}), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed},
		{
			name: "is reported where the target neither tells nor sets the status", change: func(s *scene) { s.decider.TargetPowers.Status = false },
			of: linked(accounts{inactive}, accounts{unknown}), notes: []string{"unsupported: website neither tells nor sets who may sign in"}, class: diff.Skipped,
		},
		{
			name: "is reported where the target cannot deactivate", change: func(s *scene) { s.decider.TargetPowers.Status = false },
			of: linked(accounts{inactive}, nil), notes: []string{"unsupported: inactive in staff, but website cannot deactivate accounts"}, class: diff.Skipped,
		},
		{
			name: "is reported where deactivating is switched off", change: func(s *scene) { s.sync.Actions.Deactivate = false },
			of: linked(accounts{inactive}, nil), notes: []string{"respected: inactive in staff, and actions.deactivate is off"}, class: diff.Skipped,
		},
		{
			name: "is withheld while a listing is not proven complete", change: func(s *scene) { s.decider.Removals = false },
			of: linked(accounts{inactive}, nil), notes: []string{"withheld: would be deactivated"}, class: diff.Skipped, reason: "withheld: would be deactivated; the listing of staff is not proven complete",
		},
		{
			name: "stays active while another sync holds it, and loses only what nobody else gives", of: claimed,
			writes: []string{"target group_remove editor"}, class: diff.Changed, release: true, reason: "inactive in staff; shop still holds the account",
		},
	})
}

func TestALinkedAccountThatIsMissingFromTheSource(t *testing.T) {
	t.Parallel()
	missing := func(evidence diff.Evidence, target accounts, changes ...func(*diff.Link)) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			return diff.Case{Link: link(changes...), SourceMissing: evidence, Target: s.target(target...)}
		}
	}
	claimed := func(of func(*scene) diff.Case) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			c := of(s)
			c.OtherClaims = []string{"shop"}
			return c
		}
	}
	deleting := func(s *scene) { s.sync.Actions.Delete = "10d" }
	recent := func(l *diff.Link) { l.Since = l.Since.Add(time.Second) }
	check(t, []row{
		{name: "is deactivated when it is proven gone", of: missing(diff.Gone, nil), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed, reason: "no longer in staff"},
		{name: "is suspected until a look-up confirms it", of: missing(diff.Suspected, nil), notes: []string{"suspected: missing from the listing of staff, not yet confirmed by a look-up; nothing is taken away"}, class: diff.Skipped},
		{name: "is withheld when the listing is not complete", of: missing(diff.Withheld, nil), notes: []string{"withheld: would be deactivated if it is really gone from staff"}, class: diff.Skipped},
		{
			name: "is withheld when the target's listing is not complete", change: func(s *scene) { s.decider.Removals = false }, of: missing(diff.Gone, nil),
			notes: []string{"withheld: would be deactivated"}, class: diff.Skipped, reason: "withheld: would be deactivated; the listing of staff is not proven complete",
		},
		{name: "is left alone when the target's record cannot be used", of: missing(diff.Gone, accounts{problem}), notes: []string{"invalid: its record in website cannot be used"}, class: diff.Failed},
		{name: "is deactivated once more when somebody activated it after we let go", of: missing(diff.Gone, nil, released), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed},
		{name: "is done with when it is inactive and let go", of: missing(diff.Gone, accounts{inactive}, ours), class: diff.Unchanged, reason: "and already let go"},
		{name: "is not held against an account that was let go before it was proven gone", of: missing(diff.Suspected, nil, released), class: diff.Unchanged, reason: "and already let go"},
		{name: "stays active while another sync holds it", of: claimed(missing(diff.Gone, nil, had())), class: diff.Unchanged, release: true, reason: "shop still holds the account"},
		{name: "stays as it is while another sync holds it and we let go", of: claimed(missing(diff.Gone, nil, released)), class: diff.Unchanged, reason: "and already let go"},
		{name: "is deleted after the grace period", change: deleting, of: missing(diff.Gone, accounts{inactive}, ours), writes: []string{"target delete"}, class: diff.Changed, reason: "no longer in staff, deactivated on 2026-02-20, and actions.delete is 10d"},
		{name: "is not deleted a second before the grace period ends", change: deleting, of: missing(diff.Gone, accounts{inactive}, ours, recent), class: diff.Unchanged, reason: "already let go"},
		{name: "is not deleted by default", of: missing(diff.Gone, accounts{inactive}, ours), class: diff.Unchanged},
		{name: "is not deleted when somebody else deactivated it", change: deleting, of: missing(diff.Gone, accounts{inactive}, released), class: diff.Unchanged},
		{name: "is not deleted when somebody activated it meanwhile, but deactivated", change: deleting, of: missing(diff.Gone, nil, ours), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed},
		{name: "is not deleted while it is only suspected", change: deleting, of: missing(diff.Suspected, accounts{inactive}, ours), class: diff.Unchanged},
		{name: "is not deleted while another sync holds it", change: deleting, of: claimed(missing(diff.Gone, accounts{inactive}, ours)), class: diff.Unchanged},
		{name: "is not deleted when its record cannot be used", change: deleting, of: missing(diff.Gone, accounts{inactive, problem}, ours), class: diff.Unchanged},
		{
			name: "is not deleted where the target cannot", change: func(s *scene) { deleting(s); s.decider.TargetPowers.Delete = false },
			of: missing(diff.Gone, accounts{inactive}, ours), notes: []string{"unsupported: website cannot delete accounts"}, class: diff.Skipped,
		},
		{
			name: "is not deleted while a listing is not proven complete", change: func(s *scene) { deleting(s); s.decider.Removals = false },
			of: missing(diff.Gone, accounts{inactive}, ours), notes: []string{"withheld: would be deleted"}, class: diff.Skipped,
		},
		{
			name: "is let go when it is gone from both sides",
			of: func(*scene) diff.Case {
				return diff.Case{Link: link(), SourceMissing: diff.Gone, TargetMissing: diff.Gone}
			},
			class: diff.Unchanged, release: true, reason: "gone from both sides",
		},
		{
			name: "is remembered while its absence from both sides is not proven",
			of: func(*scene) diff.Case {
				return diff.Case{Link: link(), SourceMissing: diff.Gone, TargetMissing: diff.Withheld}
			},
			class: diff.Unchanged, reason: "in neither listing",
		},
	})
}

func TestAnAccountThatIsNeverWritten(t *testing.T) {
	t.Parallel()
	self := func(of func(*scene) diff.Case) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			c := of(s)
			c.Target.Self = true
			return c
		}
	}
	protect := func(s *scene) { s.sync.Protect = []string{`username == "anna"`} }
	board := func(s *scene) { s.sync.Protect = []string{`department == "Board"`} }
	onBoard := with("department", "Board")
	missing := func(changes ...func(*diff.Link)) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			return diff.Case{Link: link(changes...), SourceMissing: diff.Gone, Target: s.target()}
		}
	}
	wasOnBoard := func(l *diff.Link) { l.Protected = `department == "Board"` }
	check(t, []row{
		{name: "is protected in the source alone, and not updated", change: board, of: linked(accounts{onBoard, with("email", "new@example.com")}, nil), notes: []string{`protected: update left out (email differs, staff leads): protected by department == "Board"`}, class: diff.Skipped},
		{name: "is protected in the source alone, and not deactivated", change: board, of: linked(accounts{onBoard, inactive}, nil), notes: []string{`protected: deactivate left out (inactive in staff): protected by department == "Board"`}, class: diff.Skipped},
		{name: "is protected in the target alone, and nothing is written back", change: board, of: linked(nil, accounts{onBoard, with("nickname", "Anni")}), notes: []string{`protected: update left out (nickname differs, website leads): protected by department == "Board"`}, class: diff.Skipped},
		{name: "was protected in the source when it was there", change: board, of: missing(wasOnBoard), notes: []string{`protected: deactivate left out (no longer in staff): protected by department == "Board"`}, class: diff.Skipped},
		{name: "was protected by an expression that the rules no longer have", of: missing(wasOnBoard), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed},
		{name: "was never protected, and is gone", change: board, of: missing(), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed},
		{
			name:   "is protected in the source, deleted in the target, and not made anew",
			change: func(s *scene) { board(s); s.sync.Actions.MissingInTarget = rules.Recreate },
			of: func(s *scene) diff.Case {
				return diff.Case{Link: link(), Source: s.source(onBoard), TargetMissing: diff.Gone}
			},
			notes: []string{"protected: create left out"}, class: diff.Skipped,
		},
		{name: "is privileged, and not updated", of: linked(accounts{with("email", "new@example.com")}, accounts{privileged}), notes: []string{"protected: update left out (email differs, staff leads): privileged: role administrator"}, class: diff.Skipped},
		{name: "is privileged, and not deactivated", of: linked(accounts{inactive}, accounts{privileged}), notes: []string{"protected: deactivate left out (inactive in staff): privileged: role administrator"}, class: diff.Skipped},
		{name: "is protected, and put into no group", change: protect, of: linked(accounts{in("g-web")}, nil), notes: []string{`protected: group add left out (the rules put anna into it): protected by username == "anna"`}, class: diff.Skipped},
		{name: "is protected, and taken out of no group", change: protect, of: linked(nil, accounts{in("r-subscriber", "r-editor")}), notes: []string{`protected: group remove left out (the rules no longer put anna into it): protected by username == "anna"`}, class: diff.Skipped},
		{name: "is the account that Rollcall signs in with", of: self(linked(accounts{inactive}, nil)), notes: []string{"protected: deactivate left out (inactive in staff): Rollcall signs in with it"}, class: diff.Skipped},
		{name: "is read-only in the target", of: linked(accounts{with("email", "new@example.com")}, accounts{readOnly}), notes: []string{"protected: update left out (email differs, staff leads): kept in LDAP"}, class: diff.Skipped},
		{name: "is privileged in the source, and nothing is written back to it", of: linked(accounts{privileged}, accounts{with("nickname", "Anni")}), notes: []string{"protected: update left out (nickname differs, website leads): privileged: role administrator"}, class: diff.Skipped},
		{name: "is read-only in the source, and nothing is written back to it", of: linked(accounts{readOnly}, accounts{with("nickname", "Anni")}), notes: []string{"protected: update left out (nickname differs, website leads): kept in LDAP"}, class: diff.Skipped},
		{
			name: "is privileged in the source alone, and its target account follows", of: linked(accounts{privileged, inactive}, nil),
			writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed,
		},
		{
			name: "is not deleted after the grace period", change: func(s *scene) { s.sync.Actions.Delete = "1d" },
			of: func(s *scene) diff.Case {
				return diff.Case{Link: link(ours), SourceMissing: diff.Gone, Target: s.target(inactive, privileged)}
			},
			notes: []string{"protected: delete left out"}, class: diff.Skipped,
		},
		{
			name: "is not let go when its groups cannot be taken away", change: func(s *scene) { protect(s); s.sync.Actions.OutOfScope = rules.DropGroups },
			of: linked(accounts{away}, nil), notes: []string{"protected: group remove left out (out of scope"}, class: diff.Skipped,
		},
	})
}

func TestWhoIsGoneAndSeemsToBeBackUnderANewID(t *testing.T) {
	t.Parallel()
	gone := func(target accounts, takes bool, changes ...func(*diff.Link)) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			successor := &diff.Successor{ID: "s9", Label: "anna", Same: []string{"email", "username"}, Takes: takes}
			return diff.Case{Link: link(changes...), SourceMissing: diff.Gone, Target: s.target(target...), Successor: successor}
		}
	}
	says := "identity: no longer in staff under the id s1, but anna (id s9) has the same email and username, so nothing is taken away; if this is the same person: `rollcall link staff-to-website s9 t1`; if it is somebody else: give the old account another email in website"
	check(t, []row{
		{name: "keeps the account, and is reported", of: gone(nil, false), notes: []string{says}, class: diff.Failed},
		{name: "is not reported where the account goes over at once", of: gone(nil, true), class: diff.Unchanged, reason: "goes over to anna (id s9)"},
		{name: "is let go of where the account is inactive already", of: gone(accounts{inactive}, false), class: diff.Unchanged, release: true},
		{name: "is not deleted", change: func(s *scene) { s.sync.Actions.Delete = "1d" }, of: gone(accounts{inactive}, false, ours), notes: []string{says}, class: diff.Failed},
		{
			name: "is left to the other sync that holds the account",
			of: func(s *scene) diff.Case {
				c := gone(nil, false, released)(s)
				c.OtherClaims = []string{"other"}
				return c
			},
			class: diff.Unchanged, reason: "already let go",
		},
	})
}

func TestATargetAccountThatIsNoLongerTheOneItWas(t *testing.T) {
	t.Parallel()
	stranger := accounts{with("username", "mallory"), with("email", "mallory@example.com"), in("r-subscriber")}
	says := "identity: its account in website (id t1) is no longer the one that was linked (username is \"mallory\" and was \"anna\", email is \"mallory@example.com\" and was \"anna@example.com\"), so nothing is written to it; "
	another := func(change func(*diff.Case)) func(*scene) diff.Case {
		return func(s *scene) diff.Case {
			c := linked(nil, stranger)(s)
			change(&c)
			return c
		}
	}
	check(t, []row{
		{
			name: "gets no names and no groups", of: linked(accounts{in("g-web")}, stranger), class: diff.Failed,
			notes: []string{says + "if it is the account of somebody else: `rollcall unlink staff-to-website s1`; if somebody renamed it: the same, and then `rollcall link staff-to-website s1 t1`"},
		},
		{name: "is not deactivated", of: linked(accounts{inactive}, stranger), notes: []string{says}, class: diff.Failed},
		{name: "is not deactivated for who left the scope", of: linked(accounts{away}, stranger), notes: []string{says}, class: diff.Failed},
		{
			name: "is not deactivated for who is gone", of: another(func(c *diff.Case) { c.Source, c.SourceMissing = nil, diff.Gone }), class: diff.Failed,
			notes: []string{says + "if it is the account of somebody else: `rollcall unlink staff-to-website s1`; if somebody renamed it: deactivate it in website"},
		},
		{
			name: "is not written back", change: func(s *scene) {
				s.sync.Attributes[0].Direction, s.sync.Attributes[1].Direction = rules.Both, rules.Both
			},
			of: linked(nil, stranger), notes: []string{says}, class: diff.Failed,
		},
		{
			name: "is what the source asks for by now", of: linked(accounts{with("username", "mallory"), with("nickname", "Mal")}, stranger),
			writes: []string{"target update email=anna@example.com nickname=Mal"}, class: diff.Changed,
		},
		{name: "has only another e-mail", of: linked(nil, accounts{with("email", "new@example.com")}), writes: []string{"target update email=anna@example.com"}, class: diff.Changed},
		{name: "has only another username", of: linked(nil, accounts{with("username", "new")}), writes: []string{"target update username=anna"}, class: diff.Changed},
		{name: "does not tell its e-mail", of: linked(nil, accounts{with("username", "new"), without("email")}), writes: []string{"target update username=anna email=anna@example.com"}, class: diff.Changed},
		{name: "was in the middle of an exchange", of: linked(nil, accounts{with("username", "new"), with("email", "rollcall-moving-0123@example.invalid")}), writes: []string{"target update username=anna email=anna@example.com"}, class: diff.Changed},
		{name: "has no base to be compared with", of: linked(nil, stranger, noBase("email")), writes: []string{"target update username=anna email=anna@example.com"}, class: diff.Changed},
		{
			name: "has names that another sync leads",
			of:   another(func(c *diff.Case) { c.LedElsewhere = map[string]string{"email": "other"} }), writes: []string{"target update username=anna"}, class: diff.Changed,
		},
		{
			name: "is renamed by hand where nothing is updated, and is deactivated", change: func(s *scene) { s.sync.Actions.Update = false },
			of: linked(accounts{inactive}, stranger), writes: []string{"target deactivate with r-subscriber"}, class: diff.Changed,
		},
		{name: "is let go of already", of: another(func(c *diff.Case) { c.Source, c.SourceMissing, c.Link.Held = nil, diff.Suspected, false }), reason: "already let go"},
	})
}
