package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-sync/rollcall/config"
	connectors "github.com/rollcall-sync/rollcall/connectors/all"
	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/mapping"
	"github.com/rollcall-sync/rollcall/sync/rules"
	targets "github.com/rollcall-sync/rollcall/targets/all"
)

// commandRead lists both sides of a configuration at the same time and drops what comes: what a plan cannot do without. It
// runs with Go's own setting of the garbage collector, so that what the program pays for less memory shows in the ratio.
const commandRead = "read"

func readCommand(ctx context.Context, arguments []string, talk io.Writer) int {
	if err := readBoth(ctx, arguments[0]); err != nil {
		fmt.Fprintln(talk, err)
		return exitFailed
	}
	return 0
}

// pairing is the one sync of a configuration, with both sides open.
type pairing struct {
	rules          rules.Sync
	mapping        *mapping.Mapping
	source, target directory.Directory
}

// openPairing opens the directories of a configuration as the program does.
func openPairing(path string) (*pairing, error) {
	loaded, err := config.Load(config.Options{Paths: []string{path}, Types: slices.Concat(connectors.Types(), targets.Types())})
	if err != nil {
		return nil, err
	}
	p := &pairing{rules: loaded.Syncs[0]}
	compiled, faults := mapping.Compile(p.rules)
	if len(faults) > 0 {
		return nil, errors.New(faults[0].String())
	}
	p.mapping = compiled
	for name, into := range map[string]*directory.Directory{p.rules.Source: &p.source, p.rules.Target: &p.target} {
		configured, _ := loaded.Directory(name)
		if *into, err = configured.Type.Open(configured.Settings); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *pairing) close() error { return errors.Join(p.source.Close(), p.target.Close()) }

func readBoth(ctx context.Context, path string) error {
	p, err := openPairing(path)
	if err != nil {
		return err
	}
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error { return list(reading, p.source, p.mapping.SourceAttributes()) })
	group.Go(func() error { return list(reading, p.target, p.mapping.TargetAttributes()) })
	return errors.Join(group.Wait(), p.close())
}

// list reads all pages, side by side where the directory can name them beforehand, as the engine does.
func list(ctx context.Context, d directory.Directory, attributes []string) error {
	request := directory.ListRequest{Attributes: attributes}
	cursors := []string{""}
	concurrency := max(1, d.Describe().ReadConcurrency)
	if partitioner, ok := d.(directory.Partitioner); ok && concurrency > 1 {
		parts, err := partitioner.Partition(ctx, request)
		if err != nil && !errors.Is(err, directory.Unsupported) {
			return err
		}
		if len(parts) > 0 {
			cursors = parts
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i, cursor := range cursors {
		group.Go(func() error {
			request := request
			for request.Cursor = cursor; ; {
				page, err := d.ListAccounts(ctx, request)
				if err != nil || page.Next == "" || i < len(cursors)-1 {
					return err
				}
				request.Cursor = page.Next
			}
		})
	}
	return group.Wait()
}
