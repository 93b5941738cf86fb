-- The tables of a wall in SQLite. A number is never given twice.
CREATE TABLE drawing (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    image BLOB NOT NULL CHECK (length(image) = 784),
    sent REAL NOT NULL,
    author TEXT NOT NULL,
    nickname TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE wall (version TEXT NOT NULL, shows_names INTEGER NOT NULL);
INSERT INTO wall VALUES ('', 0);
