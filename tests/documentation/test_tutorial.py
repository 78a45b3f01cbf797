"""A reader who follows the tutorial, command by command, sees what it shows."""

from itertools import pairwise
from pathlib import Path

import pytest

from .blocks import BLOCKS, DOCS, Block
from .terminals import Session, opened
from .transcript import steps

pytestmark = pytest.mark.processes

CHAPTERS = ["first-app", "check", "details", "rolling-restart", "metrics", "alert", "manifest"]
LASTING = {"python create_database.py"}
"""Commands whose effect later chapters need."""


def blocks_of(chapter: str) -> list[Block]:
    return [block for block in BLOCKS if block.page == f"tutorial/{chapter}.md"]


def leave_as_before(chapter: str, session: Session) -> None:
    """Make the folder what the earlier chapters have made of it."""
    for earlier in CHAPTERS[: CHAPTERS.index(chapter)]:
        for block in blocks_of(earlier):
            if block.file:
                session.write(block)
            for command, _ in steps(block.text):
                if command in LASTING:
                    assert session.execute(command) == ""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_command_of_a_chapter_prints_what_the_page_shows(chapter: str, tmp_path: Path) -> None:
    with opened(tmp_path) as session:
        leave_as_before(chapter, session)
        for block in blocks_of(chapter):
            session.run(block)


def test_each_page_of_the_tutorial_is_a_chapter_that_leads_to_the_next() -> None:
    pages = {page.stem for page in (DOCS / "tutorial").glob("*.md")} - {"index"}
    assert pages == {*CHAPTERS}
    for chapter, following in pairwise(CHAPTERS):
        (_, last) = (DOCS / "tutorial" / f"{chapter}.md").read_text().rsplit("\n## What you have\n", 1)
        assert f"({following}.md)" in last, chapter
