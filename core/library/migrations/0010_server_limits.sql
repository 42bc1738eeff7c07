-- What those who manage a server allow there; never more than the operator's settings.
CREATE TABLE server_limit (
    guild_id    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (guild_id, name)
) STRICT, WITHOUT ROWID;
