-- Languages that servers and members chose, and the one in which each card of a job goes on.
CREATE TABLE server_language (
    guild_id    INTEGER PRIMARY KEY,
    language    TEXT NOT NULL
) STRICT;

CREATE TABLE member_language (
    user_id     INTEGER PRIMARY KEY,
    language    TEXT NOT NULL
) STRICT;

ALTER TABLE card ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
ALTER TABLE card_due ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
