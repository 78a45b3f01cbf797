"""Delivers transitions to subscribers: each has a bounded queue and is called apart from the checks and the others."""
