-- +goose Up

-- The protect expression that held for the source account when it was last read: it protects also when the account is no
-- longer there to be asked. Every pair is looked at once more, so that it gets known of all of them.
ALTER TABLE link_details ADD COLUMN protected TEXT NOT NULL DEFAULT '';

UPDATE links SET source_hash = 0, target_hash = 0;
