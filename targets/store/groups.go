package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/rollcall-sync/rollcall/sync/directory"
)

// below lists the groups with the given name keys and all groups nested in them, with the name of the outermost.
const below = `WITH RECURSIVE below(id, name) AS (
	SELECT id, name FROM groups WHERE name_key IN (SELECT value FROM json_each(?1))
	UNION SELECT p.group_id, b.name FROM group_parents p JOIN below b ON p.parent_id = b.id)
SELECT id, min(name) FROM below GROUP BY id`

// privilegedGroups maps the ids of privileged groups to the name that makes them so.
func (d *Directory) privilegedGroups(ctx context.Context, q queryer) (map[string]string, error) {
	if len(d.privileged) == 0 {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, below, jsonTexts(d.privileged))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]string{}
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		names[id] = name
	}
	return names, rows.Err()
}

// ListGroups lists by id.
func (d *Directory) ListGroups(ctx context.Context, request directory.GroupListRequest) (directory.GroupPage, error) {
	page := directory.GroupPage{Total: -1}
	err := d.read(ctx, "list groups", "", func(ctx context.Context, q queryer) error {
		last, err := lastOf(request.Cursor)
		if err != nil {
			return err
		}
		size := d.size(request.Size)
		if page.Groups, err = groupsAfter(ctx, q, last, size+1); err != nil {
			return err
		}
		if len(page.Groups) > size {
			page.Groups = page.Groups[:size]
			page.Next = cursorAfter(page.Groups[size-1].ID)
		}
		return withPaths(ctx, q, page.Groups)
	})
	if err != nil {
		return directory.GroupPage{}, err
	}
	return page, nil
}

func groupsAfter(ctx context.Context, q queryer, last string, size int) ([]directory.Group, error) {
	rows, err := q.QueryContext(ctx, `SELECT g.id, g.name,
		coalesce((SELECT group_concat(p.parent_id, ' ') FROM group_parents p WHERE p.group_id = g.id), '')
		FROM groups g WHERE g.id > ? ORDER BY g.id LIMIT ?`, last, size)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var groups []directory.Group
	for rows.Next() {
		var group directory.Group
		var parents string
		if err := rows.Scan(&group.ID, &group.Name, &parents); err != nil {
			return nil, err
		}
		group.Parents = strings.Fields(parents)
		groups = append(groups, group)
	}
	return groups, rows.Err()
}

// withPaths fills in where nested groups stand. A group with several parents is shown below the first of them.
func withPaths(ctx context.Context, q queryer, groups []directory.Group) error {
	for i := range groups {
		if len(groups[i].Parents) == 0 {
			continue
		}
		names, err := texts(ctx, q, `WITH RECURSIVE up(id, depth) AS (
			SELECT ?1, 0
			UNION ALL SELECT (SELECT min(p.parent_id) FROM group_parents p WHERE p.group_id = up.id), depth + 1 FROM up WHERE up.id IS NOT NULL AND depth < 100)
			SELECT g.name FROM up JOIN groups g ON g.id = up.id ORDER BY up.depth DESC`, groups[i].ID)
		if err != nil {
			return err
		}
		groups[i].Path = "/" + strings.Join(names, "/")
	}
	return nil
}

// ListMembers lists by account id.
func (d *Directory) ListMembers(ctx context.Context, request directory.MemberListRequest) (page directory.MemberPage, err error) {
	err = d.read(ctx, "list members", request.Group, func(ctx context.Context, q queryer) error {
		last, err := lastOf(request.Cursor)
		if err != nil {
			return err
		}
		missing, err := missingGroups(ctx, q, []string{request.Group})
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fault(directory.NotFound, "", "there is no such group")
		}
		size := d.size(request.Size)
		page.Accounts, err = texts(ctx, q, "SELECT account_id FROM memberships WHERE group_id = ? AND account_id > ? ORDER BY account_id LIMIT ?",
			request.Group, last, size+1)
		if len(page.Accounts) > size {
			page.Accounts = page.Accounts[:size]
			page.Next = cursorAfter(page.Accounts[size-1])
		}
		return err
	})
	return page, err
}

// ListMemberships returns the ids of the groups of one account.
func (d *Directory) ListMemberships(ctx context.Context, account string) (groups []string, err error) {
	err = d.read(ctx, "list memberships", account, func(ctx context.Context, q queryer) error {
		found, err := d.get(ctx, q, account)
		groups = found.Groups
		return err
	})
	return groups, err
}

// missingGroups returns those of the ids that are no group's.
func missingGroups(ctx context.Context, q queryer, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return texts(ctx, q, "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM groups)", jsonTexts(ids))
}

// mustHaveGroups refuses unknown groups.
func mustHaveGroups(ctx context.Context, q queryer, ids []string) error {
	missing, err := missingGroups(ctx, q, ids)
	if err == nil && len(missing) > 0 {
		err = fault(directory.Invalid, "", "there is no group %q", missing[0])
	}
	return err
}

// join adds one account to groups and returns how many it was not in.
func join(ctx context.Context, q queryer, account string, groups []string) (int64, error) {
	if len(groups) == 0 {
		return 0, nil
	}
	return affected(q.ExecContext(ctx, "INSERT OR IGNORE INTO memberships (account_id, group_id) SELECT ?, value FROM json_each(?)", account, jsonTexts(groups)))
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// ChangeGroups adds and removes in one step.
func (d *Directory) ChangeGroups(ctx context.Context, request directory.GroupsRequest) error {
	return d.write(ctx, "change groups", request.Account, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := d.get(ctx, tx, request.Account); err != nil {
			return err
		}
		if err := mustHaveGroups(ctx, tx, slices.Concat(request.Add, request.Remove)); err != nil {
			return err
		}
		added, err := join(ctx, tx, request.Account, request.Add)
		if err != nil {
			return err
		}
		removed, err := affected(tx.ExecContext(ctx, "DELETE FROM memberships WHERE account_id = ? AND group_id IN (SELECT value FROM json_each(?))",
			request.Account, jsonTexts(request.Remove)))
		if err != nil || added+removed == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE accounts SET revision = revision + 1, updated_at = ? WHERE id = ?", d.now().UnixNano(), request.Account)
		return err
	})
}

// CreateGroup makes a group; names differ by more than case.
func (d *Directory) CreateGroup(ctx context.Context, name string) (group directory.Group, err error) {
	err = d.write(ctx, "create group", name, func(ctx context.Context, tx *sql.Tx) error {
		if strings.TrimSpace(name) == "" {
			return fault(directory.Invalid, "", "a group needs a name")
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		made, err := affected(tx.ExecContext(ctx, "INSERT OR IGNORE INTO groups (id, name, name_key) VALUES (?, ?, ?)", id.String(), name, fold(name)))
		if err == nil && made == 0 {
			return fault(directory.Conflict, "", "the group exists")
		}
		group = directory.Group{ID: id.String(), Name: name}
		return err
	})
	if err != nil {
		return directory.Group{}, err
	}
	return group, nil
}

// NestGroup makes one group a member of exactly the parents given. A circle, or an unknown group, is Invalid; the contract
// reads nesting and does not write it, so this is for programs that fill a store.
func (d *Directory) NestGroup(ctx context.Context, group string, parents ...string) error {
	return d.write(ctx, "nest group", group, func(ctx context.Context, tx *sql.Tx) error {
		if err := mustHaveGroups(ctx, tx, append([]string{group}, parents...)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM group_parents WHERE group_id = ?", group); err != nil {
			return err
		}
		circle, err := texts(ctx, tx, `WITH RECURSIVE up(id) AS (
			SELECT value FROM json_each(?1) UNION SELECT p.parent_id FROM group_parents p JOIN up ON p.group_id = up.id)
			SELECT id FROM up WHERE id = ?2`, jsonTexts(parents), group)
		if err != nil {
			return err
		}
		if len(circle) > 0 {
			return fault(directory.Invalid, "", "the group would be a member of itself")
		}
		_, err = tx.ExecContext(ctx, "INSERT OR IGNORE INTO group_parents (group_id, parent_id) SELECT ?, value FROM json_each(?)", group, jsonTexts(parents))
		return err
	})
}
