"""The status page in real browsers."""
