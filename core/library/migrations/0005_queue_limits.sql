-- Jobs about the same thing (an upload's content) never run at once: the later one finds the earlier one's result.
ALTER TABLE job ADD COLUMN subject TEXT;

-- Some keys are for ever, not only while the job is active: Discord may deliver an interaction late.
CREATE INDEX job_key ON job (dedup) WHERE dedup IS NOT NULL;

-- Cards that were promised together with their job: whoever starts after a crash finds those that were never sent.
CREATE TABLE card_due (
    job_id      INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    channel_id  INTEGER NOT NULL,
    user_id     INTEGER NOT NULL
) STRICT;

CREATE INDEX card_due_user ON card_due (user_id);
