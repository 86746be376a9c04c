package database

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestArraysAsPHPWritesThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]array{
		`a:0:{}`:                            {},
		`a:1:{s:10:"subscriber";b:1;}`:      {{"subscriber", "b:1;"}},
		`a:2:{s:3:"é";b:0;i:7;s:1:"x";}`:    nil, // a wrong length
		`a:2:{s:2:"é";b:0;i:7;s:1:"x";}`:    {{"é", "b:0;"}, {"7", `s:1:"x";`}},
		`a:1:{s:5:"";b:1";b:1;}`:            {{`";b:1`, "b:1;"}},
		`a:1:{i:-3;d:1.5E+25;}`:             {{"-3", "d:1.5E+25;"}},
		`a:1:{s:1:"n";N;}`:                  {{"n", "N;"}},
		`a:1:{s:1:"x";a:1:{i:0;a:0:{}}}`:    {{"x", "a:1:{i:0;a:0:{}}"}},
		`a:1:{s:1:"x";O:8:"stdClass":0:{}}`: nil,
		`a:1:{s:1:"x";R:1;}`:                nil,
		`a:1:{s:1:"x";b:2;}`:                nil,
		`a:2:{s:1:"x";b:1;}`:                nil,
		`a:1:{s:1:"x";b:1;}more`:            nil,
		`a:1:{s:1:"x";b:1;`:                 nil,
		`a:1:{b:1;b:1;}`:                    nil,
		`a:1:{i:x;b:1;}`:                    nil,
		`a:1:{s:1:"x" b:1;}`:                nil,
		`a:999999999:{}`:                    nil,
		`a:-1:{}`:                           nil,
		`a:1{s:1:"x";b:1;}`:                 nil,
		`s:1:"x";`:                          nil,
		``:                                  nil,
		strings.Repeat("a:1:{i:0;", 40) + "b:1;" + strings.Repeat("}", 40): nil,
	} {
		got, err := parseArray(text)
		if (err == nil) != (want != nil) {
			t.Errorf("%.60s: %v, %v", text, got, err)
			continue
		}
		if err == nil && (cmp.Diff(want, got, cmp.AllowUnexported(item{})) != "" || got.String() != text) {
			t.Errorf("%s became %v and %s", text, got, got)
		}
	}
}

// Whatever was read comes back byte for byte, and reading never fails with a panic.
func FuzzArray(f *testing.F) {
	for _, seed := range []string{`a:2:{s:2:"é";b:0;i:7;s:1:"x";}`, `a:1:{s:1:"x";a:1:{i:0;a:0:{}}}`, `a:1:{i:01;N;}`, `s:9:"x";`, `a:1:{d:INF;}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseArray(text)
		fromMeta(text)
		if err != nil {
			return
		}
		again, err := parseArray(a.String())
		if err != nil || again.String() != a.String() {
			t.Fatalf("%q became %q, then %q, %v", text, a, again, err)
		}
	})
}

// What a person typed is what is read back, and WordPress does not take it for something serialised.
func TestTextsInMetaComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[aObsidNE]:[0-9]{1,3}[:;]["{]?.*[;}"]`), rapid.SampledFrom([]string{"N;", " N; ", "b:1;", "s:1:\"x\";"})).Draw(t, "text")
		got, list, ok := fromMeta(forMeta(text))
		if !ok || list != nil || got != text {
			t.Fatalf("%q is kept as %q and read as %q, %q, %t", text, forMeta(text), got, list, ok)
		}
		if stored := forMeta(text); isSerialised(stored) && !strings.HasPrefix(stored, "s:") {
			t.Fatalf("%q is kept as %q, which PHP would turn into something else", text, stored)
		}
		items := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "items")
		if _, list, ok := fromMeta(listForMeta(items)); !ok || !slices.Equal(list, items) {
			t.Fatalf("%q became %q", items, list)
		}
	})
}

func TestMetaThatNoAttributeCanHold(t *testing.T) {
	t.Parallel()
	for stored, ok := range map[string]bool{
		`a:1:{s:1:"x";i:0;}`: false, `a:1:{i:1;s:1:"x";}`: false, `a:1:{i:0;a:0:{}}`: false, `O:8:"stdClass":0:{}`: false, `E:3:"A:B";`: false, `s:5:"x";`: false,
		`a:2:{i:0;s:1:"x";i:1;i:5;}`: true, `b:1;`: true, `i:-5;`: true, `plain`: true, `a:1:{`: true, ``: true,
	} {
		if _, _, got := fromMeta(stored); got != ok {
			t.Errorf("%s can be held: %t", stored, got)
		}
	}
	if text, _, _ := fromMeta("i:5;"); text != "5" {
		t.Errorf("a number reads as %q", text)
	}
}

const rolesOption = `a:3:{s:13:"administrator";a:2:{s:4:"name";s:13:"Administrator";s:12:"capabilities";a:3:{s:8:"level_10";b:1;s:7:"level_1";b:1;s:10:"edit_users";b:1;}}` +
	`s:6:"author";a:2:{s:4:"name";s:6:"Author";s:12:"capabilities";a:3:{s:7:"level_2";b:1;s:4:"read";b:1;s:10:"edit_posts";b:0;}}` +
	`s:6:"member";a:2:{s:4:"name";s:6:"Member";s:12:"capabilities";a:0:{}}}`

func TestRolesAndWhatTheyGive(t *testing.T) {
	t.Parallel()
	r, err := parseRoles(rolesOption)
	if err != nil || !slices.Equal(r.names, []string{"administrator", "author", "member"}) {
		t.Fatalf("%q, %v", r.names, err)
	}
	caps := array{{"extra", "b:1;"}, {"author", "b:1;"}, {"read", "b:0;"}, {"member", "b:0;"}, {"LEVEL_7", "b:0;"}, {"level_11", "b:1;"}}
	if got := r.of(caps); !slices.Equal(got, []string{"author", "member"}) {
		t.Errorf("roles %q", got)
	}
	all := r.all(caps)
	for name, want := range map[string]bool{"extra": true, "author": true, "read": false, "member": false, "edit_posts": false, "edit_users": false} {
		if all[name] != want {
			t.Errorf("%s is %t", name, all[name])
		}
	}
	if got := r.level(caps); got != "7" {
		t.Errorf("level %s", got)
	}
	if got := r.level(array{{"administrator", "b:1;"}}); got != "10" {
		t.Errorf("the level of an administrator is %s", got)
	}
	want := `a:5:{s:5:"extra";b:1;s:4:"read";b:0;s:7:"LEVEL_7";b:0;s:8:"level_11";b:1;s:13:"administrator";b:1;}`
	if got := r.with(caps, []string{"administrator", "administrator"}).String(); got != want {
		t.Errorf("%s", got)
	}
	for _, broken := range []string{"", "a:0:{}", `a:1:{s:6:"author";b:1;}`, `a:1:{s:6:"author";a:1:{s:12:"capabilities";s:0:"";}}`} {
		if r, err := parseRoles(broken); err == nil {
			t.Errorf("%s is read as %q", broken, r.names)
		}
	}
}

func TestNicenames(t *testing.T) {
	t.Parallel()
	for login, want := range map[string]string{
		"Anna": "anna", "a.b c_d-e@f": "a-b-c_d-ef", "..": "", "-a-": "a", "a - b": "a-b", strings.Repeat("x", 60): strings.Repeat("x", 50),
	} {
		if got := nicename(login); got != want {
			t.Errorf("%s: %q, want %q", login, got, want)
		}
	}
	long := strings.Repeat("x", 50)
	for n, want := range map[int]string{2: strings.Repeat("x", 48) + "-2", 10: strings.Repeat("x", 47) + "-10"} {
		if got := withSuffix(long, n); got != want || len(got) != 50 {
			t.Errorf("%s: %q", strconv.Itoa(n), got)
		}
	}
}

func TestAddressesOfPages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "example.com": "http://example.com", "HTTPS://Example.com": "https://Example.com", "/a b": "/a%20b", "index.php?x": "index.php?x",
		"mailto:a@b.example": "mailto:a@b.example", "http;//example.com": "http://example.com",
	} {
		if got, fault := webAddress(text); got != want || fault != "" {
			t.Errorf("%q: %q, %s", text, got, fault)
		}
	}
	for _, text := range []string{"javascript:alert(1)", "example.com:8080", "https://[::1]/", "https://x/\"", "https://x/%0aSet-Cookie", "data:text/html,x", "https://x/\n"} {
		if got, fault := webAddress(text); fault == "" {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}
