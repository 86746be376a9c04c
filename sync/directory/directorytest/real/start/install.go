//go:build unix

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

// install brings the Debian packages that the parts lack, all in one go, and returns for each part that still lacks
// something what it is.
func install(ctx context.Context, parts []part) map[string]error {
	var failure error
	if len(wanted(parts...)) > 0 {
		// One lock for the machine, not for the cache: the packages are the machine's.
		err := lockedFile(filepath.Join(os.TempDir(), "rollcall-packages.lock"), func() error {
			failure = installPackages(ctx, wanted(parts...))
			return nil
		})
		if err != nil {
			failure = err
		}
	}
	result := map[string]error{}
	for _, p := range parts {
		if lacking := wanted(p); len(lacking) > 0 {
			result[p.name] = fmt.Errorf("these Debian packages are missing: %s: %w", strings.Join(lacking, " "), failure)
		}
	}
	return result
}

// wanted returns the packages whose programs and files are not there.
func wanted(parts ...part) []string {
	packages := map[string]bool{}
	for _, p := range parts {
		for program, name := range p.programs {
			if _, err := exec.LookPath(program); err != nil {
				packages[name] = true
			}
		}
		for file, name := range p.files {
			if found, err := filepath.Glob(file); err != nil || len(found) == 0 {
				packages[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(packages))
}

func installPackages(ctx context.Context, packages []string) error {
	if len(packages) == 0 {
		return nil // another run brought them meanwhile
	}
	list := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine has no apt-get: install the counterparts of %s by hand", list)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("not running as root: have an administrator run: apt-get update && apt-get install --no-install-recommends %s", list)
	}
	say("installing %s", list)
	if err := apt(ctx, "update", "-qq"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "-qq", "-y", "--no-install-recommends"}, packages...)...)
}

// apt runs apt-get, and a second time where a mirror failed. The packages' own services are not started: the tests start
// theirs.
func apt(ctx context.Context, words ...string) error {
	words = append([]string{"-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"}, words...)
	return tryTwice(ctx, func() error {
		command := exec.CommandContext(ctx, "apt-get", words...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_OFFLINE=1", "RUNLEVEL=1")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", words[4], err, rig.Tail(string(out), 8))
		}
		return nil
	})
}

func tryTwice(ctx context.Context, do func() error) error {
	err := do()
	if err == nil || ctx.Err() != nil {
		return err
	}
	say("trying once more: %v", err)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Second):
		return do()
	}
}
