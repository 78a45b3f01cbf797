"""The versions and the machine of a run."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, PIPE, run
from typing import Any

DISTRIBUTIONS = (
    "asgi-health",
    "anyio",
    "orjson",
    "uvicorn",
    "uvloop",
    "httptools",
    "hypercorn",
    "granian",
    "starlette",
    "fastapi",
    "django",
    "fastapi-watch",
    "probirka",
    "fast-healthchecks",
    "fastapi-health",
    "django-health-check",
    "light-health",
)


def describe(command: list[str]) -> dict[str, Any]:
    """Return versions, machine, date and command."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
        "commit": _commit(),
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),
        "wrk": _wrk(),
        "versions": {name: _version(name) for name in DISTRIBUTIONS},
    }


def python_of(described: dict[str, Any]) -> tuple[int, int]:
    """Return the Python that a run was made on."""
    major, minor, *_ = described["python"].split()[-1].split(".")
    return int(major), int(minor)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _wrk() -> str | None:
    if which("wrk") is None:
        return None
    said = run(["wrk", "--version"], stdout=PIPE, stderr=DEVNULL, text=True, check=False).stdout
    return said.split(" [")[0].removeprefix("wrk ").strip() or "unknown"


def _commit() -> str | None:
    root = Path(__file__).parent.parent
    try:
        done = run(
            ["git", "describe", "--always", "--dirty"], cwd=root, stdout=PIPE, stderr=DEVNULL, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None
