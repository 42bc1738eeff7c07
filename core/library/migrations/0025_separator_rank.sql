-- Of several analyses of a track, the one whose separator has the lowest rank counts. Written from the installed
-- separators whenever a database is opened (core.library.schema.store_ranks); a separator without a row comes last.
CREATE TABLE separator_rank (
    separator  TEXT PRIMARY KEY,
    rank       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

DROP VIEW best_sound;
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
    SELECT one.separator FROM analysis AS one LEFT JOIN separator_rank USING (separator)
    WHERE one.track_id = analysis.track_id
    ORDER BY rank NULLS LAST, one.separator
    LIMIT 1
);
