-- The weights of rules that a server chose for itself; all others are the shipped ones.
CREATE TABLE rule_weight (
    guild_id    INTEGER NOT NULL,
    rule        TEXT NOT NULL,
    weight      REAL NOT NULL CHECK (weight >= 0),
    PRIMARY KEY (guild_id, rule)
) STRICT, WITHOUT ROWID;

-- Every change of one, so that it can be undone; NULL stands for the shipped weight. An undo is a change, too.
CREATE TABLE rule_change (
    id          INTEGER PRIMARY KEY,
    guild_id    INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    rule        TEXT NOT NULL,
    before      REAL,
    after       REAL,
    undoes      INTEGER,
    undone      INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),
    at          INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX rule_change_guild ON rule_change (guild_id, id);
CREATE INDEX rule_change_user ON rule_change (user_id);
