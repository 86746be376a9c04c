package memory_test

import (
	"testing"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
	"github.com/rollcall-sync/rollcall/sync/directory/directorytest"
	"github.com/rollcall-sync/rollcall/sync/directory/memory"
)

func clock() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }

func TestConformance(t *testing.T) {
	for name, options := range map[string]memory.Options{
		"plain":                      {},
		"with inline groups":         {GroupsInline: true, PageSize: 3},
		"with groups lost":           {GroupsLostOnDeactivation: true, Now: clock},
		"with inline groups lost":    {GroupsLostOnDeactivation: true, GroupsInline: true},
		"with no further attributes": {Closed: true},
		"with changes by group":      {Changes: &directory.ChangeScope{Memberships: directory.MembershipsByGroup, Deletions: true, Groups: true}},
		"with ids of changes":        {ChangesAsIDs: true, PageSize: 3},
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, directorytest.Suite{New: func(testing.TB) directorytest.Place {
				d := memory.New(options)
				return directorytest.Place{
					Directory: d,
					Again:     func(testing.TB) directory.Directory { return d.Clone() },
					Expire:    func(testing.TB) { d.ForgetChanges() },
				}
			}})
		})
	}
}

func TestConformanceOfPartialDirectories(t *testing.T) {
	for name, view := range map[string]func(*memory.Directory) directory.Directory{
		"core": (*memory.Directory).Core, "read only": (*memory.Directory).ReadOnly, "one by one": (*memory.Directory).OneByOne,
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, directorytest.Suite{New: func(testing.TB) directorytest.Place {
				d := memory.New(memory.Options{})
				return directorytest.Place{Directory: view(d), Seed: seeder(d)}
			}})
		})
	}
}

func seeder(d *memory.Directory) func(testing.TB, directorytest.Seed) {
	return func(_ testing.TB, seed directorytest.Seed) {
		for _, name := range seed.Groups {
			d.PutGroup(directory.Group{Name: name})
		}
		for _, request := range seed.Accounts {
			account := directory.Account{Status: request.Status, Attributes: request.Attributes}
			for _, group := range d.Groups() {
				for _, name := range request.Groups {
					if group.Name == name {
						account.Groups = append(account.Groups, group.ID)
					}
				}
			}
			d.Put(account)
		}
	}
}
