-- Whether an upload is part of the library for others; its uploader says.
ALTER TABLE track ADD COLUMN listed INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1));
