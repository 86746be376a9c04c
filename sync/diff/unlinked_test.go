package diff_test

import (
	"testing"

	"github.com/rollcall-sync/rollcall/sync/diff"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/rules"
)

// candidate is an unlinked target account that matches by e-mail.
func candidate(s *scene, change ...func(*diff.Candidate)) []diff.Candidate {
	c := diff.Candidate{Record: *s.target(), By: "email"}
	for _, f := range change {
		f(&c)
	}
	return []diff.Candidate{c}
}

const createsAnna = "target create username=anna email=anna@example.com with r-subscriber"

func TestAnAccountOfTheSourceWithoutALink(t *testing.T) {
	t.Parallel()
	alone := func(change ...func(*directory.Account)) func(*scene) diff.Case {
		return func(s *scene) diff.Case { return diff.Case{Source: s.source(change...)} }
	}
	check(t, []row{
		{name: "is created", of: alone(), writes: []string{createsAnna}, class: diff.Changed, hold: true, reason: "in scope and not in website yet"},
		{
			name: "is created with the groups of its own, also those that are yet to be made",
			change: func(s *scene) {
				s.sync.GroupOptions.Create = true
				s.sync.Groups = append(s.sync.Groups, rules.Group{Target: "newcomers", When: "true"})
			},
			of:     alone(in("g-web")),
			writes: []string{"target create username=anna email=anna@example.com with r-editor+r-subscriber and new newcomers"}, class: diff.Changed, hold: true,
		},
		{
			name: "is created without a group that does not exist and may not be made", change: func(s *scene) {
				s.sync.Groups = append(s.sync.Groups, rules.Group{Target: "newcomers", When: "true"})
			},
			of: alone(), writes: []string{createsAnna}, notes: []string{`invalid: group "newcomers" does not exist in website; create it there, or set group_options.create`},
			class: diff.Failed, hold: true,
		},
		{name: "is left alone when it is inactive", of: alone(inactive), class: diff.Skipped, reason: "inactive in staff, and it has no account in website"},
		{name: "is left alone when it is out of scope", of: alone(away), class: diff.Skipped, reason: `out of scope (department != "Away")`},
		{
			name: "is not created when Rollcall signs in with it", of: func(s *scene) diff.Case {
				c := diff.Case{Source: s.source()}
				c.Source.Self = true
				return c
			},
			notes: []string{"protected: has no link to website and is given none (Rollcall signs in with it)"}, class: diff.Skipped,
		},
		{
			name: "is not created when it is protected", change: func(s *scene) { s.sync.Protect = []string{`username == "anna"`} }, of: alone(),
			notes: []string{`protected: has no link to website and is given none (protected by username == "anna")`}, class: diff.Skipped,
		},
		{name: "is reported when its status is not told", of: alone(unknown), notes: []string{"unknown: staff does not tell whether it is active"}, class: diff.Skipped},
		{
			name: "is reported when its scope cannot be told", change: func(s *scene) { s.sync.Scope = `"Web editors" in groups` }, of: alone(groupsUnknown),
			notes: []string{"unknown: whether it is in scope cannot be told: needs the groups"}, class: diff.Skipped,
		},
		{
			name: "waits while its groups cannot be told", of: alone(groupsUnknown),
			notes: []string{"unknown: its groups cannot be told, so it is not created yet"}, class: diff.Skipped,
		},
		{
			name: "is not created where creating is switched off", change: func(s *scene) { s.sync.Actions.Create = false }, of: alone(),
			class: diff.Skipped, reason: "actions.create is off",
		},
		{
			name:   "is not created where creating is switched off, and nobody asks for what it lacks",
			change: func(s *scene) { s.sync.Actions.Create = false }, of: alone(without("username")), class: diff.Skipped, reason: "actions.create is off",
		},
		{
			name: "is reported where the target cannot create", change: func(s *scene) { s.decider.TargetPowers.Create = false }, of: alone(),
			notes: []string{"unsupported: website cannot create accounts"}, class: diff.Skipped,
		},
		{
			name: "is withheld while the target's listing is not proven complete", change: func(s *scene) { s.decider.Creations = false }, of: alone(),
			notes: []string{"withheld: would be created, but might be there already"}, class: diff.Skipped,
			reason: "withheld: would be created, but might be there already; the listing of staff is not proven complete",
		},
		{name: "fails when its record cannot be used", of: alone(problem), notes: []string{"invalid: the record cannot be used"}, class: diff.Failed},
		{
			name: "fails without an attribute that the target requires", of: alone(without("username")),
			notes: []string{"invalid: username is required by website and the rules give none"}, class: diff.Failed,
		},
		{
			name: "fails without an attribute that a rule requires", change: func(s *scene) { s.sync.Attributes[1].Required = true }, of: alone(with("email", "")),
			notes: []string{"invalid: email: is required and has no value"}, class: diff.Failed,
		},
		{
			name: "fails with a value that is too long", of: alone(with("username", "a name of more than twenty letters")),
			notes: []string{`invalid: username "a name of more than twenty letters" has more than the 20 characters that website takes`, "invalid: username is required"}, class: diff.Failed,
		},
		{
			name: "fails while a value depends on groups that were not read", change: func(s *scene) {
				s.sync.Groups = nil
				s.sync.Attributes[2] = rules.Attribute{Target: "nickname", From: `"Web editors" in groups ? "Editor" : ""`}
			},
			of: alone(groupsUnknown), notes: []string{"invalid: nickname cannot be told: it depends on groups that were not read"}, class: diff.Failed,
		},
		{
			name: "is created without a value that the target cannot take", change: func(s *scene) {
				spec(&s.decider.Target, "nickname", func(a *directory.AttributeSpec) { a.Writable = false })
			},
			of: alone(with("nickname", "Anni")), writes: []string{createsAnna}, notes: []string{"unsupported: nickname cannot be written in website"},
			class: diff.Changed, hold: true,
		},
	})
}

func TestAMatchWithoutALink(t *testing.T) {
	t.Parallel()
	matching := func(change ...func(*diff.Candidate)) func(*scene) diff.Case {
		return func(s *scene) diff.Case { return diff.Case{Source: s.source(), Candidates: candidate(s, change...)} }
	}
	account := func(change func(*directory.Account)) func(*diff.Candidate) {
		return func(c *diff.Candidate) { change(&c.Record.Account) }
	}
	unverified := func(a *directory.Account) { a.Attributes["email_verified"] = directory.Bool(false) }
	gone := func(c *diff.Candidate) { c.LinkedTo, c.Gone = "Anna the first", true }
	rehire := func(s *scene) { s.sync.Actions.Rehire = rules.LinkIt }
	check(t, []row{
		{name: "is linked", of: matching(), writes: []string{"target link"}, class: diff.Changed, hold: true, reason: "same email"},
		{
			name: "is linked, then updated, and its groups are set right",
			of: func(s *scene) diff.Case {
				return diff.Case{Source: s.source(with("username", "anna.new"), in("g-web")), Candidates: candidate(s)}
			},
			writes: []string{"target link", "target update username=anna.new", "target group_add editor"}, class: diff.Changed, hold: true,
		},
		{
			name: "is reported when there are several",
			of: func(s *scene) diff.Case {
				other := diff.Candidate{Record: *s.targetRecord(anna("t2", with("username", "anna2"))), By: "email"}
				return diff.Case{Source: s.source(), Candidates: append(candidate(s), other)}
			},
			notes: []string{"ambiguous: 2 accounts match, link the right one: anna (id t1, by email): `rollcall link staff-to-website s1 t1`; anna2 (id t2, by email): `rollcall link staff-to-website s1 t2`"}, class: diff.Skipped,
		},
		{
			name: "is reported when it is linked to somebody else", of: matching(func(c *diff.Candidate) { c.LinkedTo = "berta" }),
			notes: []string{"ambiguous: matches anna (id t1, by email), which is linked to berta"}, class: diff.Skipped,
		},
		{
			name: "is reported when it is linked to somebody else, also where rehires are linked", change: rehire,
			of:    matching(func(c *diff.Candidate) { c.LinkedTo = "berta" }),
			notes: []string{"ambiguous: matches anna (id t1, by email), which is linked to berta"}, class: diff.Skipped,
		},
		{
			name: "is reported when it belonged to somebody who is gone", of: matching(gone),
			notes: []string{"who is gone from staff; if this is the same person: `rollcall link staff-to-website s1 t1`"}, class: diff.Skipped,
		},
		{
			name: "is linked when it belonged to somebody who is gone and addresses are never reused", change: rehire, of: matching(gone),
			writes: []string{"target link"}, class: diff.Changed, hold: true,
		},
		{
			name: "is activated for a rehire when we deactivated it", change: rehire,
			of:     matching(gone, account(inactive), func(c *diff.Candidate) { c.Ours, c.RememberedGroups = true, []string{"r-subscriber"} }),
			writes: []string{"target link", "target activate with r-subscriber"}, class: diff.Changed, hold: true,
		},
		{
			name: "stays inactive for a rehire when somebody else deactivated it", change: rehire, of: matching(gone, account(inactive)),
			writes: []string{"target link"}, notes: []string{"respected: anna was deactivated in website by somebody else"}, class: diff.Changed, hold: true,
		},
		{
			name: "is never linked when it is privileged", of: matching(account(privileged)),
			notes: []string{"protected: matches anna (id t1, by email), which is never linked automatically (privileged: role administrator); to link it all the same: `rollcall link staff-to-website s1 t1`"},
			class: diff.Skipped,
		},
		{
			name: "is never linked when a rule protects the source's account, also where every match is linked",
			change: func(s *scene) {
				s.sync.Protect = []string{`department == "Board"`}
				s.sync.Actions.Link = rules.LinkAny
			},
			of: func(s *scene) diff.Case {
				return diff.Case{Source: s.source(with("department", "Board")), Candidates: candidate(s)}
			},
			notes: []string{"protected: matches anna (id t1, by email), and is never linked automatically (protected by department == \"Board\"); to link it all the same: `rollcall link staff-to-website s1 t1`"}, class: diff.Skipped,
		},
		{
			name:   "is never linked when a rule protects it, also where every match is linked",
			change: func(s *scene) { s.sync.Actions.Link = rules.LinkAny },
			of:     matching(func(c *diff.Candidate) { c.Record.Protected = `username == "anna"` }),
			notes:  []string{"protected: matches anna (id t1, by email), which is never linked automatically (protected by username == \"anna\")"}, class: diff.Skipped,
		},
		{
			name: "is never linked when Rollcall signs in with it", of: matching(func(c *diff.Candidate) { c.Record.Self = true }),
			notes: []string{"which is never linked automatically (Rollcall signs in with it)"}, class: diff.Skipped,
		},
		{name: "fails when its record cannot be used", of: matching(account(problem)), notes: []string{"invalid: matches anna (id t1, by email), whose record cannot be used"}, class: diff.Failed},
		{
			name: "is reported where linking is by hand", change: func(s *scene) { s.sync.Actions.Link = rules.Report }, of: matching(),
			notes: []string{"match: matches anna (id t1, by email); link it with `rollcall link staff-to-website s1 t1`"}, class: diff.Skipped,
		},
		{
			name:  "is reported when the source says that the e-mail is not verified",
			of:    func(s *scene) diff.Case { return diff.Case{Source: s.source(unverified), Candidates: candidate(s)} },
			notes: []string{"but staff says that the e-mail is not verified"}, class: diff.Skipped,
		},
		{
			name: "is not linked by another attribute either when the e-mail is not verified",
			of: func(s *scene) diff.Case {
				return diff.Case{Source: s.source(unverified), Candidates: candidate(s, func(c *diff.Candidate) { c.By = "username" })}
			},
			notes: []string{"matches anna (id t1, by username), but staff says that the e-mail is not verified"}, class: diff.Skipped,
		},
		{
			name: "is linked although the e-mail is not verified, where every match is linked", change: func(s *scene) { s.sync.Actions.Link = rules.LinkAny },
			of:     func(s *scene) diff.Case { return diff.Case{Source: s.source(unverified), Candidates: candidate(s)} },
			writes: []string{"target link"}, class: diff.Changed, hold: true,
		},
	})
}

func TestALinkOfARehireSaysWhoseItReplaces(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(s *scene) { s.sync.Actions.Rehire = rules.LinkIt })
	c := diff.Case{Source: s.source(), Candidates: candidate(s, func(c *diff.Candidate) { c.LinkedTo, c.Gone = "Anna the first", true })}
	if got := s.decider.Decide(c).Operations[0]; got.Replaces != "Anna the first" || got.Origin != "matched" || got.SourceID != "s1" || got.TargetID != "t1" {
		t.Errorf("got %+v", got)
	}
	c = diff.Case{Source: s.source(), Candidates: candidate(s)}
	if got := s.decider.Decide(c).Operations[0]; got.Replaces != "" {
		t.Errorf("a first link replaces %q", got.Replaces)
	}
}

func TestAnAccountOfTheTargetWithoutALink(t *testing.T) {
	t.Parallel()
	alone := func(change ...func(*directory.Account)) func(*scene) diff.Case {
		return func(s *scene) diff.Case { return diff.Case{Target: s.target(change...)} }
	}
	back := func(s *scene) { s.sync.Writeback.Create = true }
	check(t, []row{
		{name: "is unmanaged", of: alone(), class: diff.Unchanged, reason: "unmanaged"},
		{name: "is created in the source where that is allowed", change: back, of: alone(with("nickname", "Anni")), writes: []string{"source create nickname=Anni username=anna email=anna@example.com"}, class: diff.Changed, hold: true, reason: "new in website, and writeback.create is on"},
		{name: "stays unmanaged when it is inactive", change: back, of: alone(inactive), class: diff.Unchanged, reason: "unmanaged"},
		{name: "stays unmanaged when its status is not told", change: back, of: alone(unknown), class: diff.Unchanged, reason: "unmanaged"},
		{name: "stays unmanaged when it is privileged", change: back, of: alone(privileged), class: diff.Unchanged, reason: "unmanaged"},
		{name: "stays unmanaged when its record cannot be used", change: back, of: alone(problem), class: diff.Unchanged, reason: "unmanaged"},
		{name: "stays unmanaged outside of the scope of the way back", change: func(s *scene) { back(s); s.sync.Writeback.Scope = `username == "berta"` }, of: alone(), class: diff.Unchanged, reason: "unmanaged"},
		{
			name: "is withheld while a listing is not proven complete", change: func(s *scene) { back(s); s.decider.Creations = false }, of: alone(),
			notes: []string{"withheld: would be created in staff, but might be there already"}, class: diff.Skipped,
		},
		{
			name: "is reported where the source cannot create", change: func(s *scene) { back(s); s.decider.SourcePowers.Create = false }, of: alone(),
			notes: []string{"unsupported: staff cannot create accounts"}, class: diff.Skipped,
		},
		{
			name: "fails without what the source requires", change: func(s *scene) {
				back(s)
				spec(&s.decider.Source, "title", func(a *directory.AttributeSpec) { a.Required = true })
			},
			of: alone(), notes: []string{"invalid: staff requires title, and no two-way rule gives it"}, class: diff.Failed,
		},
		{
			name: "gives its username although no rule names it", change: func(s *scene) { back(s); s.sync.Attributes = s.sync.Attributes[2:] },
			of: alone(), writes: []string{"source create username=anna email=anna@example.com"}, class: diff.Changed, hold: true,
		},
		{
			name: "gives no value that is too long for the source", change: back, of: alone(with("nickname", "a name of more than twenty letters")),
			writes: []string{"source create username=anna email=anna@example.com"}, class: diff.Changed, hold: true,
		},
	})
}
