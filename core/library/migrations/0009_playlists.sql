-- Ids are never used again: a card that was shared long ago must not show somebody else's list.
CREATE TABLE playlist (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    folded      TEXT NOT NULL,  -- the name as names are compared
    shared      INTEGER NOT NULL DEFAULT 0,
    made_at     INTEGER NOT NULL DEFAULT (unixepoch()),
    changed_at  INTEGER NOT NULL DEFAULT (unixepoch()),
    UNIQUE (user_id, folded)
) STRICT;

-- An entry outlives its track, so that a folder that is away for a night costs nobody a list: title, artist and length
-- are those of the day on which the track went, and the track's content finds its place again when it comes back.
CREATE TABLE playlist_entry (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    playlist_id   INTEGER NOT NULL REFERENCES playlist (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL,
    track_id      INTEGER REFERENCES track (id) ON DELETE SET NULL,
    content_hash  TEXT NOT NULL,
    title         TEXT NOT NULL,
    artist        TEXT,
    duration_s    REAL NOT NULL,
    UNIQUE (playlist_id, track_id)
) STRICT;

CREATE INDEX playlist_entry_place ON playlist_entry (playlist_id, position);
CREATE INDEX playlist_entry_track ON playlist_entry (track_id);
CREATE INDEX playlist_entry_lost ON playlist_entry (content_hash) WHERE track_id IS NULL;

CREATE TRIGGER playlist_track_gone BEFORE DELETE ON track WHEN old.origin <> 'upload' BEGIN
    UPDATE playlist_entry SET content_hash = old.content_hash, title = old.title, artist = old.artist,
        duration_s = old.duration_s
    WHERE track_id = old.id;
END;
-- Of an upload that its owner erased, nothing stays in anybody's list.
CREATE TRIGGER playlist_upload_gone BEFORE DELETE ON track WHEN old.origin = 'upload' BEGIN
    DELETE FROM playlist_entry WHERE track_id = old.id;
END;
CREATE TRIGGER playlist_track_back AFTER INSERT ON track BEGIN
    UPDATE playlist_entry SET track_id = new.id WHERE id IN (
        SELECT min(id) FROM playlist_entry WHERE track_id IS NULL AND content_hash = new.content_hash
        GROUP BY playlist_id
    );
END;

-- What a member listened to.
CREATE TABLE play (
    id        INTEGER PRIMARY KEY,
    user_id   INTEGER NOT NULL,
    track_id  INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    at        INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX play_user ON play (user_id, at);
CREATE INDEX play_track ON play (track_id);
CREATE INDEX recommendation_made ON recommendation (made_at);

-- What a member searched for, so that the pages of the answer can still be turned after a restart.
CREATE TABLE search (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  INTEGER NOT NULL,
    asked    TEXT NOT NULL CHECK (json_valid(asked)),
    made_at  INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX search_user ON search (user_id);
