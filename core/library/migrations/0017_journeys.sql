-- Journeys from one mood to another: what was asked, the tracks with their reasons, and what their picture shows.
CREATE TABLE journey (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL,
    asked       TEXT NOT NULL CHECK (json_valid(asked)),
    steps       TEXT NOT NULL CHECK (json_valid(steps)),
    drawn       TEXT NOT NULL CHECK (json_valid(drawn)),
    made_at     INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX journey_user ON journey (user_id, made_at);
