"""No span and no transaction of a probe, with the real instrumentations around and inside of the health layer."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from asgi_health import Paths
from asgi_health.integrations.opentelemetry import excluded_urls
from asgi_health.integrations.sentry import traces_sampler
from tests.support.asgi_caller import http_scope

from ..servers.process import ROOT
from .traced_apps import PAGE

Found = dict[str, dict[str, list[str]]]

EXCLUDED = f"{excluded_urls()},{excluded_urls(root_path='/api')}"


def traced(*arguments: str, **environment: str) -> Found:
    """Return the traces of each app and path; see traced_apps."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integrations.traced_apps", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: Found = json.loads(ended.stdout)
    assert all(each[PAGE] for each in found.values()), "each page is traced"
    return found


def with_traced_probes(found: Found) -> set[str]:
    """Return the apps that trace a probe."""
    return {app for app, paths in found.items() if any(names for path, names in paths.items() if path != PAGE)}


def test_opentelemetry_traces_probes_where_it_is_outside_of_the_health_layer() -> None:
    found = with_traced_probes(traced("opentelemetry"))
    assert not [app for app in found if "wrapped" in app]
    assert {app for app in found if "fastapi, add_middleware" in app} == {
        "fastapi, add_middleware, instrumented first",
        "fastapi, add_middleware, instrumented last",
    }


def test_opentelemetry_traces_no_probe_with_the_excluded_urls() -> None:
    assert with_traced_probes(traced("opentelemetry", OTEL_PYTHON_EXCLUDED_URLS=EXCLUDED)) == set()


@pytest.mark.parametrize("lifecycle", ["static", "stream"])
def test_sentry_traces_probes_where_it_is_outside_of_the_health_layer(lifecycle: str) -> None:
    found = traced("sentry", lifecycle, "none")
    assert with_traced_probes(found) == {app for app in found if "wrapped" not in app}


@pytest.mark.parametrize(
    ("lifecycle", "sampler"), [("static", "share"), ("static", "function"), ("stream", "function")]
)
def test_sentry_traces_no_probe_with_the_sampler(lifecycle: str, sampler: str) -> None:
    found = with_traced_probes(traced("sentry", lifecycle, sampler))
    assert found == ({"mounted"} if sampler == "share" else set())  # "function" names the mount


@pytest.mark.parametrize(
    ("url", "excluded"),
    [
        ("http://shop.example/livez", True),
        ("https://shop.example:8443/health/ready/", True),
        ("http://[::1]:8000/readyz/database", True),
        ("http://shop.example/health", True),
        ("http://shop.example/health/events", True),
        ("http://shop.example/health/events/more", False),
        ("http://shop.example/health/orders", False),
        ("http://shop.example/healthcare", False),
        ("http://shop.example/livez/a/b", False),
        ("http://shop.example/shop/livez", False),
        ("http://shop.example/orders?next=/livez", False),
        ("ws://shop.example/livez", False),
    ],
)
def test_only_the_urls_of_probes_are_excluded(url: str, excluded: bool) -> None:
    assert bool(re.search(excluded_urls(), url)) is excluded


def test_paths_with_special_characters_are_excluded_as_they_are() -> None:
    from opentelemetry.util.http import parse_excluded_urls

    paths = Paths(health="/a,b", live="/l.ive", ready="/r(e)ady", startup=None)
    parsed = parse_excluded_urls(excluded_urls(paths, root_path="/api/"))
    assert all(parsed.url_disabled(f"http://shop.example/api{path}") for path in paths.all)
    assert not parsed.url_disabled("http://shop.example/api/lXive")
    assert not parsed.url_disabled("http://shop.example/b")


def test_scrapes_are_excluded_as_probes_are() -> None:
    paths = Paths(metrics="/health/metrics")
    assert re.search(excluded_urls(paths), "http://shop.example/health/metrics")
    assert not re.search(excluded_urls(paths), "http://shop.example/health/metrics/more")
    assert traces_sampler(1.0, paths)({"asgi_scope": http_scope("/health/metrics")}) == 0.0


def test_without_paths_no_url_is_excluded() -> None:
    assert excluded_urls(Paths(health=None, live=None, ready=None, startup=None, events=None)) == ""


@pytest.mark.parametrize(
    ("context", "rate"),
    [
        ({"asgi_scope": http_scope("/livez"), "parent_sampled": True}, 0.0),
        ({"asgi_scope": http_scope("/api/livez", root_path="/api")}, 0.0),
        ({"asgi_scope": http_scope("/orders")}, 0.25),
        ({"asgi_scope": http_scope("/livez", type="websocket")}, 0.25),
        ({"asgi_scope": http_scope("/orders"), "parent_sampled": True}, True),
        ({"asgi_scope": http_scope("/orders"), "parent_sampled": None}, 0.25),
        ({"wsgi_environ": {}, "parent_sampled": False}, False),
    ],
)
def test_the_share_applies_to_what_is_no_probe_and_has_no_decision(context: dict[str, Any], rate: float) -> None:
    assert traces_sampler(0.25)(context) == rate


@pytest.mark.parametrize(
    ("share", "error"), [("0.1", TypeError), (True, TypeError), (1.5, ValueError), (-0.1, ValueError)]
)
def test_a_share_that_is_none_is_refused(share: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="traces_sampler: otherwise must be"):
        traces_sampler(share)
