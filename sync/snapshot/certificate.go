package snapshot

import (
	"fmt"
	"strings"
)

// Certificate says whether a listing is proven complete, clause by clause. Nobody loses access without it.
type Certificate struct {
	Complete bool     `json:"complete"`
	Clauses  []Clause `json:"clauses"`
}

// Clause is one proof.
type Clause struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Detail says what was seen; Remedy what to do about a failed clause.
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// The names of the clauses.
const (
	ClauseChain   = "page chain closed"
	ClauseRepeats = "no account listed twice"
	ClauseCount   = "count agrees with the directory's own"
	ClauseWhole   = "records whole"
	ClauseGroups  = "groups read whole"
	ClauseSize    = "size within the usual band"
	ClauseWitness = "direct look-ups agree"
	ClauseDirect  = "looked up directly"
)

func (c *Certificate) add(name string, passed bool, detail, remedy string) {
	if passed {
		remedy = ""
	}
	c.Clauses = append(c.Clauses, Clause{Name: name, Passed: passed, Detail: detail, Remedy: remedy})
	c.Complete = true
	for _, clause := range c.Clauses {
		c.Complete = c.Complete && clause.Passed
	}
}

// Contradict voids the certificate: something was seen that cannot be if the listing were whole.
func (c *Certificate) Contradict(what string) {
	c.add(ClauseWitness, false, what, "the directory leaves accounts out of its listing; check the rights of the account that Rollcall signs in with, then run again")
}

// JudgeCount judges the number of accounts that a directory tells, as the size of a listing would be.
func (c *Certificate) JudgeCount(name string, n int, expect Expectation) {
	detail, usual := expect.Judge(n)
	if n == 0 && !usual {
		detail = "nobody"
	}
	c.add(ClauseSize, usual, name+" counts "+detail, trustRemedy(name))
}

// Doubt adds a clause that failed.
func (c *Certificate) Doubt(name, detail, remedy string) { c.add(name, false, detail, remedy) }

// Failed returns what failed, as one sentence; empty for a complete listing.
func (c Certificate) Failed() string {
	var failed []string
	for _, clause := range c.Clauses {
		if !clause.Passed {
			failed = append(failed, clause.Detail) // the name says what should be
		}
	}
	return strings.Join(failed, "; ")
}

// Remedies returns what to do about the failed clauses.
func (c Certificate) Remedies() []string {
	var remedies []string
	for _, clause := range c.Clauses {
		if !clause.Passed && clause.Remedy != "" {
			remedies = append(remedies, clause.Remedy)
		}
	}
	return remedies
}

// Expectation is what is known of a directory before it is listed.
type Expectation struct {
	// LastCount is the number of accounts in the last complete listing; -1 when there was none.
	LastCount int
	// Linked is the number of accounts that links point to.
	Linked int
	// Trust is set when an administrator said for this run that the size is right, whatever it is.
	Trust bool
}

// bandFloor and bandShare are the usual band: a listing that shrinks by more than half, and by more than a handful, is
// more often broken than true.
const (
	bandFloor = 5
	bandShare = 0.5
)

// judge gives the verdict on a listing.
func (s *Snapshot) judge(expect Expectation, facts listingFacts) {
	c := &s.Certificate
	name := s.Description.Name
	if facts.broke != nil {
		c.add(ClauseChain, false, fmt.Sprintf("the listing broke off after %s: %v", accounts(s.Len()), facts.broke),
			fmt.Sprintf("run again when %s answers; `rollcall check` tells more", name))
	} else {
		c.add(ClauseChain, true, fmt.Sprintf("%d pages, the last one marked as the last", facts.pages), "")
	}
	c.add(ClauseRepeats, facts.repeated == 0, accounts(facts.repeated)+" came more than once",
		"accounts were added or removed during the listing, or the server repeats pages; run again")
	s.judgeCount(facts)
	s.judgeWhole(expect, facts)
	if facts.groupsAsked {
		c.add(ClauseGroups, facts.groupsBroke == nil, orElse(errorText(facts.groupsBroke), fmt.Sprintf("%d groups", len(s.Groups))),
			fmt.Sprintf("run again when %s answers, or give the right to read groups and members", name))
	}
	s.judgeSize(expect)
}

// judgeWhole looks at what the directory itself doubts. A listing that came to its end with nobody in it may be doubted for that
// alone, and an administrator who says that the size is true has answered it. A doubt about rights is another matter: the
// directory would tell no more however often it is trusted.
func (s *Snapshot) judgeWhole(expect Expectation, facts listingFacts) {
	detail := orElse(facts.doubt, "all fields that only an administrator sees are there")
	aboutRights := facts.remedy == "" // see directory.AccountPage
	trusted := expect.Trust && facts.doubt != "" && !aboutRights && facts.broke == nil && s.Len() == 0
	if trusted {
		detail += ", taken as true for this run"
	}
	s.Certificate.add(ClauseWhole, facts.doubt == "" || trusted, detail,
		orElse(facts.remedy, fmt.Sprintf("give the account that Rollcall signs in to %s with the rights that `rollcall check` names", s.Description.Name)))
}

func (s *Snapshot) judgeCount(facts listingFacts) {
	disagree := func(agree bool) string {
		switch {
		case agree:
			return ""
		case facts.totalMoved:
			return "the count changed during the listing: "
		default:
			return "the count does not agree: "
		}
	}
	remedy := "accounts were added or removed during the listing, or the account that Rollcall signs in with may not see all of them; run again, then `rollcall check`"
	switch {
	case facts.countErr != nil:
		s.Certificate.add(ClauseCount, false, "the count could not be read: "+facts.countErr.Error(), remedy)
	case facts.before >= 0 || facts.after >= 0:
		agree := s.Len() == facts.before && s.Len() == facts.after
		s.Certificate.add(ClauseCount, agree, disagree(agree)+fmt.Sprintf("%d listed, %d counted before and %d after", s.Len(), facts.before, facts.after), remedy)
	case facts.total >= 0:
		agree := s.Len() == facts.total && !facts.totalMoved
		s.Certificate.add(ClauseCount, agree, disagree(agree)+fmt.Sprintf("%d listed, %d counted", s.Len(), facts.total), remedy)
	}
}

// judgeSize compares with the last complete listing.
func (s *Snapshot) judgeSize(expect Expectation) {
	detail, usual := expect.Judge(s.Len())
	s.Certificate.add(ClauseSize, usual, detail, trustRemedy(s.Description.Name))
}

func trustRemedy(name string) string {
	return fmt.Sprintf("if this is true, say so for one run: --trust-size %s", name)
}

// Judge says whether a number of accounts is within the usual band. Empty is always a failure, unless nothing was expected
// or somebody said that it is true.
func (e Expectation) Judge(n int) (detail string, usual bool) {
	switch {
	case e.Trust:
		return accounts(n) + ", taken as true for this run", true
	case n == 0 && (e.Linked > 0 || e.LastCount > 0):
		return "the listing is empty", false
	case e.LastCount >= 0 && e.LastCount-n > bandFloor && float64(n) < bandShare*float64(e.LastCount):
		return fmt.Sprintf("%s, after %d in the last complete listing", accounts(n), e.LastCount), false
	default:
		return accounts(n), true
	}
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func accounts(n int) string {
	if n == 1 {
		return "1 account"
	}
	return fmt.Sprintf("%d accounts", n)
}
