"""Apply the rules to an app in this process."""

import asyncio
from collections.abc import Mapping
from typing import Any

from asgi_health.cli.doctor.facts import AppFacts, OneRun
from asgi_health.cli.doctor.finding import Row, examine
from asgi_health.cli.doctor.gather import layers_of, routes_inside
from asgi_health.cli.doctor.manifest import Container
from asgi_health.cli.doctor.rules import APP_RULES
from asgi_health.cli.doctor.run_once import run_once
from asgi_health.cli.doctor.settings import Given, settings_of


def findings(
    app: Any,
    given: Given,
    environment: Mapping[str, str],
    *,
    container: Container | None = None,
    runs: bool = False,
    search_path: tuple[str, ...] = (),
) -> list[Row]:
    """Return what the rules find. With `runs` each check runs once."""
    layers = layers_of(app, "shop:app")
    seen: dict[str, OneRun] = {}
    for layer in layers if runs else ():
        seen |= asyncio.run(run_once(layer.checks, 60.0))
    facts = AppFacts(
        tuple(layers),
        settings_of(given, environment, container),
        routes=routes_inside(app),
        runs=seen,
        environment=environment,
        search_path=search_path,
    )
    return examine(APP_RULES, facts)
