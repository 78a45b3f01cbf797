"""The filter of `quiet=True` on records of each server's form, and when it is attached.

tests/servers/test_access_log.py has the records that servers really write.
"""

import asyncio
import logging
import logging.config
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from asgi_health import Drain, HealthMiddleware, Paths, bearer_token
from asgi_health.asgi import access_log
from asgi_health.asgi.access_log import LOGGERS, MAX_BAD_CHECKS, AccessLogFilter
from asgi_health.testing import lifespan

from ..apps import plain_app
from ..servers.process import ROOT
from ..support.asgi_caller import echo_nothing

PROBES = ("/readyz", "/livez")
Log = Callable[..., bool]


def uvicorn(path: str, status: object) -> logging.LogRecord:
    args = ("[::1]:5000", "GET", path, "1.1", status)
    return logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', args, None)


def hypercorn(path: str, status: object) -> logging.LogRecord:
    return _mapping("hypercorn.access", {"U": path, "s": str(status)})


def gunicorn(path: str, status: object) -> logging.LogRecord:
    return _mapping("gunicorn.access", {"U": path, "s": status})


def granian(path: str, status: object) -> logging.LogRecord:
    return _mapping("granian.access", {"path": path, "status": status})


def _mapping(name: str, values: dict[str, object]) -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, "", 0, "%(U)s", (values,), None)


SERVERS = pytest.mark.parametrize("server", [uvicorn, hypercorn, gunicorn, granian], ids=lambda each: each.__name__)


def make(
    paths: tuple[str, ...] = PROBES, checks: tuple[str, ...] = (), logged: tuple[str, ...] = ()
) -> AccessLogFilter:
    made = AccessLogFilter()
    made.cover(paths, checks, logged)
    return made


@SERVERS
def test_good_probes_go_and_bad_ones_and_the_recovery_stay(server: Callable[..., logging.LogRecord]) -> None:
    made = make()
    statuses = (200, 200, 503, 503, 200, 200, 405, 200, 404, 200, 200)
    kept = [made.filter(server("/readyz", status)) for status in statuses]
    assert kept == [False, False, True, True, True, False, True, True, True, True, False]


@SERVERS
def test_a_bad_answer_of_one_probe_leaves_the_others_quiet(server: Callable[..., logging.LogRecord]) -> None:
    made = make()
    assert made.filter(server("/readyz", 503))
    assert not made.filter(server("/livez", 200))
    assert made.filter(server("/readyz/", 200))  # the same path


@SERVERS
@pytest.mark.parametrize(
    "path", ["/", "/orders", "/readyzz", "/a/readyz", "/readyz/db", "/readyz//", "/READYZ", "*", ""]
)
def test_other_paths_stay(server: Callable[..., logging.LogRecord], path: str) -> None:
    assert make().filter(server(path, 200))


@SERVERS
@pytest.mark.parametrize("status", [101, 204, 302, 304])
def test_answers_that_no_probe_gives_stay(server: Callable[..., logging.LogRecord], status: int) -> None:
    assert make().filter(server("/readyz", status))


def test_only_the_record_of_uvicorn_has_a_query() -> None:
    made = make()
    assert not made.filter(uvicorn("/readyz?verbose", 200))
    assert not made.filter(uvicorn("/readyz/?", 200))
    for server in (hypercorn, gunicorn, granian):
        assert made.filter(server("/readyz?verbose", 200))  # the path of the request was /readyz%3Fverbose


def test_a_path_that_uvicorn_quotes_is_found() -> None:
    made = make(("/probe:a é",))
    assert not made.filter(uvicorn("/probe%3Aa%20%C3%A9?x", 200))
    assert not made.filter(hypercorn("/probe:a é", 200))


def test_hypercorns_record_of_a_closed_connection_goes_and_changes_nothing() -> None:
    made = make(checks=("/readyz",), logged=("/readyz/drain",))
    statuses = (200, "-", 503, "-", 200, "-", 200)
    kept = [made.filter(hypercorn("/readyz", status)) for status in statuses]
    assert kept == [False, False, True, False, True, False, False]
    assert not made.filter(hypercorn("/readyz/db", "-"))
    assert made.filter(hypercorn("/readyz/drain", "-"))
    assert made.filter(hypercorn("/orders", "-"))
    assert made.filter(gunicorn("/readyz", "-"))


@SERVERS
def test_single_checks_are_quiet_and_a_drain_is_not(server: Callable[..., logging.LogRecord]) -> None:
    made = make(checks=("/readyz",), logged=("/readyz/drain",))
    kept = [made.filter(server("/readyz/db", status)) for status in (200, 503, 200, 200)]
    assert kept == [False, True, True, False]
    assert made.filter(server("/readyz/drain", 200))
    assert made.filter(server("/readyz/drain/", 200))
    assert made.filter(server("/readyz/db/x", 200))
    assert made.filter(server("/livez/db", 200))


def test_paths_that_strangers_choose_are_not_remembered() -> None:
    made = make(checks=("/readyz",))
    for number in range(MAX_BAD_CHECKS + 10):
        assert made.filter(uvicorn(f"/readyz/{number}", 404))
        assert not made.filter(uvicorn(f"/readyz/{number}", 200))
    for number in range(MAX_BAD_CHECKS + 10):
        assert made.filter(uvicorn(f"/readyz/{number}", 503))
    assert made.filter(uvicorn("/readyz", 503))
    assert made.filter(uvicorn("/readyz", 200))
    recovered = [made.filter(uvicorn(f"/readyz/{number}", 200)) for number in range(MAX_BAD_CHECKS + 10)]
    assert sum(recovered) <= MAX_BAD_CHECKS


class Raising:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("name", LOGGERS)
@pytest.mark.parametrize(
    "args",
    [
        None,
        (),
        ("/readyz",),
        ({},),
        ({"U": "/readyz"},),
        ({"path": "/readyz"},),
        ({"U": "/readyz", "s": "?", "path": "/readyz", "status": "-"},),
        ({"U": None, "s": 200, "path": None, "status": 200},),
        ({"U": b"/readyz", "s": 200, "path": b"/readyz", "status": 200},),
        ("client", "GET", "/readyz", "1.1", None),
        ("client", "GET", "/readyz", "1.1"),
        ("client", "GET", 5, "1.1", 200),
        ("client", "GET", Raising(), "1.1", 200),
    ],
)
def test_a_record_of_another_form_stays(name: str, args: Any) -> None:
    assert make().filter(logging.LogRecord(name, logging.INFO, "", 0, "started", args, None))


def test_without_paths_every_record_stays() -> None:
    assert AccessLogFilter().filter(uvicorn("/readyz", 200))


# What follows is about the loggers of the process.


@pytest.fixture
def loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.Logger]]:
    """The access loggers, without filters before and after the test."""
    monkeypatch.setattr(access_log, "_FILTER", AccessLogFilter())
    found = [logging.getLogger(name) for name in LOGGERS]
    before = [list(logger.filters) for logger in found]
    for logger in found:
        logger.filters.clear()
    yield found
    for logger, filters in zip(found, before, strict=True):
        logger.filters[:] = filters


def request(app: Any, path: str, root: str = "") -> None:
    scope = {"type": "http", "method": "GET", "path": path, "root_path": root, "query_string": b"", "headers": []}

    async def send(message: object) -> None:
        """Take the answer."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(scope, receive, send))


def quiet(**options: Any) -> HealthMiddleware:
    return HealthMiddleware(echo_nothing, quiet=True, **options)


def stays(record: logging.LogRecord) -> bool:
    return bool(logging.getLogger(record.name).filter(record))


@pytest.mark.parametrize("value", [None, 1, 0, "yes", ("/readyz",)])
def test_quiet_must_be_a_boolean(value: object) -> None:
    with pytest.raises(TypeError, match="quiet must be of type bool"):
        HealthMiddleware(echo_nothing, quiet=cast("Any", value))


def test_many_layers_attach_one_filter(loggers: list[logging.Logger]) -> None:
    for number in range(5):
        app = quiet(paths=Paths(ready=f"/ready{number}"))
        request(app, f"/ready{number}")
        request(app, f"/ready{number}")
    assert [len(logger.filters) for logger in loggers] == [1, 1, 1, 1]
    assert not any(stays(uvicorn(f"/ready{number}", 200)) for number in range(5))
    assert stays(uvicorn("/ready5", 200))


def test_a_layer_that_is_not_quiet_stays_in_the_log(loggers: list[logging.Logger]) -> None:
    request(quiet(paths=Paths(ready="/ready")), "/ready")
    request(HealthMiddleware(echo_nothing, paths=Paths(ready="/loud")), "/loud")
    assert not stays(uvicorn("/ready", 200))
    assert stays(uvicorn("/loud", 200))


def test_a_mounted_app_is_quiet_below_its_mount_alone(loggers: list[logging.Logger]) -> None:
    request(quiet(), "/sub/readyz", "/sub")
    assert not stays(uvicorn("/sub/readyz", 200))
    assert not stays(uvicorn("/sub/livez?x", 200))
    assert stays(uvicorn("/readyz", 200))
    assert stays(uvicorn("/other/readyz", 200))


def test_without_lifespan_the_first_request_makes_it_quiet() -> None:
    """With a drain the checks begin with it, and later probes do not come by the router."""
    program = """
import logging
from asgi_health import Drain
from tests.asgi.test_access_log import quiet, request, stays, uvicorn

app = quiet(drain=Drain())
print(stays(uvicorn("/readyz", 200)))
request(app, "/orders")
print(stays(uvicorn("/readyz", 200)))
"""
    # In a process of its own, because nothing ends the drain's thread without a lifespan.
    assert output_of(program) == "True\nFalse\n"


def test_any_number_of_mounts_is_bounded(loggers: list[logging.Logger]) -> None:
    app = quiet(paths=Paths(live=None, startup=None, health=None, ready="/readyz"))
    for number in range(3 * access_log.MAX_ROOTS):
        request(app, f"/tenant/{number}/readyz", f"/tenant/{number}")
    silent = sum(not stays(uvicorn(f"/tenant/{n}/readyz", 200)) for n in range(3 * access_log.MAX_ROOTS))
    assert silent == access_log.MAX_ROOTS


@pytest.mark.parametrize("details", [False, bearer_token("secret")])
def test_single_checks_are_quiet_where_they_are_answered(loggers: list[logging.Logger], details: Any) -> None:
    drain = Drain(path="/readyz/drain/", allow=True)
    paths = Paths(maintenance="/readyz/maintenance")
    app = HealthMiddleware(
        plain_app, details=details, drain=drain, paths=paths, allow_maintenance=bearer_token("secret"), quiet=True
    )

    async def start() -> None:
        async with lifespan(app):
            """The start is enough."""

    asyncio.run(start())
    assert stays(uvicorn("/readyz/database", 200)) == (details is False)  # without details the app answers it
    assert stays(uvicorn("/readyz/drain", 200))
    assert stays(uvicorn("/readyz/maintenance", 200))


@pytest.mark.parametrize("configure", ["dictConfig", "fileConfig"])
def test_the_filter_survives_a_new_configuration(loggers: list[logging.Logger], configure: str, tmp_path: Any) -> None:
    before = [(logger.handlers[:], logger.level, logger.propagate, logger.disabled) for logger in loggers]
    request(quiet(), "/readyz")
    if configure == "dictConfig":
        names = {name: {"level": "INFO", "handlers": [], "filters": []} for name in LOGGERS}
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "loggers": names})
    else:
        file = tmp_path / "logging.ini"
        file.write_text(
            "[loggers]\nkeys=root,access\n[handlers]\nkeys=\n[formatters]\nkeys=\n"
            "[logger_root]\nhandlers=\n[logger_access]\nqualname=uvicorn.access\nlevel=INFO\nhandlers=\n"
        )
        root = logging.getLogger()
        handlers = root.handlers[:]
        logging.config.fileConfig(file, disable_existing_loggers=False)
        root.handlers[:] = handlers
    assert not stays(uvicorn("/readyz", 200))
    for logger, (handlers, level, propagate, disabled) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate, logger.disabled = handlers, propagate, disabled
        logger.setLevel(level)


def test_without_quiet_no_logger_is_touched_and_no_module_imported() -> None:
    program = """
import asyncio, logging, sys
from asgi_health import HealthMiddleware
from asgi_health.testing import lifespan, probe
from tests.apps import plain_app

async def main():
    app = HealthMiddleware(plain_app)
    async with lifespan(app):
        await probe(app, "/readyz")
        await probe(app, "/readyz?x")

asyncio.run(main())
names = [name for name in logging.root.manager.loggerDict if name.endswith("access")]
print(names, "asgi_health.asgi.access_log" in sys.modules)
"""
    assert output_of(program) == "[] False\n"


def output_of(program: str) -> str:
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
