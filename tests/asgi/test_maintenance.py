"""Maintenance through the middleware: what probes are answered, and that it ends by itself."""

import json
import logging
from datetime import datetime, timedelta

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware

from ..support.asgi_caller import ask, echo_nothing
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving
from ..support.virtual_time import BACKENDS, clock_of, run_virtual


async def fails() -> bool:
    return False


async def passes() -> bool:
    return True


async def answers(app: HealthMiddleware) -> list[tuple[int, object]]:
    """Return status and body of readiness and liveness."""
    answered = [await ask(app, path) for path in ("/readyz", "/livez")]
    return [(each.status, json.loads(each.body)) for each in answered]


GOOD, WARN, BAD = (200, {"status": "pass"}), (200, {"status": "warn"}), (503, {"status": "fail"})
MAINTAINED = (503, {"status": "fail", "notes": ["maintenance"]})


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_app_in_maintenance_says_so_and_is_ready_again_by_itself(backend: str) -> None:
    health = Health([Check("a", passes)], clock=clock_of(backend))
    app = HealthMiddleware(lifespan_app, health)

    async def main() -> None:
        async with serving(app):
            await anyio.sleep(1.0)
            health.maintain(None, 600.0, "upgrade")
            assert await answers(app) == [MAINTAINED, GOOD]
            await anyio.sleep(599.0)
            assert await answers(app) == [MAINTAINED, GOOD]
            await anyio.sleep(1.1)
            assert await answers(app) == [GOOD, GOOD]

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_in_maintenance_degrades_and_fails_again_by_itself(backend: str) -> None:
    health = Health([Check("a", fails, failure_threshold=1)], clock=clock_of(backend))
    app = HealthMiddleware(lifespan_app, health)

    async def main() -> None:
        async with serving(app):
            await anyio.sleep(1.0)
            assert await answers(app) == [BAD, GOOD]
            end = health.maintain("a", 600.0, "upgrade")
            assert await answers(app) == [WARN, GOOD]
            await anyio.sleep(600.0)
            assert await answers(app) == [BAD, GOOD]
            end()  # too late, and without effect
            end = health.maintain("a", 600.0)
            assert await answers(app) == [WARN, GOOD]
            end()
            assert await answers(app) == [BAD, GOOD]

    run_virtual(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_ends_where_checks_run_on_demand(backend: str) -> None:
    health = Health([Check("a", fails, failure_threshold=1)], clock=clock_of(backend))
    app = HealthMiddleware(echo_nothing, health)

    async def main() -> None:
        assert await answers(app) == [BAD, GOOD]
        health.maintain("a", 600.0)
        assert await answers(app) == [WARN, GOOD]
        health.maintain(None, 60.0)
        assert await answers(app) == [MAINTAINED, GOOD]
        await anyio.sleep(60.0)
        assert await answers(app) == [WARN, GOOD]
        await anyio.sleep(540.0)
        assert await answers(app) == [BAD, GOOD]

    run_virtual(backend, main)


def test_details_show_the_maintenance_its_end_and_the_reason() -> None:
    health = Health([Check("a", passes)], clock=lambda: 1000.0)
    app = HealthMiddleware(echo_nothing, health, details=True)
    health.maintain("a", 600.0, "upgrade of the database, password=sesame")
    health.maintain(None, 60.0)

    async def main() -> None:
        shown = json.loads((await ask(app, "/health")).body)
        of_check, of_app = shown["checks"]["a"][0]["maintenance"], shown["maintenance"]
        assert of_check["reason"] == "upgrade of the database, password=***"
        lengths = [
            datetime.fromisoformat(each["until"]) - datetime.fromisoformat(each["since"]) for each in (of_check, of_app)
        ]
        assert lengths == [timedelta(seconds=600), timedelta(seconds=60)]
        assert "reason" not in of_app
        assert "the app is in maintenance" in shown["notes"]
        lines = (await ask(app, "/health", query=b"format=text")).body.decode().splitlines()
        assert "note: check a is in maintenance: upgrade of the database, password=***" in lines

    anyio.run(main)


def test_the_log_says_when_one_begins_and_when_it_ends_before_its_time(caplog: pytest.LogCaptureFixture) -> None:
    health = Health({"a": passes})
    with caplog.at_level(logging.INFO, "asgi_health"):
        end = health.maintain("a", 600.0, "up\ngrade")
        end()
        end()
        health.maintain(None, 60.0)
    assert [each.getMessage() for each in caplog.records] == [
        "maintenance of check 'a' begins, for 600 s at most: up grade",
        "maintenance of check 'a' ends before its time",
        "maintenance of the app begins, for 60 s at most",
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a", 0), "health: maintain: seconds must be a positive"),
        (("a", "600"), "health: maintain: seconds must be a number of seconds"),
        (("a", 604801.0), "health: maintain: seconds must be at most 604800 s"),
        ((1, 60.0), "health: maintain: name must be"),
        (("a", 60.0, None), "health: maintain: reason must be"),
        (("a", 60.0, "x" * 201), "health: maintain: reason has 201 characters, expected at most 200"),
        (("b", 60.0), "check 'b': there is no check of that name"),
    ],
    ids=["zero", "text", "too long", "number", "none", "novel", "unknown"],
)
def test_arguments_that_could_not_work_are_refused(arguments: tuple[object, ...], error: str) -> None:
    health = Health({"a": passes})
    with pytest.raises((TypeError, ValueError, KeyError), match=error):
        health.maintain(*arguments)  # type: ignore[arg-type]
