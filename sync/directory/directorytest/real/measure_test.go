package real

import (
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	k := Keycloak(t)
	for range 3 {
		s := time.Now()
		k.Realm(t)
		t.Log("realm", time.Since(s))
	}
	r := k.Realm(t)
	s := time.Now()
	r.AddPeople(People(1, 10000)...)
	t.Log("10000 people", time.Since(s))
	s = time.Now()
	n := len(r.Users())
	t.Log("list", n, time.Since(s))
	s = time.Now()
	n = len(r.Users())
	t.Log("list", n, time.Since(s))
	for range 3 {
		s = time.Now()
		WordPress(t)
		t.Log("site", time.Since(s))
	}
	w := WordPress(t)
	s = time.Now()
	w.AddPeople("subscriber", People(1, 10000)...)
	t.Log("wp 10000", time.Since(s))
	s = time.Now()
	w.AddUser("editor")
	t.Log("adduser", time.Since(s))
	s = time.Now()
	t.Log(w.Login("admin", w.Password))
	t.Log("login", time.Since(s))
}
