"""docs/coming-from: its tables say what other libraries answer, and what asgi-health answers instead."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from asgi_health import Check, Health, HealthMiddleware, Paths, ServiceInfo
from asgi_health.testing import lifespan, probe
from tests.support.virtual_time import clock_of, run_virtual

from .blocks import DOCS, FENCED, ROOT, blocks
from .peer_answers import OUTAGE, PEERS, REQUESTS, Database, Peer

FOLDER = DOCS / "coming-from"
INDEX = (FOLDER / "index.md").read_text()
ROWS = (
    "passes",
    "returns `False`",
    "raises",
    "never returns, from the start",
    "breaks in a healthy app",
    "works again after an hour",
    f"is needed by {REQUESTS} requests in a row",
    f"is needed by {REQUESTS} requests at once",
    "raises an error with a password",
)
"""What the check does in a table of answers, which has a column for each library."""
SHORT = 40
"""Characters of a body that a table shows."""
PARTS = (
    "Before and after",
    "What a probe gets",
    "Names",
    "What changes for probes and dashboards",
    "What is missing here",
    "Move without downtime",
)
NAMES_OF_OTHERS = {"asgi_health_check_up", "add_openapi"}
LIMITS = 50, 130
"""Lines of a page."""
HOST, PASSWORD = "db-1", "hunter2"


def table_of(page: str) -> dict[str, list[str]]:
    """Return the table of answers of a page: its columns by their headings."""
    text = (DOCS / page).read_text()
    (found,) = re.findall(r"^\| when the check \|.*\n\|[-|]+\|\n(?:\|.*\n)+", text, re.MULTILINE)
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found.splitlines()]
    del lines[1]
    return {column[0]: [*column[1:]] for column in zip(*lines, strict=True)}


def shown(status: int, body: str) -> str:
    """Return what a table shows of an answer."""
    return f"{status} `{body}`" if body and len(body) <= SHORT else str(status)


def disclosed(body: str) -> str:
    """Return what a body shows of an error, and of the check that raised it."""
    found = [
        word
        for word, text in {"the name": "database", "the error": HOST, "the password": PASSWORD}.items()
        if text in body.lower()
    ]
    return f"shows {', '.join(found)}" if found else "shows nothing"


def run(count: int) -> str:
    return "runs once" if count == 1 else f"runs {count} times"


def after(seconds: float) -> str:
    return f"after {round(seconds)} s" if seconds else "at once"


def column_of(seen: dict[str, Any]) -> list[str]:
    """Return the column of a table that says what was seen."""
    hangs = "no answer" if seen["hangs"] is None else f"{seen['hangs']} {after(seen['hangs_for'])}"
    return [
        shown(*seen["passes"]),
        shown(*seen["returns_false"]),
        shown(*seen["raises"]),
        hangs,
        f"{seen['returns_false'][0]} {after(seen['fails_after'])}",
        f"{seen['passes'][0]} {after(seen['passes_after'])}",
        run(seen["runs"]),
        run(seen["runs_at_once"]),
        disclosed(seen["raises"][1]),
    ]


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, Any]]:
    """What the programs of the pages answer, by the name of the peer."""
    command = [sys.executable, "-m", "tests.documentation.peer_answers"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100.0, check=False)
    assert done.returncode == 0, done.stderr
    answers: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return answers


@pytest.mark.processes
@pytest.mark.xdist_group("coming-from")
@pytest.mark.parametrize(
    "peer",
    [peer for peer in PEERS if peer.installed],  # a step of the gate installs all
    ids=lambda peer: peer.name,
)
def test_a_library_answers_as_the_table_of_its_page_says(peer: Peer, seen: dict[str, dict[str, Any]]) -> None:
    (column,) = (
        cells
        for heading, cells in table_of(peer.page).items()
        if heading.replace(" ", "-").startswith(f"{peer.distribution}{peer.major and f'-{peer.major}'}")
        and f"`{peer.path.partition('?')[0]}`" in heading
    )
    assert column == column_of(seen[peer.name])


def around(database: Database) -> HealthMiddleware:
    """Return an app on virtual time with a check of a database."""
    health = Health({"database": database.ask_async}, clock=clock_of("asyncio"))
    return HealthMiddleware(Starlette(), checks=health, slow_loop=0)


async def first_answer(state: str) -> tuple[int, str, float]:
    """Return the first answer of readiness, and the seconds that it took."""
    app = around(Database(state))
    async with lifespan(app):
        began = asyncio.get_running_loop().time()
        answer = await probe(app, "/health/ready")
        return answer.status, answer.body.decode(), asyncio.get_running_loop().time() - began


async def breaks() -> tuple[int, float, float]:
    """Return the runs that twenty requests cause, the seconds until a 503, and those until a 200 after an outage."""
    database = Database("passes")
    app = around(database)
    async with lifespan(app):
        assert (await probe(app, "/health/ready")).status == 200
        runs = database.runs
        for _ in range(REQUESTS):
            await probe(app, "/health/ready")
        async with anyio.create_task_group() as group:
            for _ in range(REQUESTS):
                group.start_soon(probe, app, "/health/ready")
        runs, database.state = database.runs - runs, "returns False"
        fails_after = await until(app, 503)
        await asyncio.sleep(OUTAGE)
        database.state = "passes"
        return runs, fails_after, await until(app, 200)


async def until(app: HealthMiddleware, status: int) -> float:
    """Return the seconds until readiness answers with a status."""
    began = asyncio.get_running_loop().time()
    while (await probe(app, "/health/ready")).status != status:  # noqa: ASYNC110  as a prober does
        await asyncio.sleep(0.1)
    return asyncio.get_running_loop().time() - began


def virtual(main: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
    return run_virtual("asyncio", partial(main, *arguments))


@pytest.fixture(scope="module")
def ours() -> list[str]:
    """The column of asgi-health."""
    passes, returns_false, raises = (virtual(first_answer, state) for state in ("passes", "returns False", "raises"))
    hangs, _, hangs_for = virtual(first_answer, "never returns")
    runs, fails_after, passes_after = virtual(breaks)
    # An interval of 10 s and two retries a second apart, each give or take a tenth; asked each 0.1 s.
    assert 10.8 <= fails_after <= 13.4
    assert passes_after <= 11.2
    return [
        shown(*passes[:2]),
        shown(*returns_false[:2]),
        shown(*raises[:2]),
        f"{hangs} {after(hangs_for)}",
        "503 after 11 to 13 s",
        "200 within 11 s",
        run(runs),
        run(runs),
        disclosed(raises[1]),
    ]


@pytest.mark.parametrize("page", sorted({peer.page for peer in PEERS}))
def test_asgi_health_answers_as_the_last_column_of_each_table_says(page: str, ours: list[str]) -> None:
    table = table_of(page)
    rows, (heading, column) = next(iter(table.values())), [*table.items()][-1]
    assert rows == [*ROWS]
    assert heading == "asgi-health: `/health/ready`"
    assert column == ours


@pytest.mark.processes
@pytest.mark.xdist_group("coming-from")
def test_the_table_of_the_index_says_what_the_libraries_do(seen: dict[str, dict[str, Any]]) -> None:
    rows = re.findall(r"^\| \[[^\]]+\]\(([\w-]+)\.md\)(?: (\d)[\d.]*)? \| (.+) \|$", INDEX, re.MULTILINE)
    cells = {
        f"{page} {major}" if page == "django-health-check" else page: row.split(" | ") for page, major, row in rows
    }
    for name, answers in seen.items():
        _, cache, timeout, _, _, details, _, _ = cells[name]
        assert (answers["runs"] == REQUESTS) is (cache == "none"), name
        assert details.startswith("open") is ("database" in answers["passes"][1].lower()), name
        assert details.endswith("with errors") is (HOST in answers["raises"][1]), name
        if answers["hangs"] is None:
            assert timeout == "none" or "for your own checks" in timeout or timeout.startswith("if set"), name
        else:
            assert timeout in (f"{answers['hangs_for']:g} s", "if set"), name


async def old_body_of(program: str, state: str) -> tuple[int, Any]:
    """Return what a route with the old body answers."""
    names: dict[str, Any] = {"database": Database(state).ask_async, "__name__": __name__}
    exec(compile(program, "index.md", "exec", dont_inherit=True), names)
    async with lifespan(names["app"]):
        assert (await probe(names["app"], "/readyz")).status == (200 if state == "passes" else 503)
        answer = await probe(names["app"], "/health")
        names["health"].drain()
        assert (await probe(names["app"], "/health")).status == 503
        return answer.status, json.loads(answer.body)


def test_the_route_with_the_old_body_answers_from_the_state_and_follows_the_drain() -> None:
    (program,) = blocks("python", "coming-from/index.md")
    answers = [asyncio.run(old_body_of(program, state)) for state in ("passes", "returns False")]
    assert answers == [
        (200, {"healthy": True, "checks": [{"name": "database", "passed": True}]}),
        (503, {"healthy": False, "checks": [{"name": "database", "passed": False}]}),
    ]


@pytest.mark.parametrize(
    "page", sorted(each for each in FOLDER.glob("*.md") if each.name != "index.md"), ids=lambda page: page.stem
)
def test_a_page_has_the_parts_that_a_reader_compares(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert headings == [*PARTS]
    assert LIMITS[0] <= len(page.read_text().splitlines()) <= LIMITS[1]


def test_each_name_of_asgi_health_in_a_table_exists() -> None:
    checks = re.findall(r"^### `\w+\.(\w+)`$", (DOCS / "reference/checks.md").read_text(), re.MULTILINE)
    options = {*signature(Check).parameters, *signature(HealthMiddleware).parameters, *dir(Health), *dir(ServiceInfo)}
    known = {*checks, *options, *NAMES_OF_OTHERS}
    for page in FOLDER.glob("*.md"):
        section = page.read_text().partition("\n## Names\n")[2].partition("\n## ")[0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")]
        ours = rows[0].index("here") if rows else 0
        named = {name for row in rows[1:] for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)\b", row[ours])}
        assert named <= known, page.name


def test_each_paths_in_the_text_of_a_page_can_be_made() -> None:
    texts = [FENCED.sub("", page.read_text()) for page in FOLDER.glob("*.md")]
    found = [each for text in texts for each in re.findall(r"`[^`\n]*?(Paths\([^`.\n]+\))", text)]
    assert len(found) > 10
    for each in found:
        eval(each, {"Paths": Paths})
