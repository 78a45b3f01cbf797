"""Helpers of the ready-made checks. Nothing here is public."""
