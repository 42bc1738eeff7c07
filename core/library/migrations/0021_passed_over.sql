-- A pick may be passed over without listening to it; that says as much as leaving its preview at once.
ALTER TABLE play ADD COLUMN heard INTEGER NOT NULL DEFAULT 1;
