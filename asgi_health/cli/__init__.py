"""The command line: `main` reads the arguments, each command has a room of its own."""
