"""The commands of a `console` block, what the page shows below each, and what may differ when they run again."""

import re
from collections.abc import Mapping

STEP = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*(?:\n|$))*)", re.MULTILINE)

DIFFERENCES: tuple[tuple[str, str], ...] = (
    # Times, in headers, JSON and messages.
    (r"(?m)^(date: ).*$", r"\1TIME"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?", "TIME"),
    (r"@\[\d+(?:\.\d+)?\]", "@[TIME]"),
    # Durations: of a run, of an incident, of a wait, of a delivery.
    (r'("responseTime": )\d+\.\d+', r"\1DURATION"),
    (r"\(\d+ s\)", "(DURATION)"),
    (r"\b(fail|pass)( +)\d+ s\b *", r"\1\2DURATION "),
    (r"(over after )\d+ s", r"\1DURATION"),
    (r"(ready after )\d+\.\d s", r"\1DURATION"),
    (r"(sent in )\d+ ms", r"\1DURATION"),
    # Runs go on until a message about them is sent.
    (r"\b\d+ failed runs in a row", "N failed runs in a row"),
    # Processes and hosts.
    (r"(process )\[\d+\]", r"\1[PID]"),
    (r"(?m)^(\[WARNING\] +)\(\d+\)", r"\1(PID)"),
    (r"host \S+, process \d+\.", "host HOST, process PID."),
    # Requests that a program has sent, and lost. 0 stays 0.
    (r"\b[1-9]\d* (requests|lost)\b", r"N \1"),
    # HAProxy counts the requests of that moment.
    (r"check duration: \d+ms", "check duration: DURATION"),
    (r"\d+ sessions active", "N sessions active"),
    # Older releases of uvicorn, 0.30 among them, end in this way at Ctrl-C.
    (r"\nAborted!\n", ""),
    # What `wait` saw before all was ready depends on how fast the servers start.
    (r"(?m)^asgi-health wait: \S+: (?:connection refused|answered \d+; expected 200-299|ready)\n", ""),
    # The end of a line, and an answer that ends without one, which a page cannot show.
    (r"(?m)[ \t]+$", ""),
    (r"\n+\Z", ""),
)
"""All that may differ: patterns, each with what takes its place on the page and in the output."""


def steps(text: str) -> list[tuple[str, str]]:
    """Return each command of a block, with what the page shows below it."""
    return STEP.findall(text)


def comparable(text: str, ports: Mapping[int, int]) -> str:
    """Return an output without what may differ. `ports` maps each port of the page to the one in use."""
    for shown, used in ports.items():
        text = re.sub(rf":{used}\b", f":{shown}", text)
    for pattern, substitute in DIFFERENCES:
        text = re.sub(pattern, substitute, text)
    return text
