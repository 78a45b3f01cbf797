"""A report in, bytes out. Pure: no clock, no loop, and nothing of a request is ever echoed."""
