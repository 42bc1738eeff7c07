-- Which analyses have changed since: readers that hold the library in memory read only those anew.
ALTER TABLE analysis ADD COLUMN change INTEGER NOT NULL DEFAULT 0;

-- Analyses are long; without an index, a look at their numbers would read all of them.
CREATE INDEX analysis_change ON analysis (change);

DROP TRIGGER analysis_added;
DROP TRIGGER analysis_changed;

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
