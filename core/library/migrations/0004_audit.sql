-- Who changed what for everybody on a server, for those who manage it.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    guild_id    INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    action      TEXT NOT NULL,
    detail      TEXT NOT NULL DEFAULT '',
    at          INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX audit_guild ON audit (guild_id, id);
