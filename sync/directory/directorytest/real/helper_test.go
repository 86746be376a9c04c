package real

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// countUsersAsClient signs in as the realm's own client, asks for the number of users and returns the answer's status.
func countUsersAsClient(t *testing.T, realm *Realm) int {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {realm.ClientID}, "client_secret": {realm.ClientSecret}}
	request, err := http.NewRequest(http.MethodPost, realm.URL+"/realms/"+realm.Name+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, answer := realm.Server.send(t, request)
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &token); err != nil || status != http.StatusOK {
		t.Fatalf("the client gets no token: %d: %s", status, answer)
	}
	request, err = http.NewRequest(http.MethodGet, realm.URL+"/admin/realms/"+realm.Name+"/users/count", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Token)
	status, _ = realm.Server.send(t, request)
	return status
}
