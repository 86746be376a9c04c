-- +goose Up

-- Texts that repeat in many rows: names of syncs and directories, fingerprints of rules.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Heads of links, clustered in the order in which a run walks them, with the labels by which people look for them. Times are Unix nanoseconds, 0 for none.
CREATE TABLE links (
    sync            INTEGER NOT NULL,
    source_id       TEXT    NOT NULL CHECK (source_id <> ''),
    target_id       TEXT    NOT NULL CHECK (target_id <> ''),
    detail          INTEGER NOT NULL,
    source_hash     INTEGER NOT NULL,
    target_hash     INTEGER NOT NULL,
    rules           INTEGER NOT NULL,
    claim           INTEGER NOT NULL,
    deactivated_at  INTEGER NOT NULL,
    missing_runs    INTEGER NOT NULL,
    suspected_since INTEGER NOT NULL,
    source_label    TEXT    NOT NULL,
    target_label    TEXT    NOT NULL,
    PRIMARY KEY (sync, source_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX links_target ON links (target_id, sync);

-- The rest of each link, read one at a time.
CREATE TABLE link_details (
    id                INTEGER PRIMARY KEY,
    source_directory  INTEGER NOT NULL,
    target_directory  INTEGER NOT NULL,
    origin            TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    created_run       TEXT    NOT NULL,
    deactivated_by    TEXT    NOT NULL,
    remembered_groups TEXT    NOT NULL,
    base              BLOB    NOT NULL
) STRICT;

CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    run         TEXT    NOT NULL UNIQUE CHECK (run <> ''),
    sync        INTEGER NOT NULL,
    trigger     TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    rules       INTEGER NOT NULL,
    complete    INTEGER NOT NULL,
    source_read INTEGER NOT NULL,
    target_read INTEGER NOT NULL,
    report      TEXT    NOT NULL
) STRICT;

CREATE INDEX runs_started ON runs (sync, started_at);

-- The journal. result is empty between intent and outcome.
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
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX entries_pending ON entries (sync) WHERE result IN ('', 'unknown');

-- Who runs which sync. One row for each sync that is running now.
CREATE TABLE leases (
    sync        INTEGER PRIMARY KEY,
    token       TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    host        TEXT    NOT NULL,
    machine     TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    pid_started TEXT    NOT NULL,
    acquired_at INTEGER NOT NULL,
    beat_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
