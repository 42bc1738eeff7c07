ALTER TABLE track ADD COLUMN album TEXT;

-- Full text over what files say about themselves. The text itself stays in `track`; the triggers keep the index in step.
CREATE VIRTUAL TABLE track_text USING fts5 (
    title, artist, album, genre,
    content = 'track', content_rowid = 'id',
    tokenize = "unicode61 remove_diacritics 2", prefix = '1 2 3'
);
INSERT INTO track_text (track_text) VALUES ('rebuild');

CREATE TRIGGER track_text_added AFTER INSERT ON track BEGIN
    INSERT INTO track_text (rowid, title, artist, album, genre)
    VALUES (new.id, new.title, new.artist, new.album, new.genre);
END;
CREATE TRIGGER track_text_removed AFTER DELETE ON track BEGIN
    INSERT INTO track_text (track_text, rowid, title, artist, album, genre)
    VALUES ('delete', old.id, old.title, old.artist, old.album, old.genre);
END;
CREATE TRIGGER track_text_changed AFTER UPDATE OF title, artist, album, genre ON track BEGIN
    INSERT INTO track_text (track_text, rowid, title, artist, album, genre)
    VALUES ('delete', old.id, old.title, old.artist, old.album, old.genre);
    INSERT INTO track_text (rowid, title, artist, album, genre)
    VALUES (new.id, new.title, new.artist, new.album, new.genre);
END;

-- What one searches and browses by, of the analysis by the separator whose stems are best.
CREATE TABLE track_sound (
    track_id   INTEGER PRIMARY KEY REFERENCES track (id) ON DELETE CASCADE,
    separator  TEXT NOT NULL,
    tempo_bpm  REAL,
    key        TEXT,
    mode       TEXT,
    drums      REAL,
    bass       REAL,
    vocals     REAL,
    guitar     REAL,
    piano      REAL,
    other      REAL
) STRICT;

CREATE VIEW best_sound AS
SELECT track_id, separator,
    json_extract(data, '$.tempo_bpm') AS tempo_bpm,
    json_extract(data, '$.key') AS key,
    json_extract(data, '$.mode') AS mode,
    json_extract(data, '$.instruments.drums.activity') AS drums,
    json_extract(data, '$.instruments.bass.activity') AS bass,
    json_extract(data, '$.instruments.vocals.activity') AS vocals,
    json_extract(data, '$.instruments.guitar.activity') AS guitar,
    json_extract(data, '$.instruments.piano.activity') AS piano,
    json_extract(data, '$.instruments.other.activity') AS other
FROM analysis
WHERE separator = (
    SELECT separator FROM analysis AS one WHERE one.track_id = analysis.track_id
    ORDER BY CASE separator WHEN 'htdemucs_6s' THEN 0 WHEN 'unet' THEN 1 WHEN 'none' THEN 2 ELSE 3 END, separator
    LIMIT 1
);

INSERT INTO track_sound SELECT * FROM best_sound;

CREATE TRIGGER track_sound_added AFTER INSERT ON analysis BEGIN
    DELETE FROM track_sound WHERE track_id = new.track_id;
    INSERT INTO track_sound SELECT * FROM best_sound WHERE track_id = new.track_id;
END;
CREATE TRIGGER track_sound_changed AFTER UPDATE ON analysis BEGIN
    DELETE FROM track_sound WHERE track_id = new.track_id;
    INSERT INTO track_sound SELECT * FROM best_sound WHERE track_id = new.track_id;
END;
CREATE TRIGGER track_sound_removed AFTER DELETE ON analysis BEGIN
    DELETE FROM track_sound WHERE track_id = old.track_id;
    INSERT INTO track_sound SELECT * FROM best_sound
    WHERE track_id = old.track_id AND EXISTS (SELECT 1 FROM track WHERE id = old.track_id);
END;

CREATE INDEX track_genre ON track (genre);
CREATE INDEX track_title ON track (title COLLATE NOCASE);
CREATE INDEX track_artist ON track (artist COLLATE NOCASE, title COLLATE NOCASE, id);
CREATE INDEX track_sound_tempo ON track_sound (tempo_bpm);
CREATE INDEX track_sound_key ON track_sound (key, mode);
