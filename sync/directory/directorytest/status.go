package directorytest

import (
	"slices"
	"testing"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

var status = chapter{"status", []check{
	{"deactivate twice, activate twice", []power{sets, fills}, setsStatus},
	{"groups come back on activation", []power{sets, fills, joins, seesGroups}, restoresGroups},
	{"create inactive", []power{creates, sets}, createsInactive},
	{"of a missing account", []power{sets}, setsMissing},
}}

func (w *world) setStatus(t testing.TB, id string, status directory.Status, groups ...string) directory.Account {
	t.Helper()
	account, err := w.d.(directory.StatusSetter).SetStatus(t.Context(), directory.StatusRequest{ID: id, Status: status, Groups: groups})
	w.good(t, err, "set status "+status.String())
	if account.ID != id || account.Status != status {
		t.Errorf("the answer to %s for account %q is %q, %s", status, id, account.ID, account.Status)
	}
	return account
}

func setsStatus(t testing.TB, w *world) {
	made := w.fill(t, 2)
	account, other := made[0], made[1]
	before := w.read(t, account.ID)
	for _, status := range []directory.Status{directory.StatusInactive, directory.StatusInactive, directory.StatusActive, directory.StatusActive} {
		w.setStatus(t, account.ID, status)
		now := w.read(t, account.ID)
		if now.Status != status {
			t.Fatalf("the account was set %s and is %s", status, now.Status)
		}
		now.Status = before.Status
		now.GroupsKnown = now.GroupsKnown && !w.desc.GroupsLostOnDeactivation
		w.untouched(t, before, now)
		if now := w.peek(t, other.ID); now.Status != directory.StatusActive {
			t.Errorf("another account became %s", now.Status)
		}
	}
}

func restoresGroups(t testing.TB, w *world) {
	group := w.groups(t, 1)[0]
	account := w.fill(t, 1)[0]
	w.change(t, account.ID, []string{group.ID}, nil)
	before := w.groupsOf(t, account.ID)
	w.setStatus(t, account.ID, directory.StatusInactive)
	lost := !slices.Contains(w.groupsOf(t, account.ID), group.ID)
	if lost != w.desc.GroupsLostOnDeactivation {
		t.Errorf("deactivation takes groups away: %t, and the description says %t", lost, w.desc.GroupsLostOnDeactivation)
	}
	w.setStatus(t, account.ID, directory.StatusActive, before...)
	if after := w.groupsOf(t, account.ID); !sameSet(before, after) {
		t.Errorf("the groups were %q and are %q after activation", before, after)
	}
}

func createsInactive(t testing.TB, w *world) {
	if w.waived(t, CreateInactive, "") {
		return
	}
	account := w.make(t, directory.CreateRequest{Status: directory.StatusInactive})
	if account.Status != directory.StatusInactive {
		t.Errorf("the answer to creating an inactive account says %s", account.Status)
	}
	if now := w.read(t, account.ID); now.Status != directory.StatusInactive {
		t.Errorf("the account was created inactive and is %s", now.Status)
	}
	w.setStatus(t, account.ID, directory.StatusActive)
}

func setsMissing(t testing.TB, w *world) {
	for _, status := range []directory.Status{directory.StatusInactive, directory.StatusActive} {
		_, err := w.d.(directory.StatusSetter).SetStatus(t.Context(), directory.StatusRequest{ID: w.MissingID, Status: status})
		w.refused(t, err, "set a missing account "+status.String(), directory.NotFound)
	}
}
