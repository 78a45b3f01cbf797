"""Reports in, bytes out: golden answers, and nothing in them that does not belong there."""
