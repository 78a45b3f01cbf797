"""The folder that Django searches for commands."""
