package endtoend

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// The exit codes, as the README has them.
const (
	exitOK          = 0
	exitWithheld    = 5
	exitAuth        = 8
	exitUnreachable = 9
)

// trouble is a pair in which ten people are about to lose access, so that whatever goes wrong has something to do harm to.
type trouble struct {
	*night
	staff, website *gate
	leavers        []string
}

const troubleRules = `    attributes: {username: username, email: email}
    groups:
      editor: {from: [Editors]}
      subscriber: "true"
    limits: {removals: none}
`

func newTrouble(t *testing.T) *trouble {
	realm := real.Keycloak(t).Realm(t)
	realm.AddGroup("Editors")
	people := real.People(1, 100)
	for i := range people[:20] {
		people[i].Groups = []string{"/Editors"}
	}
	realm.AddPeople(people...)
	site := real.WordPress(t, real.WithMeta("department"))
	tr := &trouble{staff: newGate(t, realm.URL), website: newGate(t, site.URL)}
	realm.URL = tr.staff.URL
	tr.night = newNight(t, realm, site, tr.website.URL, troubleRules)
	tr.change("type: keycloak,", "type: keycloak, page_size: 30,")
	tr.change("type: wordpress,", "type: wordpress, page_size: 30,")
	tr.run(engine.StatusOK, "created 100", "import", "staff-to-website")
	for _, leaver := range people[10:20] {
		tr.leavers = append(tr.leavers, leaver.Username)
		realm.Call(http.MethodDelete, "/users/"+realm.User(leaver.Username).ID, nil, nil)
	}
	return tr
}

// change replaces a part of the configuration and returns the way back.
func (tr *trouble) change(old, now string) (back func()) {
	tr.t.Helper()
	before := tr.read("rollcall.yaml")
	after := strings.Replace(before, old, now, 1)
	if after == before {
		tr.t.Fatalf("the configuration has no %q", old)
	}
	tr.write("rollcall.yaml", after)
	return func() { tr.write("rollcall.yaml", before) }
}

// withoutRole counts the accounts of the site that may do nothing.
func (tr *trouble) withoutRole() int {
	return len(tr.site.Query("SELECT user_id FROM "+tr.site.Prefix+"usermeta WHERE meta_key = ? AND meta_value = 'a:0:{}'", tr.site.Prefix+"capabilities"))
}

// harmless runs a sync that cannot end well: it ends with one of the codes, says so, and nobody loses access.
func (tr *trouble) harmless(t *testing.T, codes []int, says string) {
	t.Helper()
	out, talk, code := tr.command("sync")
	if !slices.Contains(codes, code) || !strings.Contains(out+talk, says) {
		t.Errorf("exit code %d, want one of %v and a word of %q:\n%s\n%s", code, codes, says, out, talk)
	}
	if n := tr.withoutRole(); n != 0 {
		t.Fatalf("%d people lost access:\n%s\n%s", n, out, talk)
	}
}

// pages are the addresses that were read and fit the pattern, in order.
func pages(requests []string, pattern string) (addresses []string) {
	fits := regexp.MustCompile("^GET (" + pattern + ".*)$")
	for _, request := range requests {
		if found := fits.FindStringSubmatch(request); found != nil {
			addresses = append(addresses, found[1])
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

func TestTroubleTakesAccessFromNobody(t *testing.T) {
	t.Parallel()
	tr := newTrouble(t)

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, test := range []struct {
		name, old, now string
		code           int
		says           string
	}{
		{"wrong client secret", tr.realm.ClientSecret, "wrong", exitAuth, "check client_id and client_secret"},
		{"wrong realm", tr.realm.Name, "nowhere", exitAuth, "the server knows no realm nowhere"},
		{"wrong application password", tr.site.AppPassword, "wrong", exitAuth, "application password"},
		{"unreachable identity provider", tr.staff.URL, gone.URL, exitUnreachable, "check the address"},
		{"unreachable website", tr.website.URL, gone.URL, exitUnreachable, "check the address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer tr.change(test.old, test.now)()
			tr.harmless(t, []int{test.code}, test.says)
			if test.code == exitUnreachable {
				return // one wait is enough
			}
			out, talk, code := tr.command("check")
			if code != test.code || !strings.Contains(out, test.says) {
				t.Errorf("check ends with %d, want %d and a word of %q:\n%s\n%s", code, test.code, test.says, out, talk)
			}
		})
	}

	var website []string
	staff, _ := tr.staff.count(func() {
		website, _ = tr.website.count(func() { tr.command("plan") })
	})
	// Users, groups (those that are asked for whole are looked through for administrators) and members.
	staffPages := pages(staff, `/admin/realms/\w+/(users\?|groups\?briefRepresentation=true|groups/[^/]+/members\?)`)
	websitePages := pages(website, `/wp-json/wp/v2/users\?`)
	if len(staffPages) != 3+1+1+1 || len(websitePages) < 4 {
		t.Errorf("the listings are read by %q and %q", staffPages, websitePages)
	}
	ways := map[string]func(w http.ResponseWriter){
		"another page in its place": func(w http.ResponseWriter) { fmt.Fprint(w, "<html>Sign in</html>") },
		"half an answer": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[{"id": "1", "username": "per`)
		},
		"a refusal": func(w http.ResponseWriter) { http.Error(w, `{"error": "HTTP 403 Forbidden"}`, http.StatusForbidden) },
	}
	for _, side := range []struct {
		name  string
		gate  *gate
		pages []string
		codes []int
	}{
		// Which pages have come when one breaks off is chance: where there are some, creations and updates may go on.
		{"staff", tr.staff, staffPages, []int{exitWithheld, exitUnreachable, exitAuth}},
		{"website", tr.website, websitePages, []int{exitUnreachable, exitAuth}},
	} {
		for i, page := range side.pages {
			for way, answer := range ways {
				t.Run(fmt.Sprintf("%s, page %d, %s", side.name, i+1, way), func(t *testing.T) {
					side.gate.bent(func(w http.ResponseWriter, r *http.Request) bool {
						if r.Method != http.MethodGet || r.URL.RequestURI() != page {
							return false
						}
						answer(w)
						return true
					}, func() { tr.harmless(t, side.codes, side.name+": ") })
				})
			}
		}
	}

	// The connection is lost in the middle of the last page, however often it is asked for.
	t.Run("staff, the last page hangs up", func(t *testing.T) {
		tr.staff.bent(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/users") && r.URL.Query().Get("first") == "60" {
				panic(http.ErrAbortHandler)
			}
			return false
		}, func() { tr.harmless(t, []int{exitWithheld, exitUnreachable}, "run again when staff answers") })
	})

	// A token that ends in the middle is renewed, and the run ends as if nothing had been.
	t.Run("the token ends on the second page", func(t *testing.T) {
		var spoilt atomic.Bool
		var requests []string
		tr.staff.bent(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/users") && r.URL.Query().Get("first") == "30" && spoilt.CompareAndSwap(false, true) {
				r.Header.Set("Authorization", "Bearer of-yesterday")
			}
			return false
		}, func() {
			requests, _ = tr.staff.count(func() {
				if out, talk, code := tr.command("plan"); code != exitOK || !strings.Contains(out, "10 to deactivate") {
					t.Errorf("plan ends with %d:\n%s\n%s", code, out, talk)
				}
			})
		})
		signIns := len(slices.DeleteFunc(requests, func(request string) bool { return !strings.HasPrefix(request, "POST ") }))
		if !spoilt.Load() || signIns != 2 {
			t.Errorf("signed in %d times, want twice", signIns)
		}
	})

	// With everything well again, those who left lose their access, and nobody else.
	tr.sync(engine.StatusOK, "deactivated 10")
	if n := tr.withoutRole(); n != len(tr.leavers) {
		t.Errorf("%d people have no role, want the %d who left", n, len(tr.leavers))
	}
}
