package wordpress

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	bulk := func(n int) (requests []directory.CreateRequest) {
		for i := range n {
			requests = append(requests, directory.CreateRequest{Status: directory.StatusActive, Attributes: person(fmt.Sprintf("p%d", i))})
		}
		requests[1].Attributes[directory.Username] = directory.Text("admin")
		requests[2].Attributes[directory.Username] = directory.Text("bad+name")
		return requests
	}
	for name, c := range map[string]struct {
		prepare func(f *fake)
		options []any
		posts   int
	}{
		"taken by the site":            {func(f *fake) { f.batch = true }, nil, 4},
		"of ten":                       {func(f *fake) { f.batch = true }, []any{"batch_size", 10}, 6},
		"not taken: before 6.6":        {func(f *fake) {}, nil, 59},
		"not wanted":                   {func(f *fake) { f.batch = true }, []any{"batch_size", 1}, 59},
		"promised and refused":         {refuseBatchItems, nil, 4 + 59},
		"promised and the route gone":  {removeBatchRoute, nil, 4 + 59},
		"one writer, so one at a time": {func(f *fake) { f.batch = true }, []any{"write_concurrency", 1}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			c.prepare(f)
			s := f.open(t, c.options...)
			results, err := s.CreateAccounts(t.Context(), bulk(60))
			if err != nil {
				t.Fatal(err)
			}
			for i, result := range results {
				want := map[int]directory.ErrorKind{1: directory.Conflict, 2: directory.Invalid}
				if kind, bad := want[i]; bad {
					if !errors.Is(result.Err, kind) {
						t.Errorf("%d: %v, want %s", i, result.Err, kind)
					}
				} else if result.Err != nil || result.Account.Label() != fmt.Sprintf("p%d", i) {
					t.Errorf("%d: %v, %v", i, result.Account, result.Err)
				}
			}
			posts := 0
			for _, line := range f.sent() {
				if strings.HasPrefix(line, http.MethodPost) {
					posts++
				}
			}
			if posts != c.posts || len(f.users) != 59 {
				t.Errorf("%d writes, want %d; %d users", posts, c.posts, len(f.users))
			}
		})
	}
}

// refuseBatchItems is a site that says that users take part in batches, and then refuses.
func refuseBatchItems(f *fake) { f.batch, f.batchRefused = true, true }

func removeBatchRoute(f *fake) {
	f.batch = true
	f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, batchRoute) {
			return false
		}
		w.WriteHeader(404)
		_, _ = w.Write([]byte(`{"code":"rest_no_route","message":"No route","data":{"status":404}}`))
		return true
	}
}

func TestABatchWhoseAnswerIsLostLeavesAllItsAccountsUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a crash": "", "cut off": `{"responses":[{"st`, "too few": `{"responses":[]}`,
	} {
		f := newFake()
		f.batch = true
		f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, batchRoute) {
				return false
			}
			if answer == "" {
				w.WriteHeader(500)
			}
			_, _ = w.Write([]byte(answer))
			return true
		}
		s := f.open(t, "write_concurrency", 1)
		results, err := s.CreateAccounts(t.Context(), []directory.CreateRequest{
			{Status: directory.StatusActive, Attributes: person("a")}, {Status: directory.StatusActive, Attributes: person("b")},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, result := range results {
			var e *directory.Error
			if !errors.As(result.Err, &e) || e.Kind != directory.UnknownOutcome || e.Record != []string{"a", "b"}[i] {
				t.Errorf("%s: %v", name, result.Err)
			}
		}
	}
}
