"""Notices an event loop that is blocked, and names the code that blocks it."""
