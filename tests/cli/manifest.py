"""Print the configuration of an app without a process of its own, and find tools that validate it."""

import json
import os
import shutil
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module

import pytest

from asgi_health import HealthMiddleware
from asgi_health.cli.manifest import Options
from asgi_health.cli.manifest.address import parse_instance
from asgi_health.cli.manifest.child_main import facts_of
from asgi_health.cli.manifest.facts import AppFacts
from asgi_health.cli.manifest.servers import SERVERS

# Debian installs some tools into a folder that only the PATH of root has, and Envoy is a script of a package.
PATH = os.pathsep.join(
    [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"]
)


def printed(
    platform: str,
    app: HealthMiddleware,
    *,
    target: str = "shop.main:app",
    server: str = "uvicorn",
    hosts: Sequence[str] = (),
    start: float = 60.0,
    longest_request: float = 30.0,
) -> str:
    """Return what `asgi-health manifest` prints for `app`, whose facts have gone through JSON as in the command."""
    facts = AppFacts.from_json(json.loads(json.dumps(asdict(facts_of(app, target)))))
    options = Options(SERVERS[server], 8000, tuple(map(parse_instance, hosts)), start, longest_request)
    text: str = import_module(f"asgi_health.cli.manifest.{platform}").render(facts, options)
    return text


def tool(name: str, install: str) -> str:
    """Return the path of a tool; fail under CI where it is missing, and skip the test elsewhere.

    `install` is the command that installs it.
    """
    found = shutil.which(name, path=PATH)
    if found is None:
        reason = f"{name} not found; {install}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
