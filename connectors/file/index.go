package file

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// index is what one pass over a file finds out: that it is whole, what its columns mean, and where each record stands. It
// costs 28 bytes per record, and never changes once built.
type index struct {
	translator
	identity identity
	// unsettled is set where the file was changed so short a time before it was read that a further change might leave no
	// trace in its identity.
	unsettled bool
	encoding  string
	guessed   bool
	mark      []byte
	memory    []byte
	size      int64 // of the text
	rows      []entry
	byHash    []uint32 // places in rows in the order of their hashes
	seed      maphash.Seed
	groups    map[string]directory.Group
	spelling  [2]any // how the file writes inactive and active; nil where it never does
	// doubt is what speaks against the file's being whole, remedy what to do about it; both are empty where nothing does.
	doubt, remedy string
}

// entry is the place of one record.
type entry struct {
	offset int64
	hash   uint64
	length uint32
	line   uint32
}

func (e entry) end() int64 { return e.offset + int64(e.length) }

// settling is longer than the clock that file systems stamp files with may stand still.
const settling = 20 * time.Millisecond

// buildIndex reads the whole file.
func buildIndex(ctx context.Context, o *options, now time.Time) (*index, error) {
	d, err := openDocument(o)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	x := &index{
		identity: d.identity, encoding: d.encoding, guessed: d.guessed, mark: d.mark, memory: d.memory, size: d.text().Size(),
		seed: maphash.MakeSeed(), groups: map[string]directory.Group{},
	}
	x.unsettled = now.Sub(d.info.ModTime()).Abs() < settling
	x.options, x.grammar = o, o.grammar()
	columns, err := x.grammar.discover(d.text())
	if err != nil {
		return nil, err
	}
	line := 0
	if g, ok := x.grammar.(*csvGrammar); ok {
		line = g.headerLine
	}
	if x.layout, err = arrange(columns, o, line); err != nil {
		return nil, err
	}
	x.layout.open(o)
	if err := x.grammar.scan(d.text(), func(r scanned) error { return x.add(ctx, r) }); err != nil {
		return nil, err
	}
	if len(x.rows) == 0 && o.format == formatJSONL && !o.writable {
		return nil, emptyFile() // it has neither header nor brackets that would tell it from a failed export
	}
	x.order()
	if err := x.unique(d.text()); err != nil {
		return nil, err
	}
	x.judge()
	return x, x.still(d)
}

// open adds the fields that a JSON file lacks and that a new record may need: JSON has no header that would fix them.
func (l *layout) open(o *options) {
	if o.format == formatCSV {
		return
	}
	add := func(place *int, header, attribute string) {
		if *place < 0 {
			*place = len(l.columns)
			l.columns = append(l.columns, column{header: header, attribute: attribute, path: []string{header}})
		}
	}
	add(&l.id, cmp.Or(o.idColumn, directory.ID), o.meant(cmp.Or(o.idColumn, directory.ID)))
	add(&l.active, cmp.Or(o.activeColumn, o.columns[directory.Active], directory.Active), directory.Active)
	add(&l.groups, o.groupsColumn, "")
}

// meant is what a field of this name is, going by the configuration and the spellings alone.
func (o *options) meant(header string) string {
	for attribute, configured := range o.columns {
		if sameHeader(configured, header) {
			return attribute
		}
	}
	if attribute, ok := recognised()[plain(header)]; ok {
		return attribute
	}
	return directory.CustomPrefix + header
}

// still makes sure that what was read was read from one state of the file.
func (x *index) still(d *document) error {
	now, _, err := identify(d.file)
	if err != nil {
		return err
	}
	if now != x.identity {
		return changing("the file was changed while it was being read")
	}
	return nil
}

func changing(message string) error {
	return &fault{kind: directory.Retryable, message: message, remedy: "try again when nobody is writing to it"}
}

// text is the content behind an open file in the state of the index.
func (x *index) text(d *document) textReader {
	if x.memory != nil {
		d.memory = x.memory
	}
	d.mark = x.mark
	return d.text()
}

// add takes note of one record.
func (x *index) add(ctx context.Context, r scanned) error {
	if len(x.rows)%1024 == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	if len(x.rows) >= math.MaxUint32 || r.line >= math.MaxUint32 {
		return broken(0, "split the file", "the file has more than 4,294,967,294 lines")
	}
	cells, err := x.cells(r.raw, r.line, []int{x.id, x.active, x.layout.groups})
	if err != nil {
		return err
	}
	id, err := x.readID(cells, r.line)
	if err != nil {
		return err
	}
	x.rows = append(x.rows, entry{offset: r.offset, hash: maphash.String(x.seed, id), length: uint32(len(r.raw)), line: uint32(r.line)})
	if x.layout.groups >= 0 {
		groups, _ := x.readGroups(cells)
		for _, group := range groups {
			if _, ok := x.groups[group.ID]; !ok {
				x.groups[group.ID] = group
			}
		}
	}
	x.learn(cells)
	return nil
}

// learn remembers how the file spells active and inactive.
func (x *index) learn(cells []any) {
	if x.active < 0 || x.spelling[0] != nil && x.spelling[1] != nil {
		return
	}
	cell := cells[x.active]
	switch cell.(type) {
	case string, bool, json.Number:
	default:
		return
	}
	status, _ := x.readStatus(cells)
	switch {
	case status == directory.StatusInactive && x.spelling[0] == nil:
		x.spelling[0] = cell
	case status == directory.StatusActive && x.spelling[1] == nil:
		x.spelling[1] = cell
	}
}

// order sorts the places by hash.
func (x *index) order() {
	x.byHash = make([]uint32, len(x.rows))
	for i := range x.byHash {
		x.byHash[i] = uint32(i)
	}
	slices.SortFunc(x.byHash, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(x.rows[a].hash, x.rows[b].hash), cmp.Compare(a, b))
	})
}

// unique looks for ids that occur twice and names the first pair.
func (x *index) unique(text io.ReaderAt) error {
	var first *fault
	for i := 0; i < len(x.byHash); {
		end := i + 1
		for end < len(x.byHash) && x.rows[x.byHash[end]].hash == x.rows[x.byHash[i]].hash {
			end++
		}
		if end == i+1 {
			i = end
			continue
		}
		seen := map[string]entry{}
		for _, row := range x.byHash[i:end] {
			id, err := x.idAt(text, int(row))
			if err != nil {
				return err
			}
			e := x.rows[row]
			if other, twice := seen[id]; twice && (first == nil || int(e.line) < first.line) {
				first = broken(int(e.line), "remove one of the two, or set id_column to a column whose values are unique",
					"the id %q is on line %d already", id, other.line)
				first.header = x.columns[x.id].header
			}
			if _, ok := seen[id]; !ok {
				seen[id] = e
			}
		}
		i = end
	}
	if first != nil {
		return first
	}
	return nil
}

// raw reads one record.
func (x *index) raw(text io.ReaderAt, row int) ([]byte, error) {
	raw := make([]byte, x.rows[row].length)
	if n, err := text.ReadAt(raw, x.rows[row].offset); n < len(raw) {
		return nil, errors.Join(changing("the file became shorter while it was being read"), err)
	}
	return raw, nil
}

func (x *index) idAt(text io.ReaderAt, row int) (string, error) {
	raw, err := x.raw(text, row)
	if err != nil {
		return "", err
	}
	cells, err := x.cells(raw, int(x.rows[row].line), []int{x.id})
	if err != nil {
		return "", err
	}
	return x.readID(cells, int(x.rows[row].line))
}

// find returns the place of an id, or -1.
func (x *index) find(text io.ReaderAt, id string) (int, error) {
	hash := maphash.String(x.seed, id)
	at, _ := slices.BinarySearchFunc(x.byHash, hash, func(row uint32, hash uint64) int { return cmp.Compare(x.rows[row].hash, hash) })
	for ; at < len(x.byHash) && x.rows[x.byHash[at]].hash == hash; at++ {
		row := int(x.byHash[at])
		if have, err := x.idAt(text, row); err != nil {
			return -1, err
		} else if have == id {
			return row, nil
		}
	}
	return -1, nil
}

// judge says what makes a file that reads well doubtful all the same.
func (x *index) judge() {
	g, _ := x.grammar.(*jsonGrammar)
	x.doubt, x.remedy = "", ""
	switch {
	case len(x.rows) == 0:
		x.doubt = "the file holds nobody"
		x.remedy = "look whether the export has run to its end and path names the file that it writes"
	case g == nil:
	case g.more != "":
		x.doubt = fmt.Sprintf("the file is one page of a longer answer: it names the next one under %s", g.more)
		x.remedy = "export all pages into the file"
	case g.told >= 0 && g.told != len(x.rows):
		x.doubt = fmt.Sprintf("the file says that there are %d accounts and holds %d", g.told, len(x.rows))
		x.remedy = "export the file again, all of it, or correct the number in it"
	}
}

// told is the number of accounts that the file itself names, where it does, and otherwise how many it holds.
func (x *index) told() int {
	if g, ok := x.grammar.(*jsonGrammar); ok && g.told >= 0 {
		return g.told
	}
	return len(x.rows)
}

// spellingOf returns what to write for a status: what the file writes elsewhere, or the opposite of it.
func (x *index) spellingOf(status directory.Status) any {
	want, other := 0, 1
	if status == directory.StatusActive {
		want, other = 1, 0
	}
	if x.spelling[want] != nil {
		return x.spelling[want]
	}
	truth := (status == directory.StatusActive) != x.columns[x.active].inverted
	switch known := x.spelling[other].(type) {
	case string:
		text := strings.TrimSpace(known)
		for _, pair := range opposites {
			for i := range pair {
				if strings.EqualFold(pair[i], text) {
					return likeCase(pair[1-i], text)
				}
			}
		}
	case json.Number:
		if truth {
			return json.Number("1")
		}
		return json.Number("0")
	case bool:
		return truth
	}
	if x.options.format == formatCSV || x.spelling[other] != nil {
		return fmt.Sprint(truth)
	}
	return truth
}

// likeCase writes a word as another one is written.
func likeCase(word, like string) string {
	switch {
	case like == strings.ToUpper(like):
		return strings.ToUpper(word)
	case like[:1] == strings.ToUpper(like[:1]):
		return strings.ToUpper(word[:1]) + word[1:]
	default:
		return word
	}
}
