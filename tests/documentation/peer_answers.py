"""Run the programs of docs/coming-from that use other libraries, and print what they answer, as JSON.

``python -m tests.documentation.peer_answers`` runs the programs of the libraries that are installed. It is a process of
its own, because these libraries keep registries, signal handlers and settings for the whole process. Time is virtual:
a check that hangs costs nothing.

Each program takes the function `database` from the reader. Here it passes, returns False, raises or never returns.
"""

import asyncio
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

from tests.support.virtual_time import clock_of, run_virtual

from .blocks import BLOCKS, DOCS

ERROR = "cannot reach postgresql://shop:hunter2@db-1/shop"
LONGEST = 300.0
"""Seconds after which a request counts as one without an answer."""
REQUESTS = 10
OUTAGE = 3600.0
PERIOD = 10.0
"""Seconds between two requests of a prober."""
FIRST_TIME = 1_700_000_000.0
"""Seconds since the epoch at which the virtual time begins."""

Answer = tuple[int, str]
Ask = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library that a page is about, or the route that most apps begin with."""

    distribution: str
    """The name of the distribution; that of the page where there is none."""
    path: str
    """The path that is asked, with its query."""
    major: str = ""
    """The major version that its program needs, where the page has several."""

    @property
    def name(self) -> str:
        return f"{self.distribution} {self.major}".strip()

    @property
    def is_sync(self) -> bool:
        """Whether its checks are plain functions that run in the thread of the request."""
        return self.name in ("django-health-check 3", "py-healthcheck")

    @property
    def page(self) -> str:
        return f"coming-from/{self.distribution}.md"

    @property
    def installed(self) -> str:
        """The version that is installed, "" where it is none that the program runs with."""
        if self == HAND_WRITTEN:
            return version("fastapi")
        try:
            found = version(self.distribution)
        except PackageNotFoundError:
            return ""
        return found if found.partition(".")[0] == self.major or not self.major else ""

    @property
    def program(self) -> str:
        """The first program of the page that uses the library, in that major version."""
        module = {"django-health-check": "health_check", "py-healthcheck": "healthcheck"}.get(self.distribution)
        module = module or self.distribution.replace("-", "_")
        programs = [
            block.text
            for block in BLOCKS
            if block.page == self.page
            and (block.file == "before.py" or any(need.partition(".")[0] == module for need in block.needs))
            and block.file in ("", "before.py", f"urls_{self.major}.py")
        ]
        return programs[0]


HAND_WRITTEN = Peer("hand-written", "/healthz")
PEERS = (
    HAND_WRITTEN,
    Peer("fastapi-health", "/health"),
    Peer("fastapi-healthchecks", "/health/readiness"),
    Peer("fast-healthchecks", "/health/readiness"),
    Peer("fastapi-watch", "/health/ready"),
    Peer("probirka", "/readyz"),
    Peer("django-health-check", "/health/?format=json", "4"),
    Peer("django-health-check", "/ht/?format=json", "3"),
    Peer("py-healthcheck", "/healthcheck"),
)


class Database:
    """The dependency of a program, asked by an async or by a plain function."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.runs = 0

    def ask(self) -> bool:
        self.runs += 1
        if self.state == "raises":
            raise ConnectionError(ERROR)
        if self.state == "never returns":
            threading.Event().wait()
        if self.state == "is slow":
            threading.Event().wait(0.1)
        return self.state in ("passes", "is slow")

    async def ask_async(self) -> bool:
        if self.state == "never returns":
            await asyncio.Event().wait()
        if self.state == "is slow":
            await asyncio.sleep(1.0)
        return self.ask()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a peer answered. A pair is a status and a body; None is no answer."""

    version: str
    passes: Answer
    returns_false: Answer
    raises: Answer
    hangs: int | None
    """The status while the check never returns; None where there is no answer in time."""
    hangs_for: float
    """Seconds until that answer."""
    fails_after: float
    """Seconds from the moment the dependency breaks until a healthy app answers with a failure."""
    runs: int
    """Runs of the check that ten requests in a row cause."""
    runs_at_once: int
    """Runs of the check that ten requests at once cause."""
    passes_after: float
    """Seconds from the end of an outage of an hour until the app answers with a success."""


def app_of(peer: Peer, database: Database) -> Ask:
    """Run the program of a page, and return a function that asks its app."""
    name = "peer_program"
    module = sys.modules[name] = ModuleType(name)
    module.__dict__["database"] = plain(database) if peer.is_sync else coroutine(database)
    exec(compile(peer.program, peer.page, "exec", dont_inherit=True), module.__dict__)
    if peer.distribution == "django-health-check":
        return django_view(module, peer.path, is_sync=peer.is_sync)
    if peer.distribution == "py-healthcheck":
        return partial(in_a_thread, partial(flask_answer, module.__dict__["app"], peer.path))
    return partial(asgi_answer, module.__dict__["app"], peer.path)


def coroutine(source: Database) -> Callable[[], Awaitable[bool]]:
    """Return a function with the name that the programs use: libraries name a check after its function."""

    async def database() -> bool:
        return await source.ask_async()

    return database


def plain(source: Database) -> Callable[[], bool]:
    """Return a plain function with that name."""

    def database() -> bool:
        return source.ask()

    return database


async def asgi_answer(app: Any, path: str) -> Answer:
    """Return the answer of an ASGI app."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"shop.example")],
        "client": ("192.0.2.1", 50000),
        "server": ("192.0.2.2", 80),
    }
    try:
        await app(scope, receive, send)
    except ConnectionError:
        pass  # Starlette answers with 500, and raises the exception again for the log of the server.
    return messages[0]["status"], b"".join(each.get("body", b"") for each in messages[1:]).decode()


def django_view(module: ModuleType, path: str, *, is_sync: bool) -> Ask:
    """Return a function that asks the view of Django that a path leads to."""
    from django.test import Client, RequestFactory
    from django.urls import resolve

    async def ask() -> Answer:
        request = RequestFactory().get(path)
        response = await resolve(path.partition("?")[0], urlconf=module).func(request)
        return response.status_code, response.content.decode()

    def ask_plain() -> Answer:
        from django.conf import settings

        settings.ROOT_URLCONF = module.__name__
        response: Any = Client(raise_request_exception=False).get(path)
        return response.status_code, response.content.decode()

    return partial(in_a_thread, ask_plain) if is_sync else ask


def configure_django() -> None:
    """Give Django the settings that a project with the library has."""
    import django
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["health_check"],
        LOGGING_CONFIG=None,
        ROOT_URLCONF="peer_program",
        SECRET_KEY="x",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    )
    django.setup()


def flask_answer(app: Any, path: str) -> Answer:
    """Return the answer of an app of Flask."""
    response = app.test_client().get(path)
    return response.status_code, response.text


async def in_a_thread(ask: Callable[[], Answer]) -> Answer:
    """Return the answer of a plain function; wait as long as `LONGEST` of virtual time where it blocks."""
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), daemon=True)
    thread.start()
    thread.join(2.0)
    if not answers:
        await asyncio.sleep(LONGEST + 1)
    return answers[0]


async def until(ask: Ask, *, succeeds: bool) -> float:
    """Return the seconds until the app answers with a success, or with a failure."""
    began = asyncio.get_running_loop().time()
    while ((await ask())[0] < 300) is not succeeds:  # noqa: ASYNC110  as a prober does
        await asyncio.sleep(0.25)
    return asyncio.get_running_loop().time() - began


def measure(peer: Peer) -> Seen:
    """Ask the program of a peer with each database."""

    async def once(state: str) -> tuple[Answer | None, float]:
        ask = app_of(peer, Database(state))
        began = asyncio.get_running_loop().time()
        try:
            answer = await asyncio.wait_for(ask(), LONGEST)
        except TimeoutError:
            answer = None
        return answer, asyncio.get_running_loop().time() - began

    async def breaks() -> tuple[float, int, float]:
        database = Database("passes")
        ask = app_of(peer, database)
        for _ in range(REQUESTS):
            status, _body = await ask()
            assert status < 300, status
        runs, database.state = database.runs, "returns False"
        fails_after = await until(ask, succeeds=False)
        for _ in range(round(OUTAGE / PERIOD)):
            await asyncio.sleep(PERIOD)
            await ask()
        database.state = "passes"
        return fails_after, runs, await until(ask, succeeds=True)

    async def at_once() -> int:
        database = Database("is slow")
        ask = app_of(peer, database)
        if peer.is_sync:
            threads = [threading.Thread(target=asyncio.run, args=[ask()]) for _ in range(REQUESTS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        else:
            await asyncio.gather(*(ask() for _ in range(REQUESTS)))
        return database.runs

    def run(state: str) -> tuple[Answer | None, float]:
        return run_virtual("asyncio", partial(once, state))

    found = [run(state)[0] for state in ("passes", "returns False", "raises")]
    passes, returns_false, raises = (each for each in found if each is not None)
    hangs, hangs_for = run("never returns")
    fails_after, runs, passes_after = run_virtual("asyncio", breaks)
    return Seen(
        peer.installed,
        passes,
        returns_false,
        raises,
        None if hangs is None else int(hangs[0]),
        hangs_for,
        fails_after,
        runs,
        run_virtual("asyncio", at_once),
        passes_after,
    )


def main() -> None:
    """Print what each installed peer answers."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    # Caches keep their results by these clocks. The libraries are imported later, by their programs.
    time.monotonic = clock_of("asyncio")
    time.time = lambda: FIRST_TIME + clock_of("asyncio")()
    present = [peer for peer in PEERS if peer.installed and (DOCS / peer.page).exists()]
    if any(peer.distribution == "django-health-check" for peer in present):
        configure_django()
    print(json.dumps({peer.name: asdict(measure(peer)) for peer in present}), flush=True)
    os._exit(0)  # Threads of checks that never return are still there.


if __name__ == "__main__":
    main()
