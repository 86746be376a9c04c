package real

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials are those of an account on a site.
type Credentials struct {
	ID                              int
	Username, Password, AppPassword string
}

// AddUser creates an account with a role and an application password, by the REST API.
func (s *WordPressSite) AddUser(role string) Credentials {
	s.t.Helper()
	account := Credentials{Username: role + "-" + strings.ToLower(rand.Text()[:8]), Password: rand.Text()}
	var created struct{ ID int }
	s.create("/wp/v2/users", map[string]any{
		"username": account.Username, "email": account.Username + "@example.com", "password": account.Password, "roles": []string{role},
	}, &created)
	account.ID = created.ID
	var application struct{ Password string }
	s.create(fmt.Sprintf("/wp/v2/users/%d/application-passwords", created.ID), map[string]any{"name": "rollcall"}, &application)
	account.AppPassword = application.Password
	return account
}

func (s *WordPressSite) create(path string, body, into any) {
	s.t.Helper()
	status, answer := s.REST(http.MethodPost, path, body)
	if status != http.StatusCreated {
		s.t.Fatalf("POST %s on the site: status %d: %.500s", path, status, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		s.t.Fatalf("POST %s on the site: %v", path, err)
	}
}

// AddPeople writes accounts straight into the database with the meta rows that WordPress itself writes, and returns their
// ids in order. Attributes become meta rows of their own. They have one role and a password that fits nothing.
func (s *WordPressSite) AddPeople(role string, people ...Person) []int {
	s.t.Helper()
	next, err := strconv.Atoi(s.Query("SELECT COALESCE(MAX(ID), 0) + 1 FROM " + s.Prefix + "users")[0][0])
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []int
	for chunk := range slices.Chunk(people, importSize) {
		var users, meta []any
		for _, p := range chunk {
			id := next + len(ids)
			ids = append(ids, id)
			users = append(users, id, p.Username, rand.Text()+rand.Text(), p.Username, p.Email,
				time.Now().UTC().Format(time.DateTime), strings.TrimSpace(p.FirstName+" "+p.LastName))
			for _, row := range s.metaOf(p, role) {
				meta = append(meta, id, row[0], row[1])
			}
		}
		s.insert("users", "ID, user_login, user_pass, user_nicename, user_email, user_registered, display_name", 7, users)
		s.insert("usermeta", "user_id, meta_key, meta_value", 3, meta)
	}
	return ids
}

func (s *WordPressSite) metaOf(p Person, role string) [][2]string {
	rows := [][2]string{
		{"nickname", p.Username},
		{"first_name", p.FirstName},
		{"last_name", p.LastName},
		{"description", ""},
		{"rich_editing", "true"},
		{"syntax_highlighting", "true"},
		{"comment_shortcuts", "false"},
		{"admin_color", "fresh"},
		{"use_ssl", "0"},
		{"show_admin_bar_front", "true"},
		{"locale", ""},
		{s.Prefix + "capabilities", fmt.Sprintf(`a:1:{s:%d:"%s";b:1;}`, len(role), role)},
		{s.Prefix + "user_level", "0"},
	}
	for name, values := range p.Attributes {
		rows = append(rows, [2]string{name, strings.Join(values, ", ")})
	}
	return rows
}

func (s *WordPressSite) insert(table, columns string, width int, values []any) {
	s.t.Helper()
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", width), ",") + ")"
	rows := strings.TrimSuffix(strings.Repeat(row+",", len(values)/width), ",")
	s.Exec("INSERT INTO "+s.Prefix+table+" ("+columns+") VALUES "+rows, values...)
}

// Exec runs a statement on the site's database and returns the number of rows that it touched.
func (s *WordPressSite) Exec(statement string, arguments ...any) int64 {
	s.t.Helper()
	return s.Database.exec(s.t, statement, arguments...)
}

// Query returns the rows as texts; NULL is the text NULL.
func (s *WordPressSite) Query(query string, arguments ...any) [][]string {
	s.t.Helper()
	return s.Database.rows(s.t, query, arguments...)
}

// State writes down every account with all its columns and meta, one line each, sorted, so that two sites can be compared.
// Left out is what differs between two equal histories: ids, hashes, sessions, and moments.
func (s *WordPressSite) State() []string {
	s.t.Helper()
	var lines []string
	for _, row := range s.Query("SELECT user_login, user_email, user_nicename, user_url, user_status, display_name FROM " + s.Prefix + "users") {
		lines = append(lines, fmt.Sprintf("%q email=%q nicename=%q url=%q status=%s name=%q", row[0], row[1], row[2], row[3], row[4], row[5]))
	}
	for _, row := range s.Query("SELECT COALESCE(u.user_login, CONCAT('nobody, id ', m.user_id)), m.meta_key, m.meta_value FROM " +
		s.Prefix + "usermeta m LEFT JOIN " + s.Prefix + "users u ON u.ID = m.user_id " +
		"WHERE m.meta_key NOT IN ('session_tokens', '_application_passwords')") {
		lines = append(lines, fmt.Sprintf("%q meta %s=%q", row[0], row[1], row[2]))
	}
	slices.Sort(lines)
	return lines
}
