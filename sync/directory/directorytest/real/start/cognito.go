//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

const motoVersion = "5.2.5"

// Amazon has no Cognito to run at home. Moto plays it, and is kept by those who test against AWS with it.
func cognitoPart() part {
	return part{
		name:      "cognito",
		programs:  map[string]string{"python3": "python3-venv"},
		variables: []string{rig.CognitoVariable},
		start:     startCognito,
	}
}

var running = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// startCognito starts a server that keeps its pools in its memory.
func startCognito(ctx context.Context, place *place) ([]string, error) {
	python, err := moto(ctx, place)
	if err != nil {
		return nil, err
	}
	command := exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	process, err := rig.Start(place.run, "moto", filepath.Join(place.run, "moto.log"), command)
	if err != nil {
		return nil, err
	}
	place.started(process)
	var url string
	err = process.Await(time.Minute, func(output string) bool {
		if found := running.FindStringSubmatch(output); found != nil {
			url = found[1]
		}
		return ctx.Err() != nil || url != "" && answers(url+"/moto-api/data.json")
	})
	if err != nil {
		return nil, err
	}
	return []string{rig.CognitoVariable + "=" + url}, ctx.Err()
}

// moto returns the Python of an environment of its own in the cache that holds moto. It appears under its name only when it
// is whole; its scripts name the folder that it was made in, so that moto is run as a module.
func moto(ctx context.Context, place *place) (string, error) {
	final := filepath.Join(place.cache, "moto-"+motoVersion)
	return filepath.Join(final, "bin", "python"), place.locked("moto", func() error {
		if _, err := os.Stat(final); err == nil {
			return nil
		}
		work, err := os.MkdirTemp(place.cache, "moto-unfinished-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		say("installing moto %s", motoVersion)
		if err := makeEnvironment(ctx, filepath.Join(work, "moto")); err != nil {
			return err
		}
		err = tryTwice(ctx, func() error {
			return python(ctx, filepath.Join(work, "moto", "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "moto[cognitoidp,server]=="+motoVersion)
		})
		if err != nil {
			return err
		}
		return os.Rename(filepath.Join(work, "moto"), final)
	})
}

// makeEnvironment makes an empty Python environment. Debian keeps what that takes in a package apart from Python.
func makeEnvironment(ctx context.Context, folder string) error {
	err := python(ctx, "python3", "-m", "venv", folder)
	if err == nil || ctx.Err() != nil {
		return err
	}
	lacking := lockedFile(filepath.Join(os.TempDir(), "rollcall-packages.lock"), func() error {
		return installPackages(ctx, []string{"python3-venv"})
	})
	if lacking != nil {
		return fmt.Errorf("%w; and the package python3-venv could not be brought: %w", err, lacking)
	}
	return python(ctx, "python3", "-m", "venv", "--clear", folder)
}

func python(ctx context.Context, program string, words ...string) error {
	if out, err := exec.CommandContext(ctx, program, words...).CombinedOutput(); err != nil {
		return fmt.Errorf("python %s %s: %w\n%s", words[0], words[1], err, rig.Tail(string(out), 8))
	}
	return nil
}
