"""The app that a server imports: `benchmarks.served_app:app`. An environment variable describes it."""

import json
import os
from pathlib import Path

from .contenders import find_contender
from .dependency import Dependency, SharedState
from .setup import Setup


def _make() -> object:
    described = json.loads(os.environ["BENCHMARK_APP"])
    dependency = Dependency(SharedState(Path(described["state"])))
    setup = Setup(
        dependency.checks(described["checks"]),
        described["interval"],
        described["timeout"],
        described["slow_loop"],
        described["metrics"],
    )
    return find_contender(described["contender"]).make(setup)


app = _make()
