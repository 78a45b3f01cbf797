"""Start: a probe command as a whole process, and imports."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

from .contenders import LIMIT, contender, installed
from .figures import Figure, Results
from .plan import Plan, Progress
from .processes import ROOT, environment
from .servers import Server, missing, start
from .stats import ratios, spread

PASS = "python -c pass"
IMPORTS = {
    "import asgi_health": "asgi-health",
    "from asgi_health import HealthMiddleware": "asgi-health",
    "from fastapi_watch import HealthRegistry": "fastapi-watch",
    "from probirka import Probirka, make_asgi_app": "probirka",
    "from fast_healthchecks.integrations.fastapi import HealthcheckRouter": "fast-healthchecks",
    "from fastapi_health import health": "fastapi-health",
    "from health_check.views import HealthCheckView": "django-health-check",
    "from light_health.asgi.health import HealthASGIApp": "light-health",
    "from starlette.applications import Starlette": "starlette",
    "from fastapi import FastAPI": "fastapi",
}
"""Statement -> the contender that has to be there for it."""


def measure(plan: Plan, progress: Progress) -> Results:
    """Measure whole processes, one of each in turn, against an interpreter that does nothing."""
    results = Results()
    commands = {PASS: [sys.executable, "-c", "pass"]}
    for statement, name in IMPORTS.items():
        if not contender(name).missing and (not plan.quick or "asgi_health" in statement):
            commands[statement] = [sys.executable, "-c", statement]
    with ExitStack() as stack:
        if lacking := missing("uvicorn"):
            results.skip(f"start: no probe is sent, {', '.join(lacking)} is not installed")
        for server in [] if lacking else start(stack, [Server(LIMIT)], results.skip):
            fetch = f"import urllib.request; urllib.request.urlopen({server.url!r}, timeout=1)"
            commands["urllib one-liner"] = [sys.executable, "-c", fetch]
            if probe := probe_command(server.url):
                commands["asgi-health probe"] = probe
            else:
                results.skip("start, asgi-health probe: this version of asgi-health has no probe command")
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(plan.times(15, 6)):
            for name, command in commands.items():
                progress.step(f"start: {turn + 1}, {name}")
                taken[name].append(_seconds(command))
    for name, values in taken.items():
        milliseconds = [1000 * value for value in values]
        compared = ratios(values, taken[PASS])
        measured = "import" if name in IMPORTS else "start"
        results.add(Figure(measured, "whole process", name, "ms", spread(milliseconds), compared, PASS))
    return results


def probe_command(url: str) -> list[str] | None:
    """Return the command that probes `url`, None while asgi-health has none."""
    known = subprocess.run(
        [sys.executable, "-m", "asgi_health", "probe", "--help"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(),
        check=False,
    )
    if known.returncode != 0:
        return None
    script = os.path.join(os.path.dirname(sys.executable), "asgi-health")
    if installed("asgi-health") and os.access(script, os.X_OK):
        return [script, "probe", url]
    return [sys.executable, "-m", "asgi_health", "probe", url]


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment(), check=True)
    return time.perf_counter() - began
