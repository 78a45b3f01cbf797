"""`quiet=True` in the access logs that servers really write."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ..support.waiting import wait_until
from .apps import TOKEN
from .process import Running, started
from .servers import SERVERS, Server
from .test_answers import ROOTED

pytestmark = pytest.mark.timeout(120)

_OPTIONS = {
    "uvicorn": (),
    "hypercorn": ("--access-logfile", "-"),
    "granian": ("--access-log",),
    "gunicorn": ("--access-logfile", "-"),
    "daphne": ("--access-log", "-"),
}
LINE = re.compile(r'"([A-Z]+) (/[^ "]*)[^"]*" (\d{3})')
WITHOUT_STATUS = re.compile(r'"[A-Z]+ (/[^ "?]*)[^"]*" - ')
"""A line of hypercorn about a connection that the client closed before hypercorn noted the end of the answer."""

Line = tuple[str, str, int]


def logged(server: Server, *more: str) -> Server:
    """Return the server with its access log on standard output."""
    return replace(server, command=(*server.command, *_OPTIONS[server.command[0]], *more))


FILTERED = [logged(row) for row in SERVERS if row.name != "daphne"]
DAPHNE = [logged(row) for row in SERVERS if row.name == "daphne"]
ONE_OF_EACH = [row for row in FILTERED if row.name in ("uvicorn-h11-asyncio", "hypercorn-asyncio-worker")]
ONE_OF_EACH += [row for row in FILTERED if row.name.startswith(("granian-asyncio", "gunicorn"))]


def lines(log: str) -> Counter[Line]:
    """Count the lines of an access log, whose paths are without queries: some servers write them, and some do not."""
    return Counter(
        (method, path.partition("?")[0], int(status)) for method, path, status in LINE.findall(log) if path != BOOT
    )


BOOT = "/ordinary"  # of the requests that wait for the start


@dataclass
class Client:
    """Ask a server, and note which lines a quiet access log has of it."""

    running: Running
    expected: Counter[Line] = field(default_factory=Counter)
    bad: set[str] = field(default_factory=set)

    def ask(self, method: str, target: str, *headers: tuple[str, str], probe: bool = True) -> int:
        status = self.running.ask(method, target, *headers).status
        path = target.partition("?")[0]
        key = path.rstrip("/")
        if not probe or status >= 400 or key in self.bad:
            self.expected[method, path, status] += 1
        if status >= 400:
            self.bad.add(key)
        else:
            self.bad.discard(key)
        return status

    def wait_for_status(self, target: str, status: int) -> None:
        wait_until(lambda: self.ask("GET", target) == status, lambda: f"{target} is {status}\n{self.running.log}")

    def assert_logged(self) -> None:
        """Check the whole log after the exit, because some servers write a line after the answer."""
        end = self.running.stop()
        end.assert_quiet()
        assert lines(end.log) == self.expected, end.log


def ask_for_all(client: Client, root: str = "") -> None:
    """Ask in all spellings while the app is healthy, then break it and let it recover."""
    client.wait_for_status(f"{root}/readyz", 200)
    for target in ("/readyz", "/readyz/", "/readyz?x=%20y", "/livez", "/health", "/health/startup", "/healthz?verbose"):
        assert client.ask("GET", f"{root}{target}") == 200
        assert client.ask("HEAD", f"{root}{target}") == 200
    assert client.ask("GET", f"{root}/readyz/dependency", ("authorization", f"Bearer {TOKEN}")) == 200
    for target in ("/orders?id=1", "/readyzz", "/a/readyz", "/health/other", "/READYZ"):
        assert client.ask("GET", f"{root}{target}", probe=False) == 200
    client.running.folder.broken.touch()
    client.wait_for_status(f"{root}/readyz", 503)
    assert client.ask("GET", f"{root}/readyz") == 503
    assert client.ask("GET", f"{root}/livez") == 200
    client.running.folder.broken.unlink()
    client.wait_for_status(f"{root}/readyz", 200)
    assert client.ask("POST", f"{root}/livez") == 405
    assert client.ask("GET", f"{root}/readyz/unknown", probe=False) == 404
    for _ in range(3):
        assert client.ask("GET", f"{root}/readyz") == 200
        assert client.ask("GET", f"{root}/livez") == 200


@pytest.mark.parametrize("server", FILTERED, ids=str)
def test_only_bad_probes_and_the_recovery_are_logged(server: Server) -> None:
    with started(server, checks=("dependency",), quiet=True) as running:
        client = Client(running)
        ask_for_all(client)
        assert client.expected["GET", "/readyz", 200] >= 1
        client.assert_logged()


@pytest.mark.parametrize("server", [logged(row) for row in ROOTED if row.name != "daphne"], ids=str)
def test_probes_below_a_root_path_are_not_logged(server: Server) -> None:
    with started(server, checks=("dependency",), quiet=True) as running:
        client = Client(running)
        client.wait_for_status("/readyz", 200)
        for target in ("/readyz", "/readyz/?x", "/livez", "/health"):
            assert client.ask("GET", target) == 200
        assert client.ask("GET", "/orders", probe=False) == 200
        end = running.stop()
        # uvicorn writes the root path before the path.
        found = Counter({(m, p.removeprefix("/api"), s): n for (m, p, s), n in lines(end.log).items()})
        assert found - Counter({("GET", BOOT, 200): found["GET", BOOT, 200]}) == client.expected, end.log


@pytest.mark.parametrize(
    "server",
    [
        logged(row, "--workers", "2")
        for row in SERVERS
        if row.name
        in {
            "uvicorn-httptools-uvloop",
            "hypercorn-asyncio",
            "hypercorn-trio",
            "granian-asyncio",
            "gunicorn-asgi",
            "gunicorn-uvicorn-worker",
        }
    ],
    ids=str,
)
def test_no_worker_logs_good_probes(server: Server) -> None:
    with started(server, checks=("dependency", "process"), quiet=True) as running:
        workers: set[int] = set()

        def both_answer() -> bool:
            answer = running.ask("GET", "/readyz?verbose", ("authorization", f"Bearer {TOKEN}"))
            checks = json.loads(answer.body).get("checks", {})
            workers.update(each["observedValue"] for each in checks.get("process:pid", ()))
            return len(workers) == 2

        wait_until(both_answer, lambda: f"two workers answer\n{running.log}")
        for _ in range(20):
            assert running.status("/readyz") == 200
            assert running.status("/orders") == 200
        log = running.stop().log
        found = lines(log)
        assert found["GET", "/orders", 200] == 20
        assert set(WITHOUT_STATUS.findall(log)) <= {"/orders", BOOT}, log
        # A worker may have answered 503 right after its start.
        assert found["GET", "/readyz", 200] <= min(2, found["GET", "/readyz", 503]), log


@pytest.mark.parametrize(
    ("server", "setup"),
    [
        (row, setup)
        for row in ONE_OF_EACH
        for setup, names in (
            ("dict_config", ("uvicorn", "hypercorn", "granian", "gunicorn")),
            # They replace handlers, which the filter of a logger does not depend on.
            ("structlog", ("uvicorn", "gunicorn-asgi")),
            ("loguru", ("hypercorn", "granian")),
        )
        if row.name.startswith(names)
    ],
    ids=str,
)
def test_a_configuration_of_logging_after_the_import_keeps_the_log_quiet(server: Server, setup: str) -> None:
    with started(server, checks=("dependency",), quiet=True, logging=setup) as running:
        client = Client(running)
        ask_for_all(client)
        marks = {"dict_config": "APP", "structlog": "event=", "loguru": "LOGURU"}
        wait_until(lambda: marks[setup] in running.log, lambda: running.log)
        end = running.stop()
        found = lines(end.log.replace("\\", ""))
        assert found == client.expected, end.log


@pytest.mark.parametrize(
    ("server", "option"),
    [
        (row, option)
        for row in ONE_OF_EACH
        for start, option in (
            ("uvicorn", "--log-config={file}"),
            ("hypercorn", "--log-config=json:{file}"),
            ("granian", "--log-config={file}"),
            ("gunicorn", "--log-config-json={file}"),
        )
        if row.name.startswith(start)
    ],
    ids=str,
)
def test_a_configuration_of_the_server_keeps_the_log_quiet(server: Server, option: str, tmp_path: Path) -> None:
    names = [f"{name}.access" for name in ("uvicorn", "hypercorn", "granian", "gunicorn")]
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"custom": {"format": "CUSTOM %(message)s"}},
        "handlers": {"custom": {"class": "logging.StreamHandler", "formatter": "custom", "stream": "ext://sys.stdout"}},
        "root": {"handlers": ["custom"], "level": "WARNING"},
        "loggers": {name: {"handlers": ["custom"], "level": "INFO", "propagate": False} for name in names},
    }
    file = tmp_path / "logging.json"
    file.write_text(json.dumps(config))
    configured = replace(server, command=(*server.command, option.format(file=file)))
    with started(configured, checks=("dependency",), quiet=True) as running:
        client = Client(running)
        ask_for_all(client)
        end = running.stop()
        assert lines(end.log) == client.expected, end.log
        assert "CUSTOM" in end.log


@pytest.mark.parametrize("server", [*ONE_OF_EACH, *DAPHNE], ids=str)
def test_each_probe_is_logged_without_quiet_and_always_by_daphne(server: Server) -> None:
    with started(server, checks=("dependency",), quiet=server.name == "daphne") as running:
        running.wait_for_status("/readyz", 200)
        for _ in range(5):
            assert running.status("/livez") == 200
        assert lines(running.stop().log)["GET", "/livez", 200] == 5
