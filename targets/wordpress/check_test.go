package wordpress

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/targets/wordpress/users"
)

func TestTheCheckExplainsWhatIsWrong(t *testing.T) {
	t.Parallel()
	used := []string{directory.Email, directory.Locale, "custom.department", users.Description}
	for name, c := range map[string]struct {
		prepare func(f *fake)
		options []any
		read    bool
		// want lists a level, a part of the message and a part of the remedy for each finding that must be there.
		want [][3]string
		// wrong is set where something of level error must be found; nothing of that level may be found elsewhere.
		wrong bool
	}{
		"all is well": {want: [][3]string{
			{"ok", "signed in", ""},
			{"ok", "counts 1 users", ""},
			{"ok", "may read all users", ""},
			{"ok", "one by one", ""},
			{"ok", "installed languages: en_US", ""},
		}},
		"many users and no option roles": {prepare: func(f *fake) { f.addMany(250, "author") }, want: [][3]string{{"ok", "all 251 users to find the roles: 4 more requests", ""}}},
		"batches":                        {prepare: func(f *fake) { f.batch = true }, want: [][3]string{{"ok", "up to 25 accounts", ""}}},
		"wrong password": {
			options: []any{"password", "letmein"}, wrong: true,
			want: [][3]string{{"error", "not currently logged in", "application password"}, {"error", "form of an application password", "Profile"}},
		},
		"wrong password of the right form": {
			options: []any{"password", "aaaa bbbb cccc dddd eeee ffff"}, wrong: true,
			want: [][3]string{{"error", "not currently logged in", "Authorization header"}},
		},
		"a site that offers none": {
			prepare: offerNoPasswords, options: []any{"password", "aaaa bbbb cccc dddd eeee ffff"}, wrong: true,
			want: [][3]string{{"error", "offers no application passwords", "https"}},
		},
		"no rights at all": {
			prepare: func(f *fake) { f.users[0].roles = []string{"subscriber"} }, wrong: true,
			want: [][3]string{{"error", "list_users, edit_users", "give it"}, {"error", "create_users, promote_users", "give it"}, {"error", "not allowed to edit users", "list_users"}},
		},
		"may list only": {
			prepare: func(f *fake) { f.users[0].roles = []string{"lister"}; f.addMany(3, "author") }, wrong: true,
			want: [][3]string{{"error", "reading needs: edit_users", "leaves users out"}},
		},
		"a help desk may not give roles": {
			prepare: func(f *fake) { f.users[0].roles = []string{"helpdesk"} }, wrong: true,
			want: [][3]string{{"error", "promote_users", ""}, {"warning", "delete_users", "deactivation does not need it"}},
		},
		"a help desk may read": {
			prepare: func(f *fake) { f.users[0].roles = []string{"helpdesk"} }, read: true,
			want: [][3]string{{"ok", "may read all users", ""}},
		},
		"meta that is not registered": {
			prepare: func(f *fake) { delete(f.meta, "department") }, options: []any{"deactivated_meta", "lock"}, wrong: true,
			want: [][3]string{{"error", "department", "register_meta('user', 'department'"}, {"error", "lock is in the option deactivated_meta", "register_meta"}},
		},
		"meta that is not used": {prepare: func(f *fake) { f.meta["badge"] = "string" }, want: [][3]string{{"ok", "not in the option meta: badge", ""}}},
		"multisite":             {prepare: func(f *fake) { f.multisite = true }, want: [][3]string{{"warning", "multisite network", "network administrator"}}},
		"nobody to inherit": {
			options: []any{"reassign_to", "nosuch"}, wrong: true,
			want: [][3]string{{"error", "0 accounts have the username", "reassign_to"}},
		},
		"application passwords out of reach": {
			prepare: func(f *fake) { f.noPasswords = true },
			want:    [][3]string{{"warning", "leaves those of a leaver", "route"}},
		},
		"a default role that nobody has": {options: []any{"default_role", "guest"}, want: [][3]string{{"warning", "nobody has the role guest", "key"}}},
		"a default role of the site's own": {
			prepare: func(f *fake) { f.add(&fakeUser{login: "m", roles: []string{"member"}}) }, options: []any{"default_role", "member"},
			want: [][3]string{{"ok", "counts 2 users", ""}},
		},
		"no WordPress there": {
			prepare: func(f *fake) {
				f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
					http.Error(w, "<html>Nothing here</html>", 404)
					return true
				}
			}, wrong: true,
			want: [][3]string{{"error", "404", "front page"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.meta["department"] = "string"
			if c.prepare != nil {
				c.prepare(f)
			}
			s := f.open(t, append([]any{"meta", []string{"department"}}, c.options...)...)
			findings, err := s.Check(t.Context(), directory.CheckRequest{Write: !c.read, Attributes: used})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !told(findings, want) {
					t.Errorf("no finding %q in %+v", want, findings)
				}
			}
			for _, finding := range findings {
				if finding.Level == directory.LevelError && !c.wrong {
					t.Errorf("found %+v", finding)
				}
				if (finding.Remedy == "") != (finding.Level == directory.LevelOK) {
					t.Errorf("a remedy that is missing or too many: %+v", finding)
				}
				if strings.Contains(finding.Message, "letmein") {
					t.Errorf("the password is shown: %+v", finding)
				}
			}
			for _, line := range f.sent() {
				if method, _, _ := strings.Cut(line, " "); method != http.MethodGet && method != http.MethodOptions {
					t.Errorf("a check writes: %s", line)
				}
			}
		})
	}
}

func told(findings []directory.Finding, want [3]string) bool {
	for _, finding := range findings {
		if string(finding.Level) == want[0] && strings.Contains(finding.Message, want[1]) && strings.Contains(finding.Remedy, want[2]) {
			return true
		}
	}
	return false
}

func offerNoPasswords(f *fake) {
	f.meddle = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/wp-json/" {
			return false
		}
		_, _ = w.Write([]byte(`{"authentication":[]}`))
		return true
	}
}
