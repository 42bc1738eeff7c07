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
    answers     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(answers)),
    state       TEXT NOT NULL CHECK (state IN ('asking', 'stopped', 'finished')),
    started_at  INTEGER NOT NULL DEFAULT (unixepoch()),
    updated_at  INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE profile (
    user_id     INTEGER PRIMARY KEY,
    data        TEXT NOT NULL CHECK (json_valid(data)),
    updated_at  INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
