// Package snapshot reads a directory whole, before anything is written: page by page into a private file, with a compact
// index in memory, and with a certificate that says whether the listing is proven complete.
package snapshot

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Snapshot is what one directory held at one time. It keeps 28 bytes an account in memory; the accounts themselves are in
// a file. Reading is safe for concurrent use.
type Snapshot struct {
	Description directory.Description
	Certificate Certificate
	// Groups are the groups of the directory; nil where none were read.
	Groups []directory.Group
	// Broke is why the listing broke off; nil where it came to its end.
	Broke error
	// TakenAt is when the listing began.
	TakenAt time.Time

	file    *os.File
	kept    bool
	entries []entry // sorted by id hash
	members []member
	// membersKnown is set where memberships were listed apart from the accounts, and whole.
	membersKnown bool
}

// entry is the index of one account.
type entry struct {
	id     uint64
	hash   uint64
	offset int64
	length uint32
}

// member is one membership: hash of the account's id, index into Groups.
type member struct {
	account uint64
	group   uint32
}

// Len returns the number of accounts.
func (s *Snapshot) Len() int { return len(s.entries) }

// hashID is the hash under which an account is found.
func hashID(id string) uint64 { return xxhash.Sum64String(id) }

// find returns the position of an account.
func (s *Snapshot) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, hashID(id), func(e entry, h uint64) int { return cmp.Compare(e.id, h) })
}

// HashAt returns the content hash of the account at a position: equal hashes mean that nothing that rules look at has
// changed: the named attributes (all where none are named), the status, the groups, and what forbids a write. It is never 0.
func (s *Snapshot) HashAt(i int) uint64 {
	e := s.entries[i]
	hash := e.hash
	for _, m := range s.membersOf(e.id) {
		// Order must not matter, so sums of hashes, not a hash of sums.
		hash += xxhash.Sum64String(s.Groups[m.group].ID)
	}
	return hash
}

func (s *Snapshot) membersOf(account uint64) []member {
	from, _ := slices.BinarySearchFunc(s.members, account, func(m member, h uint64) int { return cmp.Compare(m.account, h) })
	to := from
	for to < len(s.members) && s.members[to].account == account {
		to++
	}
	return s.members[from:to]
}

// Get loads one account; ok is false where the snapshot has none with this id.
func (s *Snapshot) Get(id string) (account directory.Account, ok bool, err error) {
	i, ok := s.find(id)
	if !ok {
		return directory.Account{}, false, nil
	}
	account, err = s.At(i)
	if err != nil || account.ID != id {
		return directory.Account{}, false, err
	}
	return account, true, nil
}

// At loads the account at a position from 0 to Len-1. Positions are stable for the life of the snapshot.
func (s *Snapshot) At(i int) (directory.Account, error) {
	e := s.entries[i]
	payload := make([]byte, e.length)
	if _, err := s.file.ReadAt(payload, e.offset); err != nil {
		return directory.Account{}, fmt.Errorf("snapshot %s: %w", s.file.Name(), err)
	}
	account, _, err := directory.DecodeAccount(payload)
	if err != nil {
		return directory.Account{}, fmt.Errorf("snapshot %s: %w", s.file.Name(), err)
	}
	s.attach(&account, e.id)
	return account, nil
}

// attach adds the groups that were listed apart from the accounts.
func (s *Snapshot) attach(account *directory.Account, id uint64) {
	if s.Description.GroupsInline {
		return
	}
	account.Groups, account.GroupsKnown = nil, s.membersKnown
	for _, m := range s.membersOf(id) {
		account.Groups = append(account.Groups, s.Groups[m.group].ID)
	}
}

// Each calls fn for every account in the order of the file. An error of fn ends it and is returned.
func (s *Snapshot) Each(fn func(directory.Account) error) error {
	return sections(io.NewSectionReader(s.file, 0, 1<<62), func(kind byte, offset int64, payload []byte) error {
		if kind != sectionAccount {
			return nil
		}
		account, _, err := directory.DecodeAccount(payload)
		if err != nil {
			return fmt.Errorf("snapshot %s: %w", s.file.Name(), err)
		}
		i, ok := s.find(account.ID)
		if !ok || s.entries[i].offset != offset {
			return nil // a repeat
		}
		s.attach(&account, s.entries[i].id)
		return fn(account)
	})
}

// Position returns the position of an account, -1 where it is not in the snapshot.
func (s *Snapshot) Position(id string) int {
	i, ok := s.find(id)
	if !ok {
		return -1
	}
	return i
}

// Close removes the file, unless Keep was called.
func (s *Snapshot) Close() error {
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := s.file.Close()
	s.file = nil
	if !s.kept {
		if rm := os.Remove(name); err == nil {
			err = rm
		}
	}
	return err
}

// Path is where Keep puts the snapshot of a directory.
func Path(folder, name string) string { return filepath.Join(folder, name+".snapshot") }

// Keep makes the snapshot the last one of its directory, for `explain --offline`: the file takes the place of the one
// before, atomically.
func (s *Snapshot) Keep(folder string) error {
	if s.kept {
		return nil
	}
	if err := os.Rename(s.file.Name(), Path(folder, s.Description.Name)); err != nil {
		return fmt.Errorf("snapshot %s: %w", s.Description.Name, err)
	}
	s.kept = true
	return nil
}

// trailer is the last section of a file.
type trailer struct {
	TakenAt      time.Time             `json:"taken_at"`
	Description  directory.Description `json:"description"`
	Certificate  Certificate           `json:"certificate"`
	MembersKnown bool                  `json:"members_known"`
}

// finish writes groups, memberships and the trailer.
func (s *Snapshot) finish(out *spool) error {
	groups, err := json.Marshal(s.Groups)
	if err != nil {
		return err
	}
	if _, err := out.write(sectionGroups, groups); err != nil {
		return err
	}
	for i := 0; i < len(s.members); {
		of := s.membersOf(s.members[i].account)
		payload := binary.BigEndian.AppendUint64(nil, s.members[i].account)
		for _, m := range of {
			payload = binary.AppendUvarint(payload, uint64(m.group))
		}
		if _, err := out.write(sectionMembers, payload); err != nil {
			return err
		}
		i += len(of)
	}
	end, err := json.Marshal(trailer{s.TakenAt, s.Description, s.Certificate, s.membersKnown})
	if err != nil {
		return err
	}
	if _, err := out.write(sectionDone, end); err != nil {
		return err
	}
	return out.flush()
}

// Load opens the last snapshot that was kept of a directory.
func Load(folder, name string) (*Snapshot, error) {
	file, err := os.Open(Path(folder, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no snapshot of %s is kept yet; a run of everybody keeps one", name)
	case err != nil:
		return nil, fmt.Errorf("the snapshot of %s: %w", name, err)
	}
	s := &Snapshot{file: file, kept: true}
	whole := false
	err = sections(file, func(kind byte, offset int64, payload []byte) error {
		switch kind {
		case sectionHeader:
			if string(payload) != formatName {
				return fmt.Errorf("%w: %q is another format", directory.ErrCorrupt, payload)
			}
		case sectionAccount:
			account, _, err := directory.DecodeAccount(payload)
			if err != nil {
				return err
			}
			_, hash := account.AppendHashed(nil, nil)
			s.entries = append(s.entries, entry{hashID(account.ID), hash, offset, uint32(len(payload))})
		case sectionGroups:
			return json.Unmarshal(payload, &s.Groups)
		case sectionMembers:
			return s.loadMembers(payload)
		case sectionDone:
			var end trailer
			if err := json.Unmarshal(payload, &end); err != nil {
				return err
			}
			whole = true
			s.TakenAt, s.Description, s.Certificate, s.membersKnown = end.TakenAt, end.Description, end.Certificate, end.MembersKnown
		}
		return nil
	})
	if err == nil && !whole {
		err = fmt.Errorf("%w: it is cut off", directory.ErrCorrupt)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("snapshot %s: %w; the next run writes a new one", file.Name(), err)
	}
	s.sort()
	return s, nil
}

func (s *Snapshot) loadMembers(payload []byte) error {
	if len(payload) < 8 {
		return directory.ErrCorrupt
	}
	account := binary.BigEndian.Uint64(payload)
	for payload = payload[8:]; len(payload) > 0; {
		group, n := binary.Uvarint(payload)
		if n <= 0 || group >= uint64(len(s.Groups)) {
			return directory.ErrCorrupt
		}
		s.members = append(s.members, member{account, uint32(group)})
		payload = payload[n:]
	}
	return nil
}

// sort orders the index and drops repeats of an id, keeping the first in the file. It returns how many there were.
func (s *Snapshot) sort() (repeated int) {
	slices.SortFunc(s.entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.offset, b.offset)) })
	before := len(s.entries)
	s.entries = slices.CompactFunc(s.entries, func(a, b entry) bool { return a.id == b.id })
	slices.SortFunc(s.members, func(a, b member) int { return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.group, b.group)) })
	s.members = slices.Compact(s.members)
	return before - len(s.entries)
}
