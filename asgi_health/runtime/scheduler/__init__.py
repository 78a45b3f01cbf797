"""Runs the checks on their schedule, each under its deadline."""
