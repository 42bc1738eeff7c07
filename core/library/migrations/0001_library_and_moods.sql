-- A track is one file's content; the same bytes twice are one track.
CREATE TABLE track (
    id            INTEGER PRIMARY KEY,
    content_hash  TEXT NOT NULL UNIQUE,
    path          TEXT NOT NULL,
    origin        TEXT NOT NULL CHECK (origin IN ('sample', 'folder', 'upload')),
    title         TEXT NOT NULL,
    artist        TEXT,
    genre         TEXT,
    duration_s    REAL NOT NULL,
    added_at      INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX track_origin ON track (origin);

-- What one separator said about a track; rules apply to it when asked, so nothing is ever separated again.
CREATE TABLE analysis (
    track_id          INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    separator         TEXT NOT NULL,
    separator_version TEXT NOT NULL,
    analyser_version  INTEGER NOT NULL,
    data              TEXT NOT NULL CHECK (json_valid(data)),
    analysed_at       INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (track_id, separator)
) STRICT, WITHOUT ROWID;

-- A conversation in progress; it is the whole state, so it survives a restart.
CREATE TABLE questionnaire (
    user_id     INTEGER PRIMARY KEY,
    form        TEXT NOT NULL CHECK (form IN ('short', 'long')),
    answers     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(answers)),
    updated_at  INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE profile (
    user_id     INTEGER PRIMARY KEY,
    data        TEXT NOT NULL CHECK (json_valid(data)),
    updated_at  INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

-- What was recommended and why, so that its buttons go on working and nothing is recommended twice in a row.
CREATE TABLE recommendation (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL,
    occasion    TEXT,
    tracks      TEXT NOT NULL CHECK (json_valid(tracks)),
    made_at     INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX recommendation_user ON recommendation (user_id, id);

-- The commands that Discord knows, by their hash: they are sent again only when they have changed.
CREATE TABLE command_sync (
    scope       TEXT PRIMARY KEY,
    hash        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
