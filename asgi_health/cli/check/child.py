"""The process in which the app runs: import, start, check, shut down, and write each step as it comes.

The process that has started this one reads it, a JSON object to the line: ``doing`` (the step that begins), ``lines``
(what the checks said), and as the last word ``done``, ``late``, ``interrupted`` or ``trouble``.
"""

import asyncio
import json
import logging
import os
import sys
import time
from dataclasses import asdict
from threading import Thread
from typing import Any

from ...health import Health
from .find import elsewhere, find, require_app, take_out
from .line import Line
from .load import load
from .output import Output
from .run import run
from .startup import Life
from .trouble import Trouble

SHUTDOWN = 0.5
"""Seconds for the shutdown of the app, even where its checks have used up the time."""

LOOK = 0.5
"""Seconds between two looks at whether the process that wants to know is still there."""


def main(module: str, attribute: str, seconds: float, *, verbose: bool) -> None:
    """Run the checks of that app, and tell what comes of it. Never raises."""
    told = _Told(Output())
    Thread(target=_end_with, args=(os.getppid(),), name="asgi-health watchdog", daemon=True).start()
    if not verbose:
        # What a check says stands in the table; the log would say it again, with a traceback. A filter, because the
        # app may configure its logging at any moment.
        logging.getLogger("asgi_health").addFilter(lambda record: False)
    try:
        _Run(told, seconds).run(module, attribute)
    except Trouble as trouble:
        told.tell(trouble=str(trouble), details=trouble.details)
    except TimeoutError:
        told.tell(late=True)
    except KeyboardInterrupt:
        told.tell(interrupted=True)
    except BaseException as error:  # the app has stopped the loop, cancelled our task, or called sys.exit in a callback
        failed = Trouble(f"failed while {told.doing}", error)
        told.tell(trouble=str(failed), details=failed.details)


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, in whatever way: no other process does it."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(1)


class _Told:
    """What has been written so far."""

    def __init__(self, output: Output) -> None:
        self.doing = "beginning"
        self._output = output

    def do(self, doing: str) -> None:
        self.doing = doing
        self.tell(doing=doing)

    def tell(self, **words: Any) -> None:
        self._output.write(json.dumps(words) + "\n")


class _Run:
    """One run through all the steps. Each raises Trouble, TimeoutError, or whatever the app does to it."""

    def __init__(self, told: _Told, seconds: float) -> None:
        self._told = told
        self._end = time.monotonic() + seconds

    def run(self, module: str, attribute: str) -> None:
        name = f"{module}:{attribute}"
        self._told.do(f"importing {module}")
        take_out()
        thing = load(module, attribute)
        if isinstance(thing, Health):
            asyncio.run(self._check([thing]))
            return
        require_app(thing, name)
        find(thing, name)  # so that middleware is made, and complains, before anything is started
        asyncio.run(self._live(thing, name))

    async def _check(self, healths: list[Health]) -> None:
        await self._run_checks(healths)
        self._told.tell(done=True)

    async def _live(self, app: Any, name: str) -> None:
        life = Life(app)
        try:
            self._told.do("starting the app")
            async with asyncio.timeout(self._left()):
                await life.start()
            healths = find(app, name)  # not before: some frameworks add it in their startup
            if not healths:
                raise Trouble(f"{name} has no HealthMiddleware, around it or anywhere in it{elsewhere(app)}")
            # Told from here on: what goes wrong in the shutdown changes nothing about it.
            await self._run_checks(healths)
            self._told.do("shutting down the app")
            async with asyncio.timeout(max(self._left(), SHUTDOWN)):
                await life.stop()
            self._told.tell(done=True)  # before the loop is closed, which what the app has left in it can prevent
        finally:
            await life.leave()

    async def _run_checks(self, healths: list[Health]) -> None:
        self._told.do("running the checks")
        ran = await asyncio.gather(*(run(health, self._left()) for health in healths))
        lines: list[Line] = [line for each in ran for line in each]
        self._told.tell(lines=[asdict(line) for line in lines])

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.001)


def start(given: str) -> None:
    """Begin in a process that has just been started; `given` says what for, in JSON."""
    wanted = json.loads(given)
    sys.argv[:] = wanted["argv"]  # for an app that looks at it when it is imported
    main(wanted["module"], wanted["attribute"], wanted["seconds"], verbose=wanted["verbose"])
