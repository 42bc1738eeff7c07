-- Members who want a direct message whenever one of their tracks is done.
CREATE TABLE member_notice (
    user_id     INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL DEFAULT (unixepoch())
) STRICT;
