-- Whether a playlist is shared is said by playlist_place alone.
ALTER TABLE playlist DROP COLUMN shared;
