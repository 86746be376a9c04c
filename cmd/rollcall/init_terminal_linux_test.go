package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestASecretDoesNotShowOnATerminal types at a pseudo terminal and looks at what it shows.
func TestASecretDoesNotShowOnATerminal(t *testing.T) {
	t.Parallel()
	keyboard, screen := pseudoTerminal(t)
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "people.csv"), "id,username,email,active\n1,anna,anna@example.com,true\n")
	a := &app{args: []string{"init", "--no-check", "--config", filepath.Join(folder, "rollcall.yaml")}, in: screen, out: screen, err: screen}
	ended := make(chan int, 1)
	go func() {
		ended <- execute(t.Context(), a)
		screen.Close()
	}()
	shown := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(keyboard) // ends with an error once the other end is closed
		shown <- string(all)
	}()
	for _, answer := range []string{"file", "people.csv", "wordpress", "https://www.example.com", "rollcall"} {
		keyType(t, keyboard, answer)
	}
	awaitEcho(t, keyboard, false)
	keyType(t, keyboard, goodPassword)
	awaitEcho(t, keyboard, true)
	keyType(t, keyboard, "none")
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
	got := <-shown
	if strings.Contains(got, goodPassword) || !strings.Contains(got, "https://www.example.com") {
		t.Errorf("the terminal shows:\n%s", got)
	}
	if got := readFile(t, filepath.Join(folder, "wordpress-password.secret")); got != goodPassword+"\n" {
		t.Errorf("the secret's file holds %q", got)
	}
}

func keyType(t *testing.T, keyboard io.Writer, line string) {
	t.Helper()
	if _, err := io.WriteString(keyboard, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// pseudoTerminal returns the two ends of a terminal.
func pseudoTerminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system has no pseudo terminals: ", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, screen
}

// awaitEcho returns once the terminal shows what is typed, or no longer does.
func awaitEcho(t *testing.T, keyboard *os.File, want bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 30_000 {
		state, err := unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if (state.Lflag&unix.ECHO != 0) == want {
			return
		}
		<-tick.C
	}
	t.Fatalf("the terminal's echo did not become %t", want)
}
