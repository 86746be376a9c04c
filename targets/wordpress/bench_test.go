package wordpress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// BenchmarkCreate creates users on a real site through the directory and, in the same run and taking turns with it, with a
// bare HTTP client that has as many connections and sends the same bodies. It tells creations per second of both, and the
// share of the bare client's speed that the directory reaches.
//
//	go run ./sync/directory/directorytest/real/start -- go test ./targets/wordpress -run '^$' -bench Create -benchtime 20x
//
// One iteration is a round of 100 accounts on each side.
func BenchmarkCreate(b *testing.B) {
	for _, c := range []struct {
		name        string
		connections int
		code        string
	}{
		{"one connection", 1, ""},
		{"four connections", 4, ""},
		{"four connections, batches", 4, usersInBatches},
	} {
		b.Run(c.name, func(b *testing.B) {
			const round = 100
			s := real.WordPress(b, real.WithPHP(c.code))
			d := openReal(b, s, "write_concurrency", c.connections)
			bare := &bareClient{s: s, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.connections}}}
			var ours, theirs time.Duration
			n := 0
			batch := func(prefix string) (requests []directory.CreateRequest) {
				for range round {
					n++
					requests = append(requests, directory.CreateRequest{Status: directory.StatusActive, Attributes: person(fmt.Sprintf("%s%06d", prefix, n))})
				}
				return requests
			}
			bare.create(b, batch("warm"), c.connections)
			for b.Loop() {
				started := time.Now()
				results, err := d.CreateAccounts(b.Context(), batch("ours"))
				ours += time.Since(started)
				if err != nil {
					b.Fatal(err)
				}
				for _, result := range results {
					if result.Err != nil {
						b.Fatal(result.Err)
					}
				}
				started = time.Now()
				bare.create(b, batch("bare"), c.connections)
				theirs += time.Since(started)
			}
			b.ReportMetric(float64(b.N*round)/ours.Seconds(), "creates/s")
			b.ReportMetric(float64(b.N*round)/theirs.Seconds(), "bare-creates/s")
			b.ReportMetric(100*theirs.Seconds()/ours.Seconds(), "%-of-bare")
		})
	}
}

// bareClient is what somebody would write in ten minutes.
type bareClient struct {
	s    *real.WordPressSite
	http *http.Client
}

func (c *bareClient) create(b *testing.B, requests []directory.CreateRequest, connections int) {
	work := make(chan directory.CreateRequest)
	var workers sync.WaitGroup
	for range connections {
		workers.Go(func() {
			for request := range work {
				if err := c.one(request); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, request := range requests {
		work <- request
	}
	close(work)
	workers.Wait()
}

func (c *bareClient) one(request directory.CreateRequest) error {
	data, err := json.Marshal(map[string]any{
		"username": request.Attributes.Text(directory.Username), "email": request.Attributes.Text(directory.Email),
		"password": password(), "roles": []string{"subscriber"},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, c.s.URL+"/wp-json/wp/v2/users", bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.s.Username, c.s.AppPassword)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("status %s", resp.Status)
	}
	return nil
}
