package snapshot

import (
	"fmt"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Direct makes a snapshot of accounts that were looked up one by one, with their groups filled in. Its certificate says
// that what it holds was seen first-hand; it proves nothing about anybody else.
func Direct(folder string, description directory.Description, groups []directory.Group, accounts []directory.Account, now time.Time) (*Snapshot, error) {
	out, err := newSpool(folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpool, err)
	}
	description.GroupsInline = true // the accounts carry them here, wherever they came from
	s := &Snapshot{Description: description, Groups: groups, TakenAt: now, file: out.file}
	for _, account := range accounts {
		payload, hash := account.AppendHashed(nil, nil)
		offset, err := out.write(sectionAccount, payload)
		if err != nil {
			out.discard()
			return nil, err
		}
		s.entries = append(s.entries, entry{hashID(account.ID), hash, offset, uint32(len(payload))})
	}
	s.sort()
	s.Certificate.add(ClauseDirect, true, "one person, looked up by name or id", "")
	if err := s.finish(out); err != nil {
		out.discard()
		return nil, err
	}
	return s, nil
}
