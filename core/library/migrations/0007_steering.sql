-- What a recommendation was made for (mood, occasion, aim, steers, seed), so that it can be steered and undone at any
-- time; the first of its kind, from which "shown lately" counts; and the one that it was steered from.
ALTER TABLE recommendation ADD COLUMN wish TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(wish));
ALTER TABLE recommendation ADD COLUMN root_id INTEGER;
ALTER TABLE recommendation ADD COLUMN parent_id INTEGER;
ALTER TABLE recommendation ADD COLUMN changed TEXT;
