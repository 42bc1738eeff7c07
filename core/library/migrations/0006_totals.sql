-- Totals that only grow, for monitoring: rows of `job` go after their time, and workers are other processes.
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
