"""The main program of the child process: import the app, start it, run its checks, shut it down.

It reports each step to the parent in a message: ``doing`` (the step that begins), ``rows`` (the results of the checks),
and as the last one ``done``, ``timed_out``, ``interrupted`` or ``error``.
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

from asgi_health import Health

from .check_error import CheckError
from .find_health import bypass_middleware, find_healths, require_app, suggest_health
from .lifespan_client import LifespanClient
from .load_app import load_app
from .message_writer import MessageWriter
from .run_checks import run_checks

MIN_SHUTDOWN_TIME = 0.5
"""Seconds for the shutdown of the app, even if its checks have used up the timeout."""

PARENT_POLL_INTERVAL = 0.5
"""Seconds between two looks at whether the parent process is still there."""


def start(arguments: str) -> None:
    """Run in the child process that has just been started; `arguments` is JSON from the parent."""
    options = json.loads(arguments)
    sys.argv[:] = options["argv"]  # for an app that reads it while it is imported
    main(options["module"], options["attribute"], options["seconds"], verbose=options["verbose"])


def main(module: str, attribute: str, seconds: float, *, verbose: bool) -> None:
    """Run the checks of the app and report the outcome. Never raises."""
    messages = MessageWriter()
    Thread(target=_exit_with_parent, args=(os.getppid(),), name="asgi-health exit with parent", daemon=True).start()
    if not verbose:
        # The table shows what a check reports; the log would repeat it with a traceback. A filter on the logger,
        # because the app may configure logging at any moment.
        logging.getLogger("asgi_health").addFilter(lambda record: False)
    try:
        _Run(messages, seconds).run(module, attribute)
    except CheckError as error:
        messages.write(error=str(error), details=error.details)
    except TimeoutError:
        messages.write(timed_out=True)
    except KeyboardInterrupt:
        messages.write(interrupted=True)
    except BaseException as cause:  # the app has stopped the loop, cancelled our task, or called sys.exit in a callback
        failure = CheckError(f"failed while {messages.doing}", cause)
        messages.write(error=str(failure), details=failure.details)


def _exit_with_parent(parent: int) -> None:
    """End this process when its parent has ended, even by SIGKILL: the system does not do that."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_INTERVAL)
    os._exit(1)


class _Run:
    """Runs the steps in order. Each step raises CheckError, TimeoutError, or whatever the app raises in it."""

    def __init__(self, messages: MessageWriter, seconds: float) -> None:
        self._messages = messages
        self._end = time.monotonic() + seconds

    def run(self, module: str, attribute: str) -> None:
        name = f"{module}:{attribute}"
        self._messages.begin(f"importing {module}")
        bypass_middleware()
        app = load_app(module, attribute)
        if isinstance(app, Health):
            asyncio.run(self._check_health(app))
            return
        require_app(app, name)
        find_healths(app, name)  # builds the middleware, so that its errors appear before anything is started
        asyncio.run(self._check_app(app, name))

    async def _check_health(self, health: Health) -> None:
        await self._run_checks([health])
        self._messages.write(done=True)

    async def _check_app(self, app: Any, name: str) -> None:
        lifespan = LifespanClient(app)
        try:
            self._messages.begin("starting the app")
            async with asyncio.timeout(self._remaining()):
                await lifespan.start()
            healths = find_healths(app, name)  # again, because some frameworks add the middleware in their startup
            if not healths:
                raise CheckError(
                    f"{name} has no HealthMiddleware, neither around it nor inside it{suggest_health(app)}"
                )
            # This reports the results. A failure in the shutdown does not change them.
            await self._run_checks(healths)
            self._messages.begin("shutting down the app")
            async with asyncio.timeout(max(self._remaining(), MIN_SHUTDOWN_TIME)):
                await lifespan.stop()
            self._messages.write(done=True)  # before asyncio.run closes the loop, which tasks of the app can prevent
        finally:
            await lifespan.cancel()

    async def _run_checks(self, healths: list[Health]) -> None:
        self._messages.begin("running the checks")
        results = await asyncio.gather(*(run_checks(health, self._remaining()) for health in healths))
        self._messages.write(rows=[asdict(row) for rows in results for row in rows])

    def _remaining(self) -> float:
        return max(self._end - time.monotonic(), 0.001)
