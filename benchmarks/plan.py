"""The extent of a run, and the display of its progress."""

import sys
import time
from dataclasses import dataclass

from .contenders import CONTENDERS, Contender


@dataclass
class Plan:
    """A full run or a quick one."""

    quick: bool = False

    def pick(self, full: float, quick: float) -> float:
        return quick if self.quick else full

    def times(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def contenders(self, *quick: str) -> list[Contender]:
        """Return the contenders that are installed; in a quick run only those of the given names, if any."""
        return [each for each in CONTENDERS if not each.missing and (not self.quick or not quick or each.name in quick)]


class Progress:
    """One line that is overwritten on a terminal; elsewhere a line per measurement."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._last = ""

    def step(self, text: str) -> None:
        """Show the present step."""
        seconds = int(time.monotonic() - self._started)
        if self._tty:
            sys.stderr.write(f"\r\x1b[2K{seconds // 60:2d}:{seconds % 60:02d}  {text[:100]}")
            sys.stderr.flush()
        else:
            head = text.partition(":")[0]
            if head != self._last:
                print(f"{seconds // 60:2d}:{seconds % 60:02d}  {text}", file=sys.stderr, flush=True)
            self._last = head

    def done(self) -> None:
        """End the line."""
        if self._tty:
            sys.stderr.write("\r\x1b[2K")
