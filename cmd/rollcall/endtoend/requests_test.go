package endtoend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// nightRequests is what the README of Keycloak states for a quiet night of so many people and groups, in pages of a size;
// members are those of the groups that the rules name.
func nightRequests(people, groups, page int, members ...int) int64 {
	pages := func(n int) int { return (n + page - 1) / page }
	const signIn, counts, lastPage = 1, 2, 1
	// The client of the administrators' roles, those roles, the holders of nine, the realm's roles, the user stores.
	const administrators = 1 + 1 + 9 + 1 + 1
	sum := signIn + counts + pages(people) + lastPage + administrators + pages(groups) + pages(groups)
	for _, m := range members {
		sum += max(1, pages(m))
	}
	return int64(sum)
}

// onePersonRequests is what the same README states for one person on demand.
const onePersonRequests = 13

// TestRequestsToKeycloak counts what a real server was asked, by the server's side of the connection.
func TestRequestsToKeycloak(t *testing.T) {
	t.Parallel()
	const page = 100
	for _, size := range []struct{ people, groups int }{{250, 12}, {430, 110}} {
		t.Run(fmt.Sprintf("%d people, %d groups", size.people, size.groups), func(t *testing.T) {
			realm := real.Keycloak(t).Realm(t)
			people, members := real.People(1, size.people), make([]int, size.groups)
			for i := range size.groups {
				realm.AddGroup(fmt.Sprintf("Group %d", i))
			}
			for i := range people {
				group := i * i % size.groups // some are large, others empty
				members[group]++
				people[i].Groups = []string{fmt.Sprintf("/Group %d", group)}
			}
			realm.AddPeople(people...)
			g := newGate(t, realm.URL)
			realm.URL = g.URL
			p := newProgram(t, fmt.Sprintf(`state: rollcall.db
directories:
  staff: %s
  website: {type: store, path: website.db}
syncs:
  web:
    source: staff
    target: website
    attributes: {username: username, email: email}
    group_options: {mirror: ["*"], create: true}
`, strings.Replace(keycloakLine(realm), "{", fmt.Sprintf("{page_size: %d, ", page), 1)))
			p.run(engine.StatusOK, fmt.Sprintf("created %d", size.people), "import", "web")

			var report engine.Report
			requests, writes := g.count(func() { report = p.sync(engine.StatusNothing, "") })
			want := nightRequests(size.people, size.groups, page, members...)
			if int64(len(requests)) != want || report.Requests.Source != want || writes != 1 {
				t.Errorf("a quiet night took %d requests, %d of them writes, and reports %d; want %d and the sign-in: %q",
					len(requests), writes, report.Requests.Source, want, requests)
			}
			requests, _ = g.count(func() { report = p.sync(engine.StatusNothing, "", "--account", people[3].Username) })
			want = onePersonRequests + 2*int64(max(0, (size.groups-1)/page)) // the groups, twice
			if int64(len(requests)) != want || report.Requests.Source != want {
				t.Errorf("one person took %d requests and reports %d, want %d: %q", len(requests), report.Requests.Source, want, requests)
			}
		})
	}
}
