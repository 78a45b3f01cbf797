"""The main program of the child process: import the app, start it, run its checks, shut it down.

Its own message is ``rows``, the results of the checks; `child_frame` sends the others.
"""

import asyncio
import time
from dataclasses import asdict
from typing import Any

from asgi_health import Health

from .check_error import CheckError
from .child_frame import run_in_frame
from .find_health import bypass_middleware, find_healths, require_app, suggest_health
from .lifespan_client import lifespan
from .load_app import load_app
from .message_writer import MessageWriter
from .run_checks import run_checks


def start(arguments: str) -> None:
    """Run in the child process that has just been started; `arguments` is JSON from the parent."""
    run_in_frame(arguments, main)


def main(messages: MessageWriter, options: dict[str, Any]) -> None:
    """Run the checks of the app and report their results."""
    _Run(messages, options["seconds"]).run(options["module"], options["attribute"])


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
        async with lifespan(app, self._messages, self._remaining):
            healths = find_healths(app, name)  # again, because some frameworks add the middleware in their startup
            if not healths:
                raise CheckError(
                    f"{name} has no HealthMiddleware, neither around it nor inside it{suggest_health(app)}"
                )
            # This reports the results. A failure in the shutdown does not change them.
            await self._run_checks(healths)

    async def _run_checks(self, healths: list[Health]) -> None:
        self._messages.begin("running the checks")
        results = await asyncio.gather(*(run_checks(health, self._remaining()) for health in healths))
        self._messages.write(rows=[asdict(row) for rows in results for row in rows])

    def _remaining(self) -> float:
        return max(self._end - time.monotonic(), 0.001)
