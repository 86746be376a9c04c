//go:build unix

package main

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real/rig"
)

const keycloakVersion = "26.0.7"

func keycloakPart() part {
	return part{
		name:      "keycloak",
		programs:  map[string]string{"java": "openjdk-17-jre-headless", "mvn": "maven"},
		variables: []string{rig.KeycloakVariable},
		start:     startKeycloak,
	}
}

var listening = regexp.MustCompile(`Listening on: (http://127\.0\.0\.1:\d+)`)

// startKeycloak starts a server whose database lives in its memory. Only the compiler's first tier is used: on two cores
// it is ready in two thirds of the time, and no test runs long enough to earn the rest back.
func startKeycloak(ctx context.Context, place *place) ([]string, error) {
	distribution, err := keycloakDistribution(ctx, place)
	if err != nil {
		return nil, err
	}
	home, err := keycloakHome(place, distribution)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	command := exec.Command(filepath.Join(home, "bin", "kc.sh"), "start", "--optimized", "--http-enabled=true",
		"--hostname-strict=false", "--cache=local", "--http-host=127.0.0.1", "--http-port=0")
	command.Env = append(os.Environ(), "JAVA_OPTS_KC_HEAP=-Xms256m -Xmx768m", "JAVA_OPTS_APPEND=-XX:TieredStopAtLevel=1",
		"KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD="+password)
	process, err := rig.Start(place.run, "keycloak", filepath.Join(place.run, "keycloak.log"), command)
	if err != nil {
		return nil, err
	}
	place.started(process)
	var url string
	err = process.Await(3*time.Minute, func(output string) bool {
		if found := listening.FindStringSubmatch(output); found != nil {
			url = found[1]
		}
		return ctx.Err() != nil || url != "" && answers(url+"/realms/master")
	})
	if err != nil {
		return nil, err
	}
	return []string{
		rig.KeycloakVariable + "=" + url,
		rig.KeycloakUserVariable + "=admin",
		rig.KeycloakPasswordVariable + "=" + password,
	}, ctx.Err()
}

func answers(url string) bool {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// keycloakDistribution returns the cached distribution, downloaded, unpacked and built for the database in memory. It
// appears under its name only when it is whole.
func keycloakDistribution(ctx context.Context, place *place) (string, error) {
	final := filepath.Join(place.cache, "keycloak-"+keycloakVersion)
	return final, place.locked("keycloak", func() error {
		if _, err := os.Stat(final); err == nil {
			return nil
		}
		work, err := os.MkdirTemp(place.cache, "keycloak-unfinished-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		say("downloading Keycloak %s", keycloakVersion)
		if err := tryTwice(ctx, func() error { return downloadKeycloak(ctx, work) }); err != nil {
			return err
		}
		say("building Keycloak %s", keycloakVersion)
		if err := unzip(filepath.Join(work, "keycloak-quarkus-dist-"+keycloakVersion+".zip"), work); err != nil {
			return err
		}
		home := filepath.Join(work, "keycloak-"+keycloakVersion)
		build := exec.CommandContext(ctx, filepath.Join(home, "bin", "kc.sh"), "build", "--db=dev-mem")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("kc.sh build: %w\n%s", err, rig.Tail(string(out), 8))
		}
		return os.Rename(home, final)
	})
}

func downloadKeycloak(ctx context.Context, folder string) error {
	command := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy",
		"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+":zip", "-DoutputDirectory="+folder)
	command.Dir = folder
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn dependency:copy: %w\n%s", err, rig.Tail(string(out), 8))
	}
	return nil
}

// keycloakHome makes a home of its own for this run: the distribution by symbolic links, the data apart. kc.sh finds its
// home by its own place, so it is copied.
func keycloakHome(place *place, distribution string) (string, error) {
	home := filepath.Join(place.run, "keycloak")
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"lib", "conf", "providers", "themes", "version.txt"} {
		if err := os.Symlink(filepath.Join(distribution, name), filepath.Join(home, name)); err != nil {
			return "", err
		}
	}
	script, err := os.ReadFile(filepath.Join(distribution, "bin", "kc.sh"))
	if err != nil {
		return "", err
	}
	return home, os.WriteFile(filepath.Join(home, "bin", "kc.sh"), script, 0o755)
}

func unzip(archive, folder string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	defer reader.Close()
	for _, entry := range reader.File {
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("%s: %q leads out of the archive", archive, entry.Name)
		}
		if err := unzipEntry(entry, filepath.Join(folder, entry.Name)); err != nil {
			return fmt.Errorf("%s: %s: %w", archive, entry.Name, err)
		}
	}
	return nil
}

func unzipEntry(entry *zip.File, path string) error {
	if entry.FileInfo().IsDir() {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	from, err := entry.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, entry.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}
