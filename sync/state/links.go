package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const headColumns = `l.source_id, l.target_id, l.source_hash, l.target_hash, l.rules, l.claim, l.deactivated_at, l.missing_runs,
	l.suspected_since`

const selectLinks = "SELECT " + headColumns + `, l.sync, l.source_label, l.target_label, d.source_directory, d.target_directory,
	d.origin, d.created_at, d.created_run, d.deactivated_by, d.remembered_groups, d.protected, d.base
	FROM links l JOIN link_details d ON d.id = l.detail `

// Links calls each for the head of every link of a sync in byte order of the source id, as they were when it began: what
// is written meanwhile, also by each itself, is not seen. The first error of each ends the walk and is returned.
func (db *DB) Links(ctx context.Context, sync string, each func(LinkHead) error) error {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil || !ok {
		return err
	}
	rows, err := db.reader.QueryContext(ctx, "SELECT "+headColumns+" FROM links l WHERE l.sync = ? ORDER BY l.source_id", id)
	if err != nil {
		return translate(db.path, err)
	}
	defer rows.Close()
	// A run walks all links, and there may be a million: plain numbers are scanned without reflection, and the fingerprint
	// of the rules, which is nearly always the same, is looked up when it changes.
	var head LinkHead
	var sourceHash, targetHash, rules, claim, deactivatedAt, missingRuns, suspectedSince int64
	columns := []any{&head.SourceID, &head.TargetID, &sourceHash, &targetHash, &rules, &claim, &deactivatedAt, &missingRuns, &suspectedSince}
	known := int64(-1)
	for rows.Next() {
		if err := rows.Scan(columns...); err != nil {
			return translate(db.path, err)
		}
		if rules != known {
			if head.Rules, err = db.name(ctx, rules); err != nil {
				return err
			}
			known = rules
		}
		head.SourceHash, head.TargetHash, head.Claim, head.MissingRuns = uint64(sourceHash), uint64(targetHash), Claim(claim), int(missingRuns)
		head.DeactivatedAt, head.SuspectedSince = fromNanos(deactivatedAt), fromNanos(suspectedSince)
		if err := each(head); err != nil {
			return err
		}
	}
	return translate(db.path, rows.Err())
}

// LinkCount returns how many links a sync has, and how many of them it holds.
func (db *DB) LinkCount(ctx context.Context, sync string) (all, held int, err error) {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil || !ok {
		return 0, 0, err
	}
	err = db.reader.QueryRowContext(ctx, "SELECT count(*), count(*) FILTER (WHERE claim = ?) FROM links WHERE sync = ?", int64(Held), id).Scan(&all, &held)
	return all, held, translate(db.path, err)
}

// LinkBySource returns the link of a source account; [ErrNotFound] where it has none.
func (db *DB) LinkBySource(ctx context.Context, sync, sourceID string) (Link, error) {
	return db.oneLink(ctx, sync, "source", sourceID, "WHERE l.sync = ? AND l.source_id = ?")
}

// LinksBySource returns the links of many source accounts by id; those that have none are left out.
func (db *DB) LinksBySource(ctx context.Context, sync string, sourceIDs ...string) (map[string]Link, error) {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil || !ok {
		return nil, err
	}
	ids, err := json.Marshal(sourceIDs)
	if err != nil {
		return nil, err
	}
	found, err := db.selectLinks(ctx, "WHERE l.sync = ? AND l.source_id IN (SELECT value FROM json_each(?))", id, string(ids))
	links := make(map[string]Link, len(found))
	for _, link := range found {
		links[link.SourceID] = link
	}
	return links, err
}

// LinkByTarget returns the link of a target account; [ErrNotFound] where it has none.
func (db *DB) LinkByTarget(ctx context.Context, sync, targetID string) (Link, error) {
	return db.oneLink(ctx, sync, "target", targetID, "WHERE l.sync = ? AND l.target_id = ?")
}

func (db *DB) oneLink(ctx context.Context, sync, side, account, where string) (Link, error) {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil {
		return Link{}, err
	}
	var links []Link
	if ok {
		if links, err = db.selectLinks(ctx, where, id, account); err != nil {
			return Link{}, err
		}
	}
	if len(links) == 0 {
		return Link{}, faultf(ErrNotFound, "sync %s: %s account %q has no link", sync, side, account)
	}
	return links[0], nil
}

// FindLinks returns the links of a sync (of all syncs where sync is empty) whose source or target has this id or label;
// labels compare without case. It looks at every link.
func (db *DB) FindLinks(ctx context.Context, sync, who string) ([]Link, error) {
	if who == "" {
		return nil, nil
	}
	// SQLite folds the case of ASCII letters only. What is equal in any case has the same number of letters, so that
	// decides which labels are worth a closer look.
	query, args := `SELECT sync, source_id, target_id, source_label, target_label FROM links
		WHERE (source_id = ?1 OR target_id = ?1 OR length(source_label) = ?2 OR length(target_label) = ?2)`, []any{who, utf8.RuneCountInString(who)}
	if sync != "" {
		id, ok, err := db.nameID(ctx, sync)
		if err != nil || !ok {
			return nil, err
		}
		query, args = query+" AND sync = ?3", append(args, id)
	}
	rows, err := db.reader.QueryContext(ctx, query+" ORDER BY sync, source_id", args...)
	if err != nil {
		return nil, translate(db.path, err)
	}
	defer rows.Close()
	var found []Link
	for rows.Next() {
		var row linkRow
		if err := rows.Scan(&row.sync, &row.SourceID, &row.TargetID, &row.SourceLabel, &row.TargetLabel); err != nil {
			return nil, translate(db.path, err)
		}
		if row.SourceID != who && row.TargetID != who && !strings.EqualFold(row.SourceLabel, who) && !strings.EqualFold(row.TargetLabel, who) {
			continue
		}
		links, err := db.selectLinks(ctx, "WHERE l.sync = ? AND l.source_id = ?", row.sync, row.SourceID)
		if err != nil {
			return nil, err
		}
		found = append(found, links...)
	}
	return found, translate(db.path, rows.Err())
}

// SaveLinks stores new links and changes existing ones, all or none. A link is found by its sync and source id. A source or
// target account that already has another link in the sync is [ErrLinked].
func (db *DB) SaveLinks(ctx context.Context, links ...Link) error {
	if len(links) == 0 {
		return nil
	}
	encoded, err := db.encodeLinks(ctx, links)
	if err != nil {
		return err
	}
	return db.write(ctx, len(links), func(t *tx) error {
		for i := range encoded {
			if err := encoded[i].save(t); err != nil {
				return err
			}
		}
		return nil
	})
}

// InStep says that the two accounts of a link were found equal with these contents.
type InStep struct {
	SourceID               string
	SourceHash, TargetHash uint64
}

// MarkInStep notes on existing links that their accounts are in step under the rules, and leaves the rest of them as it is,
// all or none; [ErrNotFound] where a source account has no link.
func (db *DB) MarkInStep(ctx context.Context, sync, rules string, marks ...InStep) error {
	if err := db.intern(ctx, sync, rules); err != nil {
		return err
	}
	id, ruleID := db.known(sync), db.known(rules)
	return db.write(ctx, len(marks), func(t *tx) error {
		for _, mark := range marks {
			result, err := t.exec("UPDATE links SET source_hash = ?, target_hash = ?, rules = ? WHERE sync = ? AND source_id = ?",
				int64(mark.SourceHash), int64(mark.TargetHash), ruleID, id, mark.SourceID)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				return errors.Join(err, faultf(ErrNotFound, "sync %s: source account %q has no link", sync, mark.SourceID))
			}
		}
		return nil
	})
}

// DeleteLink forgets the link of a source account; [ErrNotFound] where it has none.
func (db *DB) DeleteLink(ctx context.Context, sync, sourceID string) error {
	id, ok, err := db.nameID(ctx, sync)
	if err != nil {
		return err
	}
	missing := faultf(ErrNotFound, "sync %s: source account %q has no link", sync, sourceID)
	if !ok {
		return missing
	}
	return db.write(ctx, 1, func(t *tx) error {
		n, err := dropLinks(t, "sync = ? AND source_id = ?", id, sourceID)
		if err == nil && n == 0 {
			return missing
		}
		return err
	})
}

// dropLinks removes the links that the condition chooses.
func dropLinks(t *tx, where string, args ...any) (int64, error) {
	if _, err := t.exec("DELETE FROM link_details WHERE id IN (SELECT detail FROM links WHERE "+where+")", args...); err != nil {
		return 0, err
	}
	result, err := t.exec("DELETE FROM links WHERE "+where, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// selectLinks returns full links.
func (db *DB) selectLinks(ctx context.Context, where string, args ...any) ([]Link, error) {
	rows, err := db.reader.QueryContext(ctx, selectLinks+where, args...)
	if err != nil {
		return nil, translate(db.path, err)
	}
	defer rows.Close()
	var links []Link
	for rows.Next() {
		var row linkRow
		if err := rows.Scan(append(row.head(), row.rest()...)...); err != nil {
			return nil, translate(db.path, err)
		}
		link, err := db.decodeLink(ctx, &row)
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	return links, translate(db.path, rows.Err())
}

// linkRow is a link as the tables hold it.
type linkRow struct {
	Link
	sync, sourceDirectory, targetDirectory, rules int64
	sourceHash, targetHash                        int64
	deactivatedAt, suspectedSince, createdAt      int64
	groups                                        string
	base                                          []byte
}

func (r *linkRow) head() []any {
	return []any{
		&r.SourceID, &r.TargetID, &r.sourceHash, &r.targetHash, &r.rules, &r.Claim, &r.deactivatedAt, &r.MissingRuns,
		&r.suspectedSince,
	}
}

func (r *linkRow) rest() []any {
	return []any{
		&r.sync, &r.SourceLabel, &r.TargetLabel, &r.sourceDirectory, &r.targetDirectory, &r.Origin, &r.createdAt, &r.CreatedRun,
		&r.DeactivatedBy, &r.groups, &r.Protected, &r.base,
	}
}

func (db *DB) decodeHead(ctx context.Context, r *linkRow) (LinkHead, error) {
	head := r.LinkHead
	head.SourceHash, head.TargetHash = uint64(r.sourceHash), uint64(r.targetHash)
	head.DeactivatedAt, head.SuspectedSince = fromNanos(r.deactivatedAt), fromNanos(r.suspectedSince)
	var err error
	head.Rules, err = db.name(ctx, r.rules)
	return head, err
}

func (db *DB) decodeLink(ctx context.Context, r *linkRow) (Link, error) {
	link := r.Link
	var err error
	if link.LinkHead, err = db.decodeHead(ctx, r); err != nil {
		return Link{}, err
	}
	if link.Sync, err = db.name(ctx, r.sync); err != nil {
		return Link{}, err
	}
	if link.SourceDirectory, err = db.name(ctx, r.sourceDirectory); err != nil {
		return Link{}, err
	}
	if link.TargetDirectory, err = db.name(ctx, r.targetDirectory); err != nil {
		return Link{}, err
	}
	link.CreatedAt = fromNanos(r.createdAt)
	if r.groups != "" {
		if err := json.Unmarshal([]byte(r.groups), &link.RememberedGroups); err != nil {
			return Link{}, db.fault(ErrDamaged, err, "holds a link of source account %q that cannot be read - restore it from a backup", link.SourceID)
		}
	}
	if link.Base, err = decodeBase(r.base); err != nil {
		return Link{}, db.fault(ErrDamaged, err, "holds a link of source account %q that cannot be read - restore it from a backup", link.SourceID)
	}
	return link, nil
}

// encodeLinks does everything that can be done outside of the transaction.
func (db *DB) encodeLinks(ctx context.Context, links []Link) ([]linkRow, error) {
	var names []string
	for _, link := range links {
		if link.Sync == "" || link.SourceID == "" || link.TargetID == "" {
			return nil, fmt.Errorf("a link needs a sync and two account ids, not %q, %q and %q", link.Sync, link.SourceID, link.TargetID)
		}
		names = append(names, link.Sync, link.SourceDirectory, link.TargetDirectory, link.Rules)
	}
	if err := db.intern(ctx, names...); err != nil {
		return nil, err
	}
	rows := make([]linkRow, len(links))
	for i, link := range links {
		if link.CreatedAt.IsZero() {
			link.CreatedAt = db.now()
		}
		rows[i] = linkRow{
			Link: link, sync: db.known(link.Sync), rules: db.known(link.Rules),
			sourceDirectory: db.known(link.SourceDirectory), targetDirectory: db.known(link.TargetDirectory),
			createdAt: nanos(link.CreatedAt), base: link.Base.appendBinary(nil),
		}
		if len(link.RememberedGroups) > 0 {
			groups, err := json.Marshal(link.RememberedGroups)
			if err != nil {
				return nil, err
			}
			rows[i].groups = string(groups)
		}
	}
	return rows, nil
}

func headValues(head LinkHead, rules int64) []any {
	return []any{
		int64(head.SourceHash), int64(head.TargetHash), rules, int64(head.Claim), nanos(head.DeactivatedAt), head.MissingRuns,
		nanos(head.SuspectedSince),
	}
}

// save inserts or changes the link. The two questions before it need no more than this transaction, because nobody else
// writes while it is open.
func (r *linkRow) save(t *tx) error {
	var detail int64
	var target string
	err := t.get("SELECT detail, target_id FROM links WHERE sync = ? AND source_id = ?", []any{r.sync, r.SourceID}, &detail, &target)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r.insert(t)
	case err != nil:
		return err
	case target != r.TargetID:
		return r.conflict(t, r.SourceID, target)
	}
	if _, err := t.exec(`UPDATE link_details SET source_directory = ?, target_directory = ?, origin = ?,
		created_at = ?, created_run = ?, deactivated_by = ?, remembered_groups = ?, protected = ?, base = ? WHERE id = ?`,
		append(r.detailValues(), detail)...); err != nil {
		return err
	}
	_, err = t.exec(`UPDATE links SET source_hash = ?, target_hash = ?, rules = ?, claim = ?, deactivated_at = ?, missing_runs = ?,
		suspected_since = ?, source_label = ?, target_label = ? WHERE sync = ? AND source_id = ?`,
		append(headValues(r.LinkHead, r.rules), r.SourceLabel, r.TargetLabel, r.sync, r.SourceID)...)
	return err
}

func (r *linkRow) insert(t *tx) error {
	var source string
	err := t.get("SELECT source_id FROM links WHERE target_id = ? AND sync = ?", []any{r.TargetID, r.sync}, &source)
	if err == nil {
		return r.conflict(t, source, r.TargetID)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	result, err := t.exec(`INSERT INTO link_details (source_directory, target_directory, origin, created_at, created_run,
		deactivated_by, remembered_groups, protected, base) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, r.detailValues()...)
	if err != nil {
		return err
	}
	detail, err := result.LastInsertId()
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO links (source_hash, target_hash, rules, claim, deactivated_at, missing_runs, suspected_since,
		source_label, target_label, sync, source_id, target_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		append(headValues(r.LinkHead, r.rules), r.SourceLabel, r.TargetLabel, r.sync, r.SourceID, r.TargetID, detail)...)
	return err
}

func (r *linkRow) detailValues() []any {
	return []any{
		r.sourceDirectory, r.targetDirectory, string(r.Origin), r.createdAt, r.CreatedRun, r.DeactivatedBy, r.groups, r.Protected, r.base,
	}
}

// conflict names all accounts of a link that is in the way.
func (r *linkRow) conflict(t *tx, source, target string) error {
	var sourceLabel, targetLabel string
	err := t.get("SELECT source_label, target_label FROM links WHERE sync = ? AND source_id = ?",
		[]any{r.sync, source}, &sourceLabel, &targetLabel)
	if err != nil {
		return err
	}
	return faultf(ErrLinked, "sync %s: source account %s is already linked to target account %s, so %s cannot be linked to %s - unlink the old pair first",
		r.Sync, named(source, sourceLabel), named(target, targetLabel), named(r.SourceID, r.SourceLabel), named(r.TargetID, r.TargetLabel))
}
