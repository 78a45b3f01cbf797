"""What the probes have said of each kind of fault, and which answers came too late."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from .faults import LIVE, READY, Fault
from .prober import Probe


@dataclass
class Line:
    """What was seen of the faults of one kind at one probe. All are seconds; None: nothing was seen.

    Attributes:
        fault: Name of the kind.
        probe: Path of the probe.
        times: Number of faults.
        green: How long after the begin of a fault a green answer was asked for, at most.
        green_bound: How long it may be; None where the fault is not to make the probe red.
        red: How long after the end of a fault another answer, or none, was asked for, at most.
        red_bound: How long it may be.
    """

    fault: str
    probe: str
    times: int
    green: float | None
    green_bound: float | None
    red: float | None
    red_bound: float

    def violations(self, slack: float) -> list[str]:
        """Return what was beyond its bound and `slack`."""
        found = []
        if self.green is not None and self.green_bound is not None and self.green > self.green_bound + slack:
            found.append(f"{self.probe} was green {self.green:.2f} s after a worker was {self.fault}")
        if self.red is not None and self.red > self.red_bound + slack:
            found.append(f"{self.probe} was red {self.red:.2f} s after the end of: {self.fault}")
        return found


def judge(faults: Sequence[Fault], probes: Sequence[Probe]) -> list[Line]:
    """Return a line for each kind of fault and each probe.

    A probe counts from the moment at which it was sent, because its answer was made later.
    """
    lines: dict[tuple[str, str], Line] = {}
    followed = pairwise([*faults, None])
    for fault, following in followed:
        assert fault is not None
        next_one = inf if following is None else following.began
        for path in (READY, LIVE):
            bound = fault.kind.red_within.get(path)
            line = lines.setdefault(
                (fault.kind.name, path), Line(fault.kind.name, path, 0, None, bound, None, fault.kind.green_within)
            )
            line.times += 1
            of_path = [each for each in probes if each.path == path]
            if bound is not None:
                for each in of_path:
                    if fault.began <= each.began and each.ended <= fault.ends and each.status == 200:
                        line.green = max(line.green or 0.0, each.began - fault.began)
            healed = fault.began if bound is None else fault.ended
            for each in of_path:
                if healed <= each.began and each.ended <= next_one and each.status != 200 and not each.starting:
                    line.red = max(line.red or 0.0, each.began - healed)
    return sorted(lines.values(), key=lambda line: (line.fault, line.probe))


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a table."""
    rows = [
        "| one worker is | times | probe | last green answer, s | bound | last red answer after it, s | bound |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for line in lines:
        cells = [line.fault, str(line.times), line.probe, _seconds(line.green), _seconds(line.green_bound)]
        rows.append(f"| {' | '.join([*cells, _seconds(line.red), _seconds(line.red_bound)])} |")
    return "\n".join(rows)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
