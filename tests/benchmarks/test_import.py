"""What an application pays for an import of asgi-health, in modules. The benchmark `start` measures it in time."""

import subprocess
import sys

from benchmarks.processes import ROOT, environment
from benchmarks.start import NEEDED, OURS

STILL_IMPORTED = {"array", "bisect", "random"}
"""The jitter of the schedule and, on Python 3.15, the arrays of the history, which asyncio imports on the others.
Servers and frameworks import them anyway."""


def _packages(statement: str) -> set[str]:
    """Return the top-level packages that a process has after a statement, without private ones."""
    program = f"{statement}; import sys; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in ended.stdout.split() if not name.startswith("_")}


def test_the_middleware_imports_little_more_than_its_dependencies_and_asyncio() -> None:
    added = _packages(f"{NEEDED}; {OURS}") - _packages(NEEDED) - {"asgi_health"}
    assert added <= STILL_IMPORTED


def test_the_package_alone_imports_nothing_of_weight() -> None:
    loaded = _packages("import asgi_health")
    assert not loaded & {"anyio", "asyncio", "dataclasses", "inspect", "logging", "orjson", "typing"}
