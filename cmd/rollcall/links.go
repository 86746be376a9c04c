package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
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
	_, err = fmt.Fprintf(a.out, "%s: %s (id %s) in %s and %s (id %s) in %s are one person from now on\n", name,
		link.SourceLabel, link.SourceID, link.SourceDirectory, link.TargetLabel, link.TargetID, link.TargetDirectory)
	return err
}

func newUnlinkCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "unlink SYNC WHO",
		Short: "Forget the link of one person; the account in the target is unmanaged from then on",
		Long:  "WHO is an id, a username or an e-mail of either side. No directory is written. The next run looks for a match again.",
		Args:  arguments(cobra.ExactArgs(2)),
		RunE:  func(cmd *cobra.Command, args []string) error { return runUnlink(cmd.Context(), a, args[0], args[1]) },
	}
}

func runUnlink(ctx context.Context, a *app, name, who string) error {
	if err := a.open(ctx, false); err != nil {
		return err
	}
	if _, err := a.syncs([]string{name}); err != nil {
		return err
	}
	link, err := a.engine.Unlink(ctx, name, who)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s: %s (id %s) and %s (id %s) are no longer linked; %s in %s stays as it is\n", name,
		link.SourceLabel, link.SourceID, link.TargetLabel, link.TargetID, link.TargetLabel, link.TargetDirectory)
	return err
}
