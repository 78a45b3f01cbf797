"""The ready-made checks against real servers, healthy and broken."""
