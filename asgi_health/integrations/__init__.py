"""Connections to other technologies. Applications import them; nothing else of the package does."""
