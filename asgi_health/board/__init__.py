"""One truth for the workers of a host, in a file of SQLite."""
