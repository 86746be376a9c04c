package snapshot

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// Keys finds accounts of a snapshot by folded values of their attributes, at 12 bytes a value. Two values may share a hash,
// so whoever asks compares the account it gets.
type Keys struct {
	entries []keyEntry
}

type keyEntry struct {
	key      uint64
	position uint32
}

// NewKeys reads the snapshot once; keys returns the texts under which an account is to be found.
func NewKeys(s *Snapshot, keys func(directory.Account) []string) (*Keys, error) {
	k := &Keys{entries: make([]keyEntry, 0, s.Len())}
	err := s.Each(func(account directory.Account) error {
		position := s.Position(account.ID)
		for _, key := range keys(account) {
			k.entries = append(k.entries, keyEntry{xxhash.Sum64String(key), uint32(position)})
		}
		return nil
	})
	slices.SortFunc(k.entries, func(a, b keyEntry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.position, b.position))
	})
	return k, err
}

// Positions returns where the accounts with this key are, each once.
func (k *Keys) Positions(key string) []int {
	hash := xxhash.Sum64String(key)
	i, _ := slices.BinarySearchFunc(k.entries, hash, func(e keyEntry, h uint64) int { return cmp.Compare(e.key, h) })
	var positions []int
	for ; i < len(k.entries) && k.entries[i].key == hash; i++ {
		positions = append(positions, int(k.entries[i].position))
	}
	return slices.Compact(positions)
}
