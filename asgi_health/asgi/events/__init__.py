"""The state of the checks as server-sent events: for a page that shows each change when it happens."""
