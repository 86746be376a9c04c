-- +goose Up

-- The mark in the file's header that tells a store from any other SQLite file: "Roll".
PRAGMA application_id = 1383034988;

-- Ids are UUIDs of version 7, so new rows go to the end of the index that listings walk along.
-- The _key columns hold the value in the form in which it is compared: NFC, folded.
CREATE TABLE accounts (
  id           TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
  active       INTEGER NOT NULL CHECK (active IN (0, 1)),
  username_key TEXT NOT NULL UNIQUE,
  email_key    TEXT UNIQUE,
  employee_key TEXT,
  attributes   TEXT NOT NULL,
  revision     INTEGER NOT NULL DEFAULT 1,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX accounts_employee ON accounts (employee_key) WHERE employee_key IS NOT NULL;

CREATE TABLE groups (
  id       TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
  name     TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE group_parents (
  group_id  TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  parent_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, parent_id),
  CHECK (group_id <> parent_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_parents_parent ON group_parents (parent_id);

CREATE TABLE memberships (
  account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  group_id   TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  PRIMARY KEY (account_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_group ON memberships (group_id, account_id);

-- +goose Down

DROP TABLE memberships;
DROP TABLE group_parents;
DROP TABLE groups;
DROP TABLE accounts;
