"""Share the state of the workers of a host through a file of SQLite, so that each answers for all."""
