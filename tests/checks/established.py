"""Connections to a port, as the kernel counts them: for servers that do not."""

from pathlib import Path

ESTABLISHED = "01"


def established(port: int) -> int:
    """Return how many clients are connected to a server on that port of this machine."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(words[1].endswith(f":{port:04X}") and words[3] == ESTABLISHED for words in lines)
