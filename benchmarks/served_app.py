"""The app that a server imports: `benchmarks.served_app:app`, described by the environment."""

import json
import os
from pathlib import Path

from .contenders import contender
from .dependency import Board, Dependency
from .setup import Setup


def _make() -> object:
    described = json.loads(os.environ["BENCHMARK_APP"])
    dependency = Dependency(Board(Path(described["board"])))
    setup = Setup(
        dependency.checks(described["checks"]), described["interval"], described["timeout"], described["slow_loop"]
    )
    return contender(described["contender"]).make(setup)


app = _make()
