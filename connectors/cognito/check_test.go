package cognito

import (
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	read, write := directory.CheckRequest{}, directory.CheckRequest{Write: true}
	for name, c := range map[string]struct {
		signIn  string
		options map[string]any
		spoil   func(f *fake)
		request directory.CheckRequest
		level   directory.Level
		words   []string
	}{
		"all is well":          {request: write, level: directory.LevelOK, words: []string{"user pool people", "about 0 users", "all rights", "wait for an invitation"}},
		"reading needs less":   {request: read, level: directory.LevelOK, words: []string{"reading need"}, spoil: func(f *fake) { f.denied["AdminCreateUser"] = true }},
		"no right to look":     {request: read, level: directory.LevelError, words: []string{"allow cognito-idp:DescribeUserPool"}, spoil: func(f *fake) { f.denied["DescribeUserPool"] = true }},
		"no right to list":     {request: read, level: directory.LevelError, words: []string{"allow cognito-idp:ListUsers on"}, spoil: func(f *fake) { f.denied["ListUsers"] = true }},
		"no right for members": {request: read, level: directory.LevelError, words: []string{"allow cognito-idp:ListUsersInGroup on"}, spoil: func(f *fake) { f.denied["ListUsersInGroup"] = true }},
		"no right to create":   {request: write, level: directory.LevelError, words: []string{"allow cognito-idp:AdminCreateUser on"}, spoil: func(f *fake) { f.denied["AdminCreateUser"] = true }},
		"no right to disable":  {request: write, level: directory.LevelError, words: []string{"allow cognito-idp:AdminDisableUser on"}, spoil: func(f *fake) { f.denied["AdminDisableUser"] = true }},
		"no right to passwords": {
			options: map[string]any{"confirm_users": true}, request: write, level: directory.LevelError, words: []string{"allow cognito-idp:AdminSetUserPassword on"},
			spoil: func(f *fake) { f.denied["AdminSetUserPassword"] = true },
		},
		"wrong pool":              {options: map[string]any{"user_pool_id": "eu-central-1_Other"}, request: read, level: directory.LevelError, words: []string{"check user_pool_id"}},
		"another sign-in":         {signIn: byEmail, options: map[string]any{"sign_in": byUsername}, request: write, level: directory.LevelError, words: []string{"set sign_in to email"}},
		"another sign-in to read": {signIn: byAlias, options: map[string]any{"sign_in": byUsername}, request: read, level: directory.LevelWarning, words: []string{"set sign_in to alias"}},
		"an unknown attribute":    {request: directory.CheckRequest{Write: true, Attributes: []string{"custom.team"}}, level: directory.LevelError, words: []string{"custom:team", "Custom attributes"}},
		"an unknown one to read":  {request: directory.CheckRequest{Attributes: []string{"custom.team"}}, level: directory.LevelWarning, words: []string{"always empty"}},
		"a fixed attribute":       {request: directory.CheckRequest{Write: true, Attributes: []string{"custom.badge"}}, level: directory.LevelWarning, words: []string{"custom:badge"}},
		"addresses kept back": {
			options: map[string]any{"verified_addresses": false}, request: write, level: directory.LevelWarning, words: []string{"set verified_addresses"},
			spoil: func(f *fake) { f.verify = []string{email} },
		},
		"triggers": {request: write, level: directory.LevelWarning, words: []string{"Lambda"}, spoil: func(f *fake) { f.triggers = map[string]string{"PreSignUp": "arn:x"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, map[bool]string{true: byUsername, false: c.signIn}[c.signIn == ""])
			if c.spoil != nil {
				c.spoil(f)
			}
			findings, err := f.open(t, c.options).Check(t.Context(), c.request)
			if err != nil {
				t.Fatal(err)
			}
			worst, text := directory.LevelOK, ""
			for _, finding := range findings {
				text += "\n" + string(finding.Level) + " " + finding.Subject + ": " + finding.Message + " - " + finding.Remedy
				levels := []directory.Level{directory.LevelOK, directory.LevelWarning, directory.LevelError}
				worst = levels[max(slices.Index(levels, worst), slices.Index(levels, finding.Level))]
			}
			if worst != c.level {
				t.Errorf("the worst is %s, want %s:%s", worst, c.level, text)
			}
			for _, word := range c.words {
				if !strings.Contains(text, word) {
					t.Errorf("nothing says %q:%s", word, text)
				}
			}
		})
	}
}

func TestACheckWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t, byUsername)
	u := f.add("anna", map[string]string{email: "anna@example.com"})
	f.addGroup("editors", u)
	before := must(f.open(t, nil).GetAccount(t.Context(), u.sub))
	if _, err := f.open(t, map[string]any{"confirm_users": true}).Check(t.Context(), directory.CheckRequest{Write: true}); err != nil {
		t.Fatal(err)
	}
	after := must(f.open(t, nil).GetAccount(t.Context(), u.sub))
	if len(f.users) != 1 || f.mails != 0 || len(f.groups) != 1 || len(f.members["editors"]) != 1 || !before.Attributes.Equal(after.Attributes) {
		t.Errorf("the check left %d users, %d mails, groups %v; before\n%v\nafter\n%v", len(f.users), f.mails, f.members, before, after)
	}
}
