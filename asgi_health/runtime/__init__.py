"""Runs the checks, the drain and the watchdog. Only this package and the listener use threads and event loops."""
