"""What is printed where no log is configured, and that no line is printed twice where one is."""

import logging
import logging.config
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import anyio
import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.testing import lifespan, settled
from tests.apps import plain_app
from tests.documentation.blocks import blocks
from tests.support.waiting import wait_until

BAD = "check 'database' is unhealthy after 1 failed run: ConnectionError: refused"
LINE = re.compile(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}} WARNING asgi_health: {re.escape(BAD)}")
PROGRAM = """
{configuration}
from asgi_health import HealthMiddleware

async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({{"type": "lifespan.startup.complete"}})
    await receive()
    await send({{"type": "lifespan.shutdown.complete"}})

async def database():
    raise ConnectionError("refused")

app = HealthMiddleware(app, checks={{"database": database}})
"""


def lines_under_uvicorn(folder: Path, configuration: str) -> list[str]:
    """Return the lines about the failing check that a real server prints."""
    (folder / "served.py").write_text(PROGRAM.format(configuration=configuration))
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--port", "0", "served:app"], cwd=folder, stderr=output
        )
    try:

        def has_logged() -> bool:
            assert process.poll() is None, log.read_text()
            return BAD in log.read_text()

        wait_until(has_logged, log.read_text, 60.0)
        process.send_signal(signal.SIGTERM)
        process.wait(30.0)
    finally:
        process.kill()
        process.wait()
    return [line for line in log.read_text().splitlines() if BAD in line]


def test_under_a_bare_uvicorn_a_warning_has_its_time_and_level(tmp_path: Path) -> None:
    (line,) = lines_under_uvicorn(tmp_path, "")
    assert LINE.fullmatch(line)


def test_the_line_in_the_documentation_has_that_form() -> None:
    shown = BAD.replace("1 failed run:", "3 failed runs:")
    (line,) = [line for block in blocks("text", "how-to/logs.md") for line in block.splitlines() if shown in line]
    assert LINE.fullmatch(line.replace(shown, BAD))


def test_under_uvicorn_with_a_configured_log_only_that_log_has_the_line(tmp_path: Path) -> None:
    configuration = "import logging; logging.basicConfig(format='configured: %(message)s')"
    assert lines_under_uvicorn(tmp_path, configuration) == [f"configured: {BAD}"]


def root_by_basic_config() -> None:
    logging.basicConfig(format="configured: %(message)s")


def root_by_dict_config() -> None:
    configure({"root": {"handlers": ["stderr"]}})


def own_logger_by_dict_config() -> None:
    configure({"loggers": {"asgi_health": {"handlers": ["stderr"], "propagate": False}}})


def own_logger_that_propagates() -> None:
    configure({"loggers": {"asgi_health": {"handlers": ["stderr"]}}})


def configure(loggers: dict[str, object]) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"plain": {"format": "configured: %(message)s"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
            **loggers,
        }
    )


def null_handler() -> None:
    logging.getLogger("asgi_health").addHandler(logging.NullHandler())


def handler_for_errors_only() -> None:
    logging.getLogger().addHandler(logging.StreamHandler())
    logging.getLogger().handlers[-1].setLevel(logging.ERROR)


def no_last_resort() -> None:
    logging.lastResort = None


def disabled_logger() -> None:
    logging.getLogger("asgi_health").disabled = True


def no_stderr() -> None:
    sys.stderr = None


@contextmanager
def unconfigured() -> Iterator[None]:
    """Logging as in a new process. Not a fixture, because pytest adds its own handlers to each part of a test."""
    logger = logging.getLogger("asgi_health")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        patch.setattr(logger, "handlers", [])
        for name in ("disabled", "propagate", "level"):
            patch.setattr(logger, name, getattr(logger, name))
        patch.setattr(logging, "lastResort", logging.lastResort)
        patch.setattr(sys, "stderr", sys.stderr)
        yield


def lines_printed(
    capsys: pytest.CaptureFixture[str], configuration: Callable[[], None], *, first: bool, bare: bool = True
) -> list[str]:
    """Run an app with a failing check, whose log is configured `first` or afterwards; return the lines about it."""

    async def database() -> None:
        raise ConnectionError("refused")

    async def main() -> None:
        if first:
            configuration()
        health = Health([Check("database", database)])
        app = HealthMiddleware(plain_app, health)
        HealthMiddleware(plain_app)  # a second middleware adds no second line
        if not first:
            configuration()
        async with lifespan(app):
            await settled(health)

    with unconfigured() if bare else nullcontext():
        anyio.run(main)
    return [line for line in capsys.readouterr().err.splitlines() if BAD in line]


def test_without_any_handler_a_warning_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = lines_printed(capsys, lambda: None, first=True)
    assert LINE.fullmatch(line)


@pytest.mark.parametrize("first", [True, False], ids=["configured first", "configured afterwards"])
@pytest.mark.parametrize(
    "configuration",
    [root_by_basic_config, root_by_dict_config, own_logger_by_dict_config, own_logger_that_propagates],
)
def test_a_configured_log_has_the_record_once_and_no_other_line_is_printed(
    configuration: Callable[[], None], first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_printed(capsys, configuration, first=first) == [f"configured: {BAD}"]


@pytest.mark.parametrize("first", [True, False], ids=["chosen first", "chosen afterwards"])
@pytest.mark.parametrize("silence", [null_handler, handler_for_errors_only, no_last_resort, disabled_logger, no_stderr])
def test_a_silenced_log_prints_nothing(
    silence: Callable[[], None], first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_printed(capsys, silence, first=first) == []


def test_in_a_test_only_caplog_has_the_record(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_printed(capsys, lambda: None, first=True, bare=False) == []
    assert [record.getMessage() for record in caplog.records if BAD in record.getMessage()] == [BAD]
