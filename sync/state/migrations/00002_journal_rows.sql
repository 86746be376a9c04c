-- +goose Up

-- A table without rowid keeps no more than a quarter of a page of a row in place: with entries of one or two kilobytes
-- nearly every one took a page of its own. As a table of rows several share a page.
ALTER TABLE entries RENAME TO entries_old;
DROP INDEX entries_pending;

CREATE TABLE entries (
    run        INTEGER NOT NULL REFERENCES runs (id),
    seq        INTEGER NOT NULL,
    sync       INTEGER NOT NULL,
    side       TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    source_id  TEXT    NOT NULL,
    target_id  TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    operation  TEXT    NOT NULL,
    intent_at  INTEGER NOT NULL,
    outcome_at INTEGER NOT NULL,
    result     TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    stored     TEXT    NOT NULL,
    UNIQUE (run, seq)
) STRICT;

INSERT INTO entries SELECT run, seq, sync, side, action, source_id, target_id, account, operation, intent_at, outcome_at, result, message, stored
    FROM entries_old ORDER BY run, seq;
DROP TABLE entries_old;

CREATE INDEX entries_pending ON entries (sync) WHERE result IN ('', 'unknown');
