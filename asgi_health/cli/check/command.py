"""Import, start, check, shut down, print."""

import asyncio
import logging
import sys
import time

from ..arguments import program
from . import table
from .find import Found, find
from .load import load
from .output import Output
from .run import Line, run
from .startup import Life
from .trouble import Trouble
from .watchdog import Watchdog

SHUTDOWN = 0.5
"""Seconds for the shutdown of the app, even where its checks have used up the time."""


def check(module: str, attribute: str, *, seconds: float, as_json: bool, verbose: bool) -> int:
    """Return 0 when no critical check of that app fails, 1 when one does or the app could not be made to run.

    All of it ends within `seconds`, or a moment later where the app does not let go.
    """
    gate = _Gate(seconds, as_json=as_json, verbose=verbose)
    try:
        return gate.run(module, attribute)
    except Trouble as trouble:
        return gate.fail(trouble)
    except TimeoutError:
        return gate.fail(gate.lateness())
    except KeyboardInterrupt:
        return gate.end(130)
    except BaseException as error:  # the app has stopped the loop, cancelled our task, or called sys.exit in a callback
        return gate.fail(Trouble(f"failed while {gate.doing}", error))


class _Gate:
    """One run of the command, and how far it has come."""

    def __init__(self, seconds: float, *, as_json: bool, verbose: bool) -> None:
        self.doing = "beginning"
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._as_json = as_json
        self._verbose = verbose
        self._lines: list[Line] | None = None
        self._code: int | None = None
        self._output = Output()
        self._watchdog = Watchdog(seconds, lambda: self.fail(self.lateness()))

    def run(self, module: str, attribute: str) -> int:
        """Do it all. Raises Trouble or TimeoutError when there is nothing to print."""
        if not self._verbose:
            # What a check says stands in the table; the log would say it again, with a traceback. A filter, because the
            # app may configure its logging at any moment.
            logging.getLogger("asgi_health").addFilter(lambda record: False)
        self.doing = f"importing {module}"
        found = find(load(module, attribute), f"{module}:{attribute}")
        return asyncio.run(self._checked(found))

    def lateness(self) -> Trouble:
        """Return the trouble of having no more time."""
        return Trouble(f"timed out after {self._seconds:g} s while {self.doing}")

    def fail(self, trouble: Trouble) -> int:
        """Say what went wrong, then what is known of the checks all the same, and return the exit code."""
        if self._code is None:
            self._complain(trouble)
            if self._lines is not None:
                return self._say(self._lines)
            if self._as_json:
                self._output.write(table.as_json([], str(trouble)))
            return self.end(1)
        return self._code

    def end(self, code: int) -> int:
        """Take `code` as the exit code, and return it: whatever the app still does, the process ends soon."""
        self._code = code
        return self._watchdog.outcome(code)

    async def _checked(self, found: Found) -> int:
        if found.app is None:
            return self._say(await self._run_checks(found))
        life = Life(found.app)
        try:
            self.doing = "starting the app"
            async with asyncio.timeout(self._left()):
                await life.start()
            # Known from here on: what goes wrong in the shutdown changes nothing about it.
            self._lines = await self._run_checks(found)
            self.doing = "shutting down the app"
            async with asyncio.timeout(max(self._left(), SHUTDOWN)):
                await life.stop()
            return self._say(self._lines)
        finally:
            await life.leave()

    async def _run_checks(self, found: Found) -> list[Line]:
        self.doing = "running the checks"
        lines = await asyncio.gather(*(run(health, self._left()) for health in found.healths))
        return [line for each in lines for line in each]

    def _say(self, lines: list[Line]) -> int:
        self._output.write(table.as_json(lines) if self._as_json else table.as_table(lines))
        return self.end(1 if any(line.fails for line in lines) else 0)

    def _complain(self, trouble: Trouble) -> None:
        if self._verbose:
            print(trouble.details, end="", file=sys.stderr)
        print(f"{program()} check: {trouble}", file=sys.stderr, flush=True)

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.001)
