"""Runs the checks, the drain and the watchdog: what needs threads and event loops in the process of the app."""
