-- Whose library an upload is in: a server's id, 0 for every server's (uploads from before this was known), NULL for
-- nobody's (uploaded in a direct message; tracks of folders and samples, which are for all).
ALTER TABLE track ADD COLUMN guild_id INTEGER;

-- The file's SHA-256 where content_hash is another one: the same bytes uploaded in two servers are two tracks, each with
-- its own name, picture and file, so that neither server learns of the other.
ALTER TABLE track ADD COLUMN audio_hash TEXT;

CREATE INDEX track_audio ON track (audio_hash) WHERE audio_hash IS NOT NULL;
CREATE INDEX track_guild ON track (guild_id) WHERE guild_id > 0;

UPDATE track SET guild_id = 0 WHERE origin = 'upload';
UPDATE track SET guild_id = CASE one.servers WHEN 0 THEN NULL WHEN 1 THEN one.server ELSE 0 END
FROM (
    SELECT json_extract(result, '$.track_id') AS track_id, count(DISTINCT guild_id) AS servers, max(guild_id) AS server
    FROM job WHERE kind = 'analyse' AND result IS NOT NULL GROUP BY 1
) AS one WHERE track.id = one.track_id AND track.origin = 'upload';

-- Folders that only some servers find; one that is not named here is for all.
CREATE TABLE folder_server (
    folder_id  INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    guild_id   INTEGER NOT NULL,
    PRIMARY KEY (folder_id, guild_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER folder_server_added AFTER INSERT ON folder_server BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER folder_server_removed AFTER DELETE ON folder_server BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
-- A second copy of a file may lie in a folder that others find.
CREATE TRIGGER folder_file_named AFTER UPDATE OF track_id ON folder_file WHEN old.track_id IS NOT new.track_id BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER folder_file_gone AFTER DELETE ON folder_file WHEN old.track_id IS NOT NULL BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;

-- Where a playlist was shared: a server's id, or that of a direct message's channel; 0 (from before) is anywhere.
CREATE TABLE playlist_place (
    playlist_id  INTEGER NOT NULL REFERENCES playlist (id) ON DELETE CASCADE,
    place        INTEGER NOT NULL,
    PRIMARY KEY (playlist_id, place)
) STRICT, WITHOUT ROWID;

INSERT INTO playlist_place (playlist_id, place) SELECT id, 0 FROM playlist WHERE shared;
