"""docs/reference/notes.md has each note, cause and output of the code, and no other."""

import ast
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import get_args

import anyio
from starlette.applications import Starlette

from asgi_health import HealthMiddleware
from asgi_health.core.transition import Cause, Reason
from asgi_health.formats.answer import PHASE_NOTES
from asgi_health.testing import lifespan, probe, settled

from .blocks import DOCS, ROOT, blocks

PAGE = (DOCS / "reference/notes.md").read_text()
PACKAGE = ROOT / "asgi_health"


def column(heading: str) -> list[str]:
    """Return the texts in the first column of the tables below a heading."""
    section = re.split(r"^## ", PAGE.partition(f"\n## {heading}\n")[2], flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`[^|]*`) \| (?!the app \|)", section, re.MULTILINE)
    return [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]


def texts_of(module: str) -> Iterator[str]:
    """Yield the strings of a module, with one mark for each piece that differs."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.JoinedStr):
            yield plain("".join(str(each.value) if isinstance(each, ast.Constant) else "<>" for each in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def plain(text: str) -> str:
    return re.sub(r"(?:<[^>]*>)+", "…", text)


def test_each_public_note_is_explained_and_is_what_a_client_reads() -> None:
    assert sorted(column("Notes that every client reads")) == sorted(PHASE_NOTES)
    (shown,) = blocks("json", "reference/notes.md")
    assert anyio.run(answers) == set(shown.splitlines())


async def answers() -> set[str]:
    """Return the bodies of readiness while an app starts, fails, is in maintenance and drains."""
    found: set[str] = set()

    async def ask() -> None:
        found.add((await probe(app, "/readyz")).body.decode())

    @asynccontextmanager
    async def startup(_: object) -> AsyncIterator[None]:
        await ask()
        yield

    app = HealthMiddleware(Starlette(lifespan=startup), {"database": lambda: False})
    async with lifespan(app):
        await settled(app.health)
        await ask()
        app.health.maintain(None, 60.0)
        await ask()
        app.health.drain()
        await ask()
    return found


def test_each_cause_is_explained() -> None:
    assert column("Causes") == [*get_args(Cause)]
    assert {*get_args(Reason)} <= {*get_args(Cause)}


def test_each_note_of_the_details_is_explained() -> None:
    shown = {plain(text) for text in column("Notes in the details")}
    of_a_report = {each for each in texts_of("formats/notes.py") if "…" in each} - PARTS
    of_a_release = {each for each in texts_of("formats/service.py") if each.startswith(("commit …", "built …"))}
    of_workers = {*texts_of("formats/workers.py")}
    assert of_a_report | of_a_release <= shown
    assert shown - of_a_report - of_a_release - VERBS <= of_workers


PARTS = {"check …", "… time…"}
"""Parts of other notes."""

VERBS = {"… fails", "… fail", "… has a problem", "… have problems", "a check has no new result"}
"""Texts that are put together from several strings."""


def test_each_output_of_asgi_health_is_explained() -> None:
    modules = ["core/report.py", "core/runs.py", "core/result.py", "runtime/scheduler/executor.py"]
    written = {each for module in (*modules, "runtime/scheduler/never_awaited.py") for each in texts_of(module)}
    shown = {plain(text) for text in column("Outputs of a check")}
    assert len(shown) > 10
    assert shown <= written
