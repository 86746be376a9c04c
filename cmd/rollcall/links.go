package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-sync/rollcall/sync/plan"
	"github.com/rollcall-sync/rollcall/sync/state"
)

func newLinkCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "link SYNC SOURCE TARGET",
		Short: "Say that two accounts are the same person",
		Long: "SOURCE and TARGET are an id, a username or an e-mail each. No directory is written; the next run compares the pair.\n" +
			"A privileged or protected account can be linked, and is still never written.",
		Args: arguments(cobra.ExactArgs(3)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLink(cmd.Context(), a, args[0], args[1], args[2])
		},
		ValidArgsFunction: a.completeFirst,
	}
}

func runLink(ctx context.Context, a *app, name, source, target string) error {
	if err := a.open(ctx, false); err != nil {
		return err
	}
	syncs, err := a.syncs([]string{name})
	if err != nil {
		return err
	}
	job, err := a.job(syncs[0], "link")
	if err != nil {
		return err
	}
	link, err := a.engine.Link(ctx, job, source, target)
	if err != nil {
		return err
	}
	return a.printLink(link, "%s: %s (id %s) in %s and %s (id %s) in %s are one person from now on\n", name,
		plan.Clean(link.SourceLabel), link.SourceID, link.SourceDirectory, plan.Clean(link.TargetLabel), link.TargetID, link.TargetDirectory)
}

func newUnlinkCommand(a *app) *cobra.Command {
	var all string
	cmd := &cobra.Command{
		Use:   "unlink SYNC WHO",
		Short: "Forget the link of one person; the account in the target is unmanaged from then on",
		Long: "WHO is an id, a username or an e-mail of either side. No directory is written. The next run looks for a match again.\n\n" +
			"With --all SYNC, every link of a sync that is not configured any more is forgotten. Until then the accounts that it held\n" +
			"keep their access; afterwards the next run takes it from those whom no other sync holds and who were let go elsewhere.",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("all") {
				return arguments(cobra.NoArgs)(cmd, args)
			}
			return arguments(cobra.ExactArgs(2))(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("all") {
				return runUnlinkAll(cmd.Context(), a, all)
			}
			return runUnlink(cmd.Context(), a, args[0], args[1])
		},
		ValidArgsFunction: a.completeFirst,
	}
	cmd.Flags().StringVar(&all, "all", "", "forget every link of this sync, which is not configured any more")
	return cmd
}

// unlinkAllView is what `unlink --all --json` prints: how many links were forgotten, and how many of them held an account.
type unlinkAllView struct {
	Sync  string `json:"sync"`
	Links int    `json:"links"`
	Held  int    `json:"held"`
}

func runUnlinkAll(ctx context.Context, a *app, name string) error {
	if err := a.load(true); err != nil {
		return err
	}
	if _, configured := a.config.Sync(name); configured {
		return usageError{fmt.Errorf("sync %s is configured: without its links everybody would have to match again; `rollcall unlink %s WHO` forgets one person", name, name)}
	}
	if err := a.openState(ctx, a.config.State, false); err != nil {
		return err
	}
	all, held, err := a.engine.UnlinkAll(ctx, name)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(unlinkAllView{name, all, held})
	}
	_, err = fmt.Fprintf(a.out, "%s: %d links are forgotten, %d of which held an account; no directory was changed\n", name, all, held)
	return err
}

func runUnlink(ctx context.Context, a *app, name, who string) error {
	if err := a.load(true); err != nil { // nobody is contacted, so no secret is needed
		return err
	}
	if err := a.openState(ctx, a.config.State, false); err != nil {
		return err
	}
	if _, err := a.syncs([]string{name}); err != nil {
		return err
	}
	link, err := a.engine.Unlink(ctx, name, who)
	if err != nil {
		return err
	}
	return a.printLink(link, "%s: %s (id %s) in %s and %s (id %s) in %s are no longer linked; neither of the two was changed\n", name,
		plan.Clean(link.SourceLabel), link.SourceID, link.SourceDirectory, plan.Clean(link.TargetLabel), link.TargetID, link.TargetDirectory)
}

// linkView is what `link --json` and `unlink --json` print: the link that was made or forgotten.
type linkView struct {
	Sync   string     `json:"sync"`
	Source accountRef `json:"source"`
	Target accountRef `json:"target"`
}

type accountRef struct {
	Directory string `json:"directory"`
	ID        string `json:"id"`
	Account   string `json:"account"`
}

func (a *app) printLink(link state.Link, format string, args ...any) error {
	if a.json {
		return a.printJSON(linkView{
			Sync:   link.Sync,
			Source: accountRef{link.SourceDirectory, link.SourceID, link.SourceLabel},
			Target: accountRef{link.TargetDirectory, link.TargetID, link.TargetLabel},
		})
	}
	_, err := fmt.Fprintf(a.out, format, args...)
	return err
}
