package state

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func openBenchmark(b *testing.B) *DB {
	b.Helper()
	db, err := Open(context.Background(), filepath.Join(b.TempDir(), "rollcall.db"), Options{})
	must(b, err)
	b.Cleanup(func() { must(b, db.Close()) })
	return db
}

// person is a link as real ones are: a UUID, a number, eight attributes of which the target changed one.
func person(random *rand.Rand, n int) Link {
	uuid := fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", random.Uint32(), n&0xffff, random.IntN(4096), random.IntN(4096), random.Int64N(1<<48))
	name := fmt.Sprintf("person%06d", n)
	text := func(s string) Pair { return Pair{directory.Text(s), directory.Text(s)} }
	return Link{
		Sync: staff, SourceDirectory: "staff", TargetDirectory: "website",
		LinkHead:    LinkHead{SourceID: uuid, TargetID: fmt.Sprint(n), SourceHash: random.Uint64(), TargetHash: random.Uint64(), Rules: "5f0c7a91"},
		SourceLabel: name, TargetLabel: name, Origin: OriginCreated, CreatedRun: "20260301T023000-7f3a",
		Base: Base{
			Attributes: map[string]Pair{
				"username": text(name), "first_name": text("Anneliese"), "last_name": text("Winterbottom"),
				"display_name": text("Anneliese Winterbottom"), "department": text("Press"), "locale": text("de_DE"), "title": text("Editor"),
				"email": {directory.Text("Person" + name + "@Example.com"), directory.Text("person" + name + "@example.com")},
			},
			Groups: []string{"editor", "subscriber"}, SourceStatus: directory.StatusActive, TargetStatus: directory.StatusActive,
		},
	}
}

func BenchmarkIntendAndResolve(b *testing.B) {
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d workers", workers), func(b *testing.B) {
			ctx, db := context.Background(), openBenchmark(b)
			must(b, db.BeginRun(ctx, Run{ID: "run1", Sync: staff}))
			operation := json.RawMessage(`{"side":"target","action":"create","changes":[{"attribute":"email","before":"","after":"a@example.com","rule":"email"}]}`)
			var next atomic.Int64
			var group sync.WaitGroup
			for worker := range workers {
				group.Go(func() {
					random := rand.New(rand.NewPCG(uint64(worker), 1))
					for seq := next.Add(1); seq <= int64(b.N); seq = next.Add(1) {
						link := person(random, int(seq))
						must(b, db.Intend(ctx, Entry{Run: "run1", Seq: seq, Sync: staff, Side: "target", Action: "create", SourceID: link.SourceID, Account: link.SourceLabel, Operation: operation}))
						must(b, db.Resolve(ctx, Outcome{Run: "run1", Seq: seq, Result: ResultDone, Link: &link}))
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accounts/s")
		})
	}
}

func BenchmarkLinks(b *testing.B) {
	const count, chunk = 100_000, 2000
	ctx, db := context.Background(), openBenchmark(b)
	random := rand.New(rand.NewPCG(1, 1))
	var links []Link
	for n := range count {
		links = append(links, person(random, n+1))
		if len(links) == chunk {
			must(b, db.SaveLinks(ctx, links...))
			links = links[:0]
		}
	}
	_, err := db.writer.db.Exec("PRAGMA wal_checkpoint(truncate)")
	must(b, err)
	info, err := os.Stat(db.path)
	must(b, err)
	var last LinkHead
	b.Run("walk all", func(b *testing.B) {
		for b.Loop() {
			must(b, db.Links(ctx, staff, func(head LinkHead) error { last = head; return nil }))
		}
		b.ReportMetric(count*float64(b.N)/b.Elapsed().Seconds(), "links/s")
		b.ReportMetric(float64(info.Size())/count, "bytes/link")
	})
	b.Run("load one", func(b *testing.B) {
		for b.Loop() {
			_, err := db.LinkBySource(ctx, staff, last.SourceID)
			must(b, err)
		}
	})
	b.Run("find by label", func(b *testing.B) {
		for b.Loop() {
			found, err := db.FindLinks(ctx, staff, "PERSON050000")
			if err != nil || len(found) != 1 {
				b.Fatal(len(found), err)
			}
		}
	})
}
