-- Who asked to be told when a job is done. `state`: asked, told, unheard (nobody could be reached), said (and told so).
CREATE TABLE notice (
    job_id      INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    channel_id  INTEGER,  -- where I may write when direct messages are closed
    language    TEXT NOT NULL DEFAULT 'en',
    state       TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'told', 'unheard', 'said'))
) STRICT;

CREATE INDEX notice_user ON notice (user_id);
CREATE INDEX notice_asked ON notice (state) WHERE state = 'asked';
