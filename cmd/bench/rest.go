package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// The sizes of row 2. The connections are those that the directory uses unless it is told otherwise, and as many as the
// site has processes.
const (
	restPeople      = 1000
	restConnections = 4
	// warmUp is how many accounts each site makes before it is measured.
	warmUp = 20
)

// rest is row 2. Each round has fresh sites, so that both sides find as many accounts there.
func (b *bench) rest(g *rig) {
	people := b.atMost(restPeople)
	s := shape{people: people}
	list := real.People(1, people)
	ours, bare := g.takeTurns(roundsFor(people), func() cost {
		b.say("importing %s by REST", thousands(people))
		site := warmSite(g)
		p := b.newProgram(g, g.TempDir(), restConfig(site))
		g.must(writePeople(p.path(peopleFile), s, false))
		report, taken := p.sync(g, "import", syncName)
		if report.Counts.Created != people {
			g.Fatalf("the import made %d accounts of %d", report.Counts.Created, people)
		}
		return taken
	}, func() cost {
		b.say("sending %s by the bare client", thousands(people))
		site := warmSite(g)
		client := newBareSite(site)
		return timed(func() { g.must(client.create(g.ctx, list)) })
	})
	b.add(line{
		Row: 2, What: fmt.Sprintf("import of %s by REST, %d connections", thousands(people), restConnections),
		Ours: float64(people) / ours.Seconds, Bare: float64(people) / bare.Seconds, Unit: "creates/s", Least: 0.9, CPU: ours.CPU, Peak: ours.Peak,
	})
}

func restConfig(site *real.WordPressSite) string {
	return fmt.Sprintf(`state: rollcall.db
directories:
  staff: {type: file, path: people.csv}
  website: {type: wordpress, url: %q, username: %q, password: %q, write_concurrency: %d}
syncs:
  web:
    source: staff
    target: website
    attributes:
      username: username
      email: email
      first_name: first_name
      last_name: last_name
      display_name: first_name + " " + last_name
`, site.URL, site.Username, site.AppPassword, restConnections)
}

// warmSite is a fresh site whose processes have compiled what they need.
func warmSite(g *rig) *real.WordPressSite {
	site := real.WordPress(g)
	people := real.People(1, warmUp)
	for i := range people {
		people[i].Username = fmt.Sprintf("warm%d", i)
		people[i].Email = people[i].Username + "@example.com"
	}
	g.must(newBareSite(site).create(g.ctx, people))
	return site
}

// bareSite is what somebody would write in ten minutes.
type bareSite struct {
	site *real.WordPressSite
	http *http.Client
}

func newBareSite(site *real.WordPressSite) *bareSite {
	return &bareSite{site, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: restConnections}}}
}

func (c *bareSite) create(ctx context.Context, people []real.Person) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(restConnections)
	for _, person := range people {
		group.Go(func() error { return c.one(ctx, person) })
	}
	return group.Wait()
}

func (c *bareSite) one(ctx context.Context, person real.Person) error {
	data, err := json.Marshal(map[string]any{
		"username": person.Username, "email": person.Email, "first_name": person.FirstName, "last_name": person.LastName,
		"name": person.FirstName + " " + person.LastName, "password": rand.Text() + rand.Text(), "roles": []string{"subscriber"},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.site.URL+"/wp-json/wp/v2/users?_fields=id", bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.SetBasicAuth(c.site.Username, c.site.AppPassword)
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusCreated {
		err = fmt.Errorf("the site answers the bare client with %s: %.300s", answer.Status, said)
	}
	return err
}
