-- One playlist for several members. What it holds for each of them stands with the member, so that it goes with them.
CREATE TABLE party (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL,  -- the host
    guild_id    INTEGER,
    occasion    TEXT,
    count       INTEGER NOT NULL,
    tracks      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tracks)),
    made_at     INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE party_member (
    party_id    INTEGER NOT NULL REFERENCES party (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    better_than REAL,
    reasons     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(reasons)),
    joined_at   INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (party_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX party_user ON party (user_id);
CREATE INDEX party_member_user ON party_member (user_id);
