"""Whole processes: probe commands by the clock, imports by the processor time."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

from .contenders import LIMIT, find_contender, installed
from .figures import Figure, Results
from .plan import Plan, Progress
from .processes import ROOT, environment
from .servers import Server, missing, start
from .stats import ratios, spread

PASS = "python -c pass"
NEEDED = "import asyncio, anyio, orjson"
"""What each process with asgi-health imports in any case: its dependencies, and the event loop of its server."""
OURS = "from asgi_health import HealthMiddleware"

IMPORTS = {
    NEEDED: "asgi-health",
    "import asgi_health": "asgi-health",
    OURS: "asgi-health",
    # asgi-health itself imports no event loop; this is what it adds to the start of a server.
    f"{NEEDED}; {OURS}": "asgi-health",
    "from fastapi_watch import HealthRegistry": "fastapi-watch",
    "from probirka import Probirka, make_asgi_app": "probirka",
    "from fast_healthchecks.integrations.fastapi import HealthcheckRouter": "fast-healthchecks",
    "from fastapi_health import health": "fastapi-health",
    "from health_check.views import HealthCheckView": "django-health-check",
    "from light_health.asgi.health import HealthASGIApp": "light-health",
    "from starlette.applications import Starlette": "starlette",
    "from fastapi import FastAPI": "fastapi",
}
"""Statement -> the contender that must be installed for it."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure whole processes, one of each in turn."""
    results = Results()
    imports = {
        statement: [sys.executable, "-c", statement]
        for statement, name in IMPORTS.items()
        if not find_contender(name).missing and (not plan.quick or find_contender(name).ours)
    }
    commands = {PASS: [sys.executable, "-c", "pass"]}
    with ExitStack() as stack:
        if lacking := missing("uvicorn"):
            results.skip(f"start: no probe is sent, {', '.join(lacking)} is not installed")
        for server in [] if lacking else start(stack, [Server(LIMIT)], results.skip):
            fetch = f"import urllib.request; urllib.request.urlopen({server.url!r}, timeout=1)"
            commands["urllib one-liner"] = [sys.executable, "-c", fetch]
            commands["asgi-health probe"] = probe_command(server.url)
        wall: dict[str, list[float]] = {name: [] for name in commands}
        processor: dict[str, list[float]] = {name: [] for name in imports}
        turns = plan.times(15, 6)
        for turn in range(turns + 1):
            for name, command in (commands | imports).items():
                progress.step(f"start: {turn} of {turns}, {name}")
                seconds, spent = _run(command)
                if turn == 0:  # it compiled what had no bytecode yet
                    continue
                if name in commands:
                    wall[name].append(seconds)
                else:
                    processor[name].append(spent)
    for kind, case, taken, against in (
        ("start", "whole process", wall, PASS),
        ("import", "processor time", processor, NEEDED),
    ):
        for name, values in taken.items():
            milliseconds = spread([1000 * value for value in values])
            compared = ratios(values, taken[against])
            results.add(Figure(kind, case, name, "ms", milliseconds, compared, against))
    return results


def probe_command(url: str) -> list[str]:
    """Return the command that probes `url`: the script where asgi-health is installed, else the module."""
    script = os.path.join(os.path.dirname(sys.executable), "asgi-health")
    if installed("asgi-health") and os.access(script, os.X_OK):
        return [script, "probe", url]
    return [sys.executable, "-m", "asgi_health", "probe", url]


def _run(command: list[str]) -> tuple[float, float]:
    """Return the seconds that a process lasts, and those of a processor that it needs."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment())
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime
