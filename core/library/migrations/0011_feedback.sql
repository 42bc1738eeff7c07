-- 👍 and 👎.
CREATE TABLE feedback (
    user_id     INTEGER NOT NULL,
    track_id    INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    liked       INTEGER NOT NULL CHECK (liked IN (0, 1)),
    at          INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (user_id, track_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX feedback_track ON feedback (track_id);
