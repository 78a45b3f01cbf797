"""A reader gets from README.md and docs/index.md to every page."""

import re
from pathlib import Path

import pytest

from .blocks import DOCS, FENCED, PAGES, ROOT, name_of

CODE = re.compile(r"`[^`\n]*`")
DEFINITION = re.compile(r"^\[([^\]]+)\]: \S+$", re.MULTILINE)


@pytest.mark.parametrize("index", sorted(DOCS.rglob("index.md")), ids=name_of)
def test_an_index_links_to_each_page_of_its_folder_and_to_each_index_below(index: Path) -> None:
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", index.read_text()))
    pages = {*index.parent.glob("*.md"), *index.parent.glob("*/index.md")} - {index}
    assert {page.relative_to(index.parent).as_posix() for page in pages} <= linked


def test_each_folder_with_pages_has_an_index() -> None:
    folders = {page.parent for page in PAGES if page.is_relative_to(DOCS)}
    assert folders == {index.parent for index in DOCS.rglob("index.md")}


def test_each_reference_of_the_readme_is_defined_and_each_definition_is_used() -> None:
    text = CODE.sub("``", FENCED.sub("", (ROOT / "README.md").read_text()))
    # [text][label], and [label] alone where it is no part of [text](target)
    used = re.findall(r"\[([^\[\]]+)\](?![\[(])", DEFINITION.sub("", text))
    assert {" ".join(label.lower().split()) for label in used} == set(DEFINITION.findall(text))
