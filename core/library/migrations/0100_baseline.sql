-- The schema of the first release. Ids that a card, button, job or link may name are AUTOINCREMENT: they are never used
-- again, so that an old button cannot reach what somebody else made later.

-- Counters that only grow: readers compare them to learn that something changed.
CREATE TABLE counter (
    name   TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counter (name, value) VALUES ('job', 0), ('library', 0);


-- The library

-- What SQL asks of the sources of music (core.library.sources), stored anew when a database is opened.
CREATE TABLE source (
    origin        TEXT PRIMARY KEY,
    member_owned  INTEGER NOT NULL CHECK (member_owned IN (0, 1))
) STRICT, WITHOUT ROWID;

-- A track is the content of one file; the same bytes twice are one track.
CREATE TABLE track (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    content_hash  TEXT NOT NULL UNIQUE,
    path          TEXT NOT NULL,
    origin        TEXT NOT NULL, -- of the table source
    title         TEXT NOT NULL,
    artist        TEXT,
    genre         TEXT,
    duration_s    REAL NOT NULL,
    added_at      INTEGER NOT NULL DEFAULT (unixepoch()),
    album         TEXT,
    -- Whether others find an upload; its uploader decides.
    listed        INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1)),
    -- Whose library an upload is in: a guild's id, 0 for every guild's, NULL for nobody's (uploaded in a direct message;
    -- also tracks of folders and samples, which are for all).
    guild_id      INTEGER,
    -- The file's SHA-256 where content_hash is another one: the same bytes uploaded in two guilds are two tracks, each
    -- with its own name, picture and file, so that neither guild learns of the other.
    audio_hash    TEXT
) STRICT;

CREATE INDEX track_origin ON track (origin);
CREATE INDEX track_genre ON track (genre);
CREATE INDEX track_title ON track (title COLLATE NOCASE);
CREATE INDEX track_artist ON track (artist COLLATE NOCASE, title COLLATE NOCASE, id);
CREATE INDEX track_audio ON track (audio_hash) WHERE audio_hash IS NOT NULL;
CREATE INDEX track_guild ON track (guild_id) WHERE guild_id > 0;

-- What one separator's stems measure; rules are applied when asked, so nothing is ever separated again. `change` is the
-- library's counter at the last change: readers that hold the library in memory read only later ones anew.
CREATE TABLE analysis (
    track_id          INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    separator         TEXT NOT NULL,
    separator_version TEXT NOT NULL,
    analyser_version  INTEGER NOT NULL,
    data              TEXT NOT NULL CHECK (json_valid(data)),
    analysed_at       INTEGER NOT NULL DEFAULT (unixepoch()),
    change            INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (track_id, separator)
) STRICT, WITHOUT ROWID;

-- Analyses are long; without an index, reading their change numbers would read all of them.
CREATE INDEX analysis_change ON analysis (change);

-- The genre network's answer for a track: a vector of length 1 (float32, little endian) and {genre: probability}.
-- Vectors of two models are never compared.
CREATE TABLE latent (
    track_id  INTEGER PRIMARY KEY REFERENCES track (id) ON DELETE CASCADE,
    model     TEXT NOT NULL,
    vector    BLOB NOT NULL,
    genres    TEXT NOT NULL CHECK (json_valid(genres))
) STRICT;

CREATE INDEX latent_model ON latent (model);

-- Its one or two genres where it is sure enough: searched for tracks whose tags name no genre.
CREATE TABLE told_genre (
    genre     TEXT NOT NULL COLLATE NOCASE,
    track_id  INTEGER NOT NULL REFERENCES latent (track_id) ON DELETE CASCADE,
    PRIMARY KEY (genre, track_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX told_genre_track ON told_genre (track_id);

-- Indexed folders, and each audio file in them.
CREATE TABLE folder (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    path        TEXT NOT NULL UNIQUE,
    watched     INTEGER NOT NULL DEFAULT 1,
    scan        INTEGER NOT NULL DEFAULT 0,
    indexed_at  REAL
) STRICT;

CREATE TABLE folder_file (
    folder_id     INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    path          TEXT NOT NULL,
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    content_hash  TEXT,
    track_id      INTEGER REFERENCES track (id) ON DELETE SET NULL,
    error         TEXT,
    made_by       TEXT,
    scan          INTEGER NOT NULL,
    pending       INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (folder_id, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX folder_file_pending ON folder_file (folder_id, path) WHERE pending = 1;
CREATE INDEX folder_file_hash ON folder_file (content_hash);
CREATE INDEX folder_file_track ON folder_file (track_id);

-- The only guilds that find a folder's tracks; a folder without rows is for all.
CREATE TABLE folder_server (
    folder_id  INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    guild_id   INTEGER NOT NULL,
    PRIMARY KEY (folder_id, guild_id)
) STRICT, WITHOUT ROWID;

-- The catalog in memory is loaded again when the library's counter has moved.
CREATE TRIGGER track_added AFTER INSERT ON track BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER track_changed AFTER UPDATE ON track BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER track_removed AFTER DELETE ON track BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER analysis_added AFTER INSERT ON analysis BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
    UPDATE analysis SET change = (SELECT value FROM counter WHERE name = 'library')
    WHERE track_id = new.track_id AND separator = new.separator;
END;
CREATE TRIGGER analysis_changed
AFTER UPDATE OF track_id, separator, separator_version, analyser_version, data, analysed_at ON analysis BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
    UPDATE analysis SET change = (SELECT value FROM counter WHERE name = 'library')
    WHERE track_id = new.track_id AND separator = new.separator;
END;
CREATE TRIGGER analysis_removed AFTER DELETE ON analysis BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER folder_server_added AFTER INSERT ON folder_server BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER folder_server_removed AFTER DELETE ON folder_server BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
-- A second copy of a file may lie in a folder that other guilds find.
CREATE TRIGGER folder_file_named AFTER UPDATE OF track_id ON folder_file WHEN old.track_id IS NOT new.track_id BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER folder_file_gone AFTER DELETE ON folder_file WHEN old.track_id IS NOT NULL BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;


-- Search

-- Full text of the tags. The text itself stays in `track`; triggers keep the index in step.
CREATE VIRTUAL TABLE track_text USING fts5 (
    title, artist, album, genre,
    content = 'track', content_rowid = 'id',
    tokenize = "unicode61 remove_diacritics 2", prefix = '1 2 3'
);

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

-- The measurements to search and browse by, from the analysis by the best separator.
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

CREATE INDEX track_sound_tempo ON track_sound (tempo_bpm);
CREATE INDEX track_sound_key ON track_sound (key, mode);

-- Of several analyses of a track, the one whose separator has the lowest rank counts. Written from the installed
-- separators whenever a database is opened (core.library.schema.store_ranks); a separator without a row comes last.
CREATE TABLE separator_rank (
    separator  TEXT PRIMARY KEY,
    rank       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

-- A member's search, so that the pages of its answer can still be turned after a restart.
CREATE TABLE search (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id  INTEGER NOT NULL,
    asked    TEXT NOT NULL CHECK (json_valid(asked)),
    made_at  INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX search_user ON search (user_id);


-- The queue

-- Times are Unix seconds; `token` fences off workers that lost their lease. Jobs with the same `subject` (an upload's
-- content) never run at once: the later one finds the earlier one's result.
CREATE TABLE job (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    kind              TEXT NOT NULL,
    spec              TEXT NOT NULL CHECK (json_valid(spec)),
    user_id           INTEGER NOT NULL,
    guild_id          INTEGER,
    priority          INTEGER NOT NULL DEFAULT 0,
    cost              REAL NOT NULL CHECK (cost > 0),
    virtual_start     REAL NOT NULL,
    dedup             TEXT,
    state             TEXT NOT NULL DEFAULT 'queued'
                      CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    stage             TEXT NOT NULL DEFAULT '',
    progress          REAL NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    attempt           INTEGER NOT NULL DEFAULT 0,
    failures          INTEGER NOT NULL DEFAULT 0,
    crashes           INTEGER NOT NULL DEFAULT 0,
    losses            INTEGER NOT NULL DEFAULT 0,
    run_at            REAL NOT NULL,
    owner             TEXT,
    token             INTEGER NOT NULL DEFAULT 0,
    lease_until       REAL,
    cancel_requested  INTEGER NOT NULL DEFAULT 0,
    error_code        TEXT,
    error             TEXT,
    result            TEXT CHECK (result IS NULL OR json_valid(result)),
    created_at        REAL NOT NULL,
    started_at        REAL,
    finished_at       REAL,
    change            INTEGER NOT NULL DEFAULT 0,
    subject           TEXT
) STRICT;

CREATE UNIQUE INDEX job_dedup ON job (dedup) WHERE dedup IS NOT NULL AND state IN ('queued', 'running');
-- Some keys hold for ever, not only while the job is active: Discord may deliver an interaction late.
CREATE INDEX job_key ON job (dedup) WHERE dedup IS NOT NULL;
CREATE INDEX job_ready ON job (priority DESC, virtual_start, id) WHERE state = 'queued';
CREATE INDEX job_running ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_user ON job (user_id, priority, id);
CREATE INDEX job_guild ON job (guild_id, created_at) WHERE guild_id IS NOT NULL;
CREATE INDEX job_change ON job (change);
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

-- What users see of a job changed: it gets the next change number.
CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'job';
    UPDATE job SET change = (SELECT value FROM counter WHERE name = 'job') WHERE id = new.id;
END;

CREATE TRIGGER job_changed AFTER UPDATE OF state, stage, progress, error, result, cancel_requested ON job BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'job';
    UPDATE job SET change = (SELECT value FROM counter WHERE name = 'job') WHERE id = new.id;
END;

-- Start-time fair queueing: the virtual time of a priority is the start tag of the job claimed last.
CREATE TABLE virtual_clock (
    priority  INTEGER PRIMARY KEY,
    now       REAL NOT NULL
) STRICT;

CREATE TRIGGER job_claimed AFTER UPDATE OF state ON job WHEN new.state = 'running' BEGIN
    INSERT INTO virtual_clock (priority, now) VALUES (new.priority, new.virtual_start)
    ON CONFLICT (priority) DO UPDATE SET now = max(now, excluded.now);
END;

-- The measured speed of each kind of job, for estimates of the time left.
CREATE TABLE job_speed (
    kind              TEXT PRIMARY KEY,
    seconds_per_cost  REAL NOT NULL,
    jobs              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Totals for monitoring: rows of `job` are deleted after a time, and workers are other processes.
CREATE TABLE job_total (
    kind   TEXT NOT NULL,
    state  TEXT NOT NULL,
    jobs   INTEGER NOT NULL,
    PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_ended AFTER UPDATE OF state ON job
WHEN new.state IN ('done', 'failed', 'cancelled') AND old.state <> new.state BEGIN
    INSERT INTO job_total (kind, state, jobs) VALUES (new.kind, new.state, 1)
    ON CONFLICT (kind, state) DO UPDATE SET jobs = jobs + 1;
END;

-- How long the stages of finished jobs took, in seconds.
CREATE TABLE stage_total (
    kind     TEXT NOT NULL,
    stage    TEXT NOT NULL,
    jobs     INTEGER NOT NULL,
    seconds  REAL NOT NULL,
    PRIMARY KEY (kind, stage)
) STRICT, WITHOUT ROWID;

-- Processes that take jobs.
CREATE TABLE runner (
    owner       TEXT PRIMARY KEY,
    started_at  REAL NOT NULL,
    seen_at     REAL NOT NULL,
    facts       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(facts))
) STRICT, WITHOUT ROWID;

-- When each scheduled task last succeeded, so that a missed run is made up for once.
CREATE TABLE schedule_state (
    name          TEXT PRIMARY KEY,
    last_success  REAL,
    last_error    TEXT,
    last_error_at REAL
) STRICT, WITHOUT ROWID;

-- Messages that show a job, so that they go on changing after a restart.
CREATE TABLE card (
    message_id   INTEGER PRIMARY KEY,
    job_id       INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    channel_id   INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    state_shown  TEXT NOT NULL DEFAULT '',
    updated_at   REAL NOT NULL,
    language     TEXT NOT NULL DEFAULT 'en'
) STRICT;

CREATE INDEX card_job ON card (job_id);
CREATE INDEX card_user ON card (user_id);

-- Messages for everybody in a channel that show something of members: whose they are, and the ids of the tracks and members
-- that they name, so that they go when that is erased: `stale` are those that the bot is to take down; `user_id` is NULL
-- where their owner was erased.
CREATE TABLE posted (
    message_id  INTEGER PRIMARY KEY,
    channel_id  INTEGER NOT NULL,
    user_id     INTEGER,
    names       TEXT NOT NULL CHECK (json_valid(names)),
    language    TEXT NOT NULL,
    stale       INTEGER NOT NULL DEFAULT 0 CHECK (stale IN (0, 1))
) STRICT;

CREATE INDEX posted_user ON posted (user_id);
CREATE INDEX posted_stale ON posted (message_id) WHERE stale;

-- Cards that were promised together with their job: whoever starts after a crash sends those that are missing.
CREATE TABLE card_due (
    job_id      INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    channel_id  INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    language    TEXT NOT NULL DEFAULT 'en'
) STRICT;

CREATE INDEX card_due_user ON card_due (user_id);

-- Members who asked for a notice when a job is done. `state`: asked, told, unheard (nobody could be reached), said (and
-- told so).
CREATE TABLE notice (
    job_id      INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    channel_id  INTEGER,  -- where to write when direct messages are closed
    language    TEXT NOT NULL DEFAULT 'en',
    state       TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'told', 'unheard', 'said'))
) STRICT;

CREATE INDEX notice_user ON notice (user_id);
CREATE INDEX notice_asked ON notice (state) WHERE state = 'asked';

-- Members who want a direct message whenever one of their tracks is done.
CREATE TABLE member_notice (
    user_id     INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;


-- Members

-- Who agreed that data about them is kept, and to which wording.
CREATE TABLE consent (
    user_id  INTEGER PRIMARY KEY,
    wording  INTEGER NOT NULL,
    at       INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE member_language (
    user_id     INTEGER PRIMARY KEY,
    language    TEXT NOT NULL
) STRICT;

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

-- Who uploaded a track, and what they called its file. A job's result names a track, too, but gives no claim on it.
CREATE TABLE upload_owner (
    track_id    INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    file_name   TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (track_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_owner_user ON upload_owner (user_id);

-- Likes and dislikes.
CREATE TABLE feedback (
    user_id     INTEGER NOT NULL,
    track_id    INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    liked       INTEGER NOT NULL CHECK (liked IN (0, 1)),
    at          INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (user_id, track_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX feedback_track ON feedback (track_id);

-- What a member listened to. A preview that was left within its first seconds (`skipped_at`), and a pick that was passed
-- over unheard (`heard` 0), say as much as one that was heard out.
CREATE TABLE play (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    track_id    INTEGER NOT NULL REFERENCES track (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL DEFAULT (unixepoch()),
    skipped_at  INTEGER,
    heard       INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX play_user ON play (user_id, at);
CREATE INDEX play_track ON play (track_id);


-- Recommendations, journeys and parties

-- What was recommended and why, so that its buttons go on working and nothing is recommended twice in a row. `query` is
-- what was asked for (mood, occasion, aim, steers, seed), so that it can be steered and undone at any time; `root_id` the
-- first of its kind, from which "shown lately" counts; `parent_id` the one that it was steered from.
CREATE TABLE recommendation (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    occasion    TEXT,
    tracks      TEXT NOT NULL CHECK (json_valid(tracks)),
    made_at     INTEGER NOT NULL DEFAULT (unixepoch()),
    query       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(query)),
    root_id     INTEGER,
    parent_id   INTEGER,
    changed     TEXT
) STRICT;

CREATE INDEX recommendation_user ON recommendation (user_id, id);
CREATE INDEX recommendation_made ON recommendation (made_at);

-- Journeys from one mood to another: what was asked, the tracks with their reasons, and what their picture shows.
CREATE TABLE journey (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    asked       TEXT NOT NULL CHECK (json_valid(asked)),
    steps       TEXT NOT NULL CHECK (json_valid(steps)),
    drawn       TEXT NOT NULL CHECK (json_valid(drawn)),
    made_at     INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX journey_user ON journey (user_id, made_at);

-- One playlist for several members. What it holds for each of them stands with the member, so that it goes with them.
CREATE TABLE party (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,  -- the host
    guild_id    INTEGER,
    occasion    TEXT,
    count       INTEGER NOT NULL,
    tracks      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tracks)),
    made_at     INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE TABLE party_member (
    party_id    INTEGER NOT NULL REFERENCES party (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    better_than REAL,
    reasons     TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(reasons)),
    joined_at   INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (party_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX party_user ON party (user_id);
CREATE INDEX party_member_user ON party_member (user_id);


-- Playlists

CREATE TABLE playlist (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    folded      TEXT NOT NULL,  -- the name as names are compared
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

CREATE TRIGGER playlist_track_gone BEFORE DELETE ON track WHEN old.origin NOT IN (SELECT origin FROM source WHERE member_owned) BEGIN
    UPDATE playlist_entry SET content_hash = old.content_hash, title = old.title, artist = old.artist,
        duration_s = old.duration_s
    WHERE track_id = old.id;
END;
-- Of an upload that its owner erased, nothing stays in anybody's list.
CREATE TRIGGER playlist_upload_gone BEFORE DELETE ON track WHEN old.origin IN (SELECT origin FROM source WHERE member_owned) BEGIN
    DELETE FROM playlist_entry WHERE track_id = old.id;
END;
CREATE TRIGGER playlist_track_back AFTER INSERT ON track BEGIN
    UPDATE playlist_entry SET track_id = new.id WHERE id IN (
        SELECT min(id) FROM playlist_entry WHERE track_id IS NULL AND content_hash = new.content_hash
        GROUP BY playlist_id
    );
END;

-- Where a playlist is shared: a guild's id, or that of a direct message's channel.
CREATE TABLE playlist_place (
    playlist_id  INTEGER NOT NULL REFERENCES playlist (id) ON DELETE CASCADE,
    place        INTEGER NOT NULL,
    PRIMARY KEY (playlist_id, place)
) STRICT, WITHOUT ROWID;


-- Guilds

-- The commands that Discord knows, by their hash: they are sent again only when they have changed.
CREATE TABLE command_sync (
    scope       TEXT PRIMARY KEY,
    hash        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Limits that those who manage a guild set there; never above the operator's settings.
CREATE TABLE server_limit (
    guild_id    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (guild_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE server_language (
    guild_id    INTEGER PRIMARY KEY,
    language    TEXT NOT NULL
) STRICT;

-- The weights of rules that a guild chose for itself; all others are the shipped ones.
CREATE TABLE rule_weight (
    guild_id    INTEGER NOT NULL,
    rule        TEXT NOT NULL,
    weight      REAL NOT NULL CHECK (weight >= 0),
    PRIMARY KEY (guild_id, rule)
) STRICT, WITHOUT ROWID;

-- Every change of one, so that it can be undone; NULL stands for the shipped weight. An undo is a change, too.
CREATE TABLE rule_change (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id    INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    rule        TEXT NOT NULL,
    before      REAL,
    after       REAL,
    undoes      INTEGER,
    undone      INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),
    at          INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX rule_change_guild ON rule_change (guild_id, id);
CREATE INDEX rule_change_user ON rule_change (user_id);

-- Who changed what for everybody in a guild, for those who manage it.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id    INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    action      TEXT NOT NULL,
    detail      TEXT NOT NULL DEFAULT '',
    at          INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

CREATE INDEX audit_guild ON audit (guild_id, id);
