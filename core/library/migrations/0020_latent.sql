-- What the genre network says of a track: a vector of length 1 (float32, little endian) and {genre: probability}.
-- Vectors of two models are never compared.
CREATE TABLE latent (
    track_id  INTEGER PRIMARY KEY REFERENCES track (id) ON DELETE CASCADE,
    model     TEXT NOT NULL,
    vector    BLOB NOT NULL,
    genres    TEXT NOT NULL CHECK (json_valid(genres))
) STRICT;

CREATE INDEX latent_model ON latent (model);

-- The one or two genres that it takes a track for, where it is sure enough: what a search looks in for tracks whose tags name
-- no genre.
CREATE TABLE told_genre (
    genre     TEXT NOT NULL COLLATE NOCASE,
    track_id  INTEGER NOT NULL REFERENCES latent (track_id) ON DELETE CASCADE,
    PRIMARY KEY (genre, track_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX told_genre_track ON told_genre (track_id);
