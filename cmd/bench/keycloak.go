package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory/directorytest/real"
)

// keycloakPage is the largest page that is quick; the connector uses the same.
const keycloakPage = 1000

// bareKeycloak is the client that somebody would write in ten minutes: a token, then page after page.
type bareKeycloak struct {
	realm *real.Realm
	http  *http.Client
}

func newBareKeycloak(realm *real.Realm) *bareKeycloak {
	// The first listing may take minutes on a busy machine.
	return &bareKeycloak{realm, &http.Client{Timeout: 10 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}}
}

// list reads and decodes all users and returns their number.
func (c *bareKeycloak) list(g *rig) int {
	var token struct {
		Value string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.realm.ClientID}, "client_secret": {c.realm.ClientSecret}}
	request, err := http.NewRequestWithContext(g.ctx, http.MethodPost, c.realm.URL+"/realms/"+c.realm.Name+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	g.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.send(g, request, &token)
	for people := 0; ; {
		address := fmt.Sprintf("%s/admin/realms/%s/users?briefRepresentation=false&first=%d&max=%d", c.realm.URL, c.realm.Name, people, keycloakPage)
		request, err := http.NewRequestWithContext(g.ctx, http.MethodGet, address, nil)
		g.must(err)
		request.Header.Set("Authorization", "Bearer "+token.Value)
		var page []real.User
		c.send(g, request, &page)
		people += len(page)
		if len(page) < keycloakPage {
			return people
		}
	}
}

func (c *bareKeycloak) send(g *rig, request *http.Request, into any) {
	answer, err := c.http.Do(request)
	g.must(err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	g.must(err)
	if answer.StatusCode != http.StatusOK {
		g.Fatalf("Keycloak answers the bare client with %s: %.300s", answer.Status, data)
	}
	g.must(json.Unmarshal(data, into))
}
