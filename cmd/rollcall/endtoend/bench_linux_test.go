package endtoend

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
	"github.com/rollcall-sync/rollcall/sync/engine"
)

// peak is the most memory that the last process had, in MiB.
func (p *program) peak() float64 {
	return float64(p.ended.SysUsage().(*syscall.Rusage).Maxrss) / 1024
}

func BenchmarkImportOf10000FromFileToStore(b *testing.B) {
	const people = 10_000
	peak := 0.0
	for b.Loop() {
		p := newProgram(b, storeConfig)
		p.write("people.csv", peopleFile(people))
		p.run(engine.StatusOK, fmt.Sprintf("created %d", 1+people), "import", "web")
		peak = max(peak, p.peak())
	}
	b.ReportMetric(peak, "MiB")
}

// BenchmarkQuietNight measures nights without a change between a real Keycloak and the store: requests, the fewest that
// could do (sign-in, count, pages, groups, members), and memory.
func BenchmarkQuietNight(b *testing.B) {
	for _, people := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			const groups, page = 20, 1000
			realm := real.Keycloak(b).Realm(b)
			for i := range groups {
				realm.AddGroup(fmt.Sprintf("Group %d", i))
			}
			list, members := real.People(1, people), make([]int, groups)
			for i := range list {
				members[i%groups]++
				list[i].Groups = []string{fmt.Sprintf("/Group %d", i%groups)}
			}
			realm.AddPeople(list...)
			p := newProgram(b, fmt.Sprintf(`state: rollcall.db
directories:
  staff: %s
  website: {type: store, path: website.db}
syncs:
  web:
    source: staff
    target: website
    group_options: {mirror: ["*"], create: true}
`, keycloakLine(realm)))
			first := p.run(engine.StatusOK, fmt.Sprintf("created %d", people), "import", "web")
			b.Logf("import: %.1f s, %d requests, %.0f MiB", first.Seconds, first.Requests.Source, p.peak())
			p.sync(engine.StatusNothing, "")
			peak, requests := 0.0, int64(0)
			for b.Loop() {
				requests = p.sync(engine.StatusNothing, "").Requests.Source
				peak = max(peak, p.peak())
			}
			if want := nightRequests(people, groups, page, members...); requests != want {
				b.Errorf("%d requests, want %d", requests, want)
			}
			fewest := 1 + 1 + people/page + 1 + groups*((people/groups+page-1)/page)
			b.ReportMetric(peak, "MiB")
			b.ReportMetric(float64(requests), "requests")
			b.ReportMetric(float64(fewest), "fewest")
		})
	}
}
