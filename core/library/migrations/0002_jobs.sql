-- Numbers that only grow: readers compare them to learn that something changed.
CREATE TABLE counter (
    name   TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counter (name, value) VALUES ('job', 0), ('library', 0);

-- The queue. Times are Unix seconds; `token` fences off workers that lost their lease.
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
    change            INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX job_dedup ON job (dedup) WHERE dedup IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX job_ready ON job (priority DESC, virtual_start, id) WHERE state = 'queued';
CREATE INDEX job_running ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_user ON job (user_id, priority, id);
CREATE INDEX job_guild ON job (guild_id, created_at) WHERE guild_id IS NOT NULL;
CREATE INDEX job_change ON job (change);
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

-- What users can see of a job changed: give it the next change number.
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

-- Measured speed of each kind of job, for the time that is left.
CREATE TABLE job_speed (
    kind              TEXT PRIMARY KEY,
    seconds_per_cost  REAL NOT NULL,
    jobs              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Processes that take jobs.
CREATE TABLE runner (
    owner       TEXT PRIMARY KEY,
    started_at  REAL NOT NULL,
    seen_at     REAL NOT NULL,
    facts       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(facts))
) STRICT, WITHOUT ROWID;

-- Messages that show a job, so that they go on changing after a restart.
CREATE TABLE card (
    message_id   INTEGER PRIMARY KEY,
    job_id       INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    channel_id   INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    state_shown  TEXT NOT NULL DEFAULT '',
    updated_at   REAL NOT NULL
) STRICT;

CREATE INDEX card_job ON card (job_id);
CREATE INDEX card_user ON card (user_id);

-- Folders that were indexed, and what is known of each audio file in them.
CREATE TABLE folder (
    id          INTEGER PRIMARY KEY,
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

-- When each scheduled task last succeeded, so that a missed run is made up for once.
CREATE TABLE schedule_state (
    name          TEXT PRIMARY KEY,
    last_success  REAL,
    last_error    TEXT,
    last_error_at REAL
) STRICT, WITHOUT ROWID;

-- The in-memory catalog reloads when this number moved.
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
END;
CREATE TRIGGER analysis_changed AFTER UPDATE ON analysis BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
CREATE TRIGGER analysis_removed AFTER DELETE ON analysis BEGIN
    UPDATE counter SET value = value + 1 WHERE name = 'library';
END;
