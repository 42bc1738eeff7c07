-- A preview that was left within its first seconds says as much as one that was heard out.
ALTER TABLE play ADD COLUMN skipped_at INTEGER;
