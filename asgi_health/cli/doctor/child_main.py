"""The main program of the child process: import the app, start it, run its checks once, and apply the rules.

Its own message is ``rows``, the findings; `child_frame` sends the others.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from asgi_health import Health

from ..check.check_error import CheckError
from ..check.child_frame import run_in_frame
from ..check.find_health import bypass_middleware, require_app, suggest_health
from ..check.lifespan_client import lifespan
from ..check.load_app import load_app
from ..check.message_writer import MessageWriter
from .facts import AppFacts, Layer, OneRun
from .finding import examine
from .gather import containers_of_app, layers_of, routes_inside
from .manifest import Container, read_manifest
from .rules import APP_RULES
from .run_once import run_once
from .settings import Given, settings_of


def start(arguments: str) -> None:
    """Run in the child process that has just been started; `arguments` is JSON from the parent."""
    run_in_frame(arguments, main)


def main(messages: MessageWriter, options: dict[str, Any]) -> None:
    """Examine the app and report the findings."""
    _Examination(messages, options).run()


class _Examination:
    """Takes the steps in order. Each raises CheckError, TimeoutError, or whatever the app raises in it."""

    def __init__(self, messages: MessageWriter, options: dict[str, Any]) -> None:
        self._messages = messages
        self._options = options
        self._end: float = time.monotonic() + options["seconds"]
        self._name = f"{options['module']}:{options['attribute']}"
        self._containers: list[Container] = []
        self._reported = False

    def run(self) -> None:
        module, manifest = self._options["module"], self._options["manifest"]
        if manifest is not None:
            self._messages.begin(f"reading {manifest}")
            self._containers = read_manifest(manifest)
            self._require_container()
        self._messages.begin(f"importing {module}")
        bypass_middleware()
        try:
            app = load_app(module, self._options["attribute"])
            if not isinstance(app, Health):
                require_app(app, self._name)
            layers = layers_of(app, self._name)
        except CheckError as error:
            if not isinstance(error.__cause__, ModuleNotFoundError) or "asgi-health[" not in str(error):
                raise
            self._report([], load_error=str(error))
            self._messages.write(done=True)
            return
        asyncio.run(self._examine(app, layers))

    async def _examine(self, app: Any, layers: list[Layer]) -> None:
        if not self._options["start"]:
            self._require_layers(app, layers)
            self._report(layers, app=app)
            self._messages.write(done=True)
        elif isinstance(app, Health):
            self._report(layers, app=app, runs=await self._run_checks(layers))
            self._messages.write(done=True)
        else:
            try:
                async with lifespan(app, self._messages, self._remaining):
                    layers = layers_of(app, self._name)  # again: some frameworks add the middleware in their startup
                    self._require_layers(app, layers)
                    self._report(layers, app=app, runs=await self._run_checks(layers))
            except (CheckError, TimeoutError) as error:
                if self._reported or not layers:
                    raise
                late = f"the app had not started after {self._options['seconds']:g} s"
                self._report(layers, app=app, start_error=late if isinstance(error, TimeoutError) else str(error))
                self._messages.write(done=True)

    async def _run_checks(self, layers: Sequence[Layer]) -> dict[str, OneRun]:
        self._messages.begin("running the checks")
        runs: dict[str, OneRun] = {}
        for layer in layers:
            runs |= await run_once(layer.checks, self._remaining())
        return runs

    def _require_layers(self, app: Any, layers: Sequence[Layer]) -> None:
        if not layers:
            raise CheckError(
                f"{self._name} has no HealthMiddleware, neither around it nor inside it{suggest_health(app)}"
            )

    def _report(
        self,
        layers: Sequence[Layer],
        *,
        app: Any = None,
        runs: dict[str, OneRun] | None = None,
        load_error: str = "",
        start_error: str = "",
    ) -> None:
        self._messages.begin("examining the app")
        rows = [
            row
            for container in self._containers_of(layers)
            for row in examine(
                APP_RULES,
                AppFacts(
                    tuple(layers),
                    settings_of(Given(**self._options["given"]), os.environ, container),
                    routes=frozenset() if app is None else routes_inside(app),
                    runs=runs or {},
                    load_error=load_error,
                    start_error=start_error,
                    environment=os.environ,
                    search_path=tuple(map(str, sys.path)),
                ),
                self._options["ignored"],
            )
        ]
        self._reported = True
        self._messages.write(rows=[asdict(row) for row in sorted(dict.fromkeys(rows), key=lambda row: row.severity)])

    def _require_container(self) -> None:
        name, names = self._options["container"], {each.short_name for each in self._containers}
        if name is not None and name not in names:
            raise CheckError(f"the manifest has no container {name!r}; it has: {', '.join(sorted(names))}")

    def _containers_of(self, layers: Sequence[Layer]) -> list[Container | None]:
        """Return the containers to compare the app with, or None alone where there is no manifest."""
        if not self._containers:
            return [None]
        found = containers_of_app(self._containers, layers, self._options["container"])
        return [*found]

    def _remaining(self) -> float:
        return max(self._end - time.monotonic(), 0.001)
