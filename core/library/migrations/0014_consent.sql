-- Who agreed that something is kept about them, and to which wording of it.
CREATE TABLE consent (
    user_id  INTEGER PRIMARY KEY,
    wording  INTEGER NOT NULL,
    at       INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;

-- Who uses Moodstem already was told by /privacy, and is not asked in the middle of something.
INSERT INTO consent (user_id, wording)
SELECT user_id, 1 FROM profile UNION SELECT user_id, 1 FROM questionnaire UNION SELECT user_id, 1 FROM job WHERE user_id <> 0
UNION SELECT user_id, 1 FROM recommendation UNION SELECT user_id, 1 FROM playlist UNION SELECT user_id, 1 FROM feedback;
