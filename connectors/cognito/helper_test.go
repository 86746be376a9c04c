package cognito

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// watch is a clock that moves when somebody sleeps.
type watch struct {
	mu  sync.Mutex
	now time.Time
}

// newWatch starts now, so that what does not heed the clock that it was given is no more wrong than it would be in earnest.
func newWatch() *watch { return &watch{now: time.Now()} }

func (w *watch) read() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return ctx.Err()
}

// openAt opens the fake with a clock of the test's own.
func (f *fake) openAt(t testing.TB, w *watch, extra map[string]any) *Directory {
	t.Helper()
	s := f.settings(t, extra)
	s.Now, s.Sleep = w.read, w.sleep
	d, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Directory)
}

// list reads the whole listing.
func list(t testing.TB, d *Directory, attributes ...string) []directory.Account {
	t.Helper()
	var all []directory.Account
	request := directory.ListRequest{Attributes: attributes}
	for {
		page, err := d.ListAccounts(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Accounts...)
		if page.Next == "" {
			return all
		}
		request.Cursor = page.Next
	}
}

// wants checks the kind of an error and the words in it.
func wants(t testing.TB, err error, kind directory.ErrorKind, words ...string) *directory.Error {
	t.Helper()
	var e *directory.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error of kind %s", err, kind)
	}
	if e.Kind != kind || e.Directory != "staff" || e.Op == "" {
		t.Errorf("got the kind %s of %q, %q, want %s: %v", e.Kind, e.Directory, e.Op, kind, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	return e
}

// answering replaces the answers to one action: first those given, then the fake's own.
func (f *fake) answering(action string, answers ...func(w http.ResponseWriter)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var mu sync.Mutex
	f.intercept = func(w http.ResponseWriter, _ *http.Request, asked string, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if asked != action || len(answers) == 0 {
			return false
		}
		answer := answers[0]
		answers = answers[1:]
		answer(w)
		return true
	}
}

func times(n int, answer func(w http.ResponseWriter)) []func(w http.ResponseWriter) {
	return slices.Repeat([]func(w http.ResponseWriter){answer}, n)
}

// says answers with a refusal.
func says(status int, code, message string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) { writeRefusal(w, &refusalOf{status, code, message}) }
}

// tells answers 200 with a text.
func tells(body string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write([]byte(body)) // the client has gone
	}
}

// breaksOff ends the connection in place of an answer.
func breaksOff(http.ResponseWriter) { panic(http.ErrAbortHandler) }
