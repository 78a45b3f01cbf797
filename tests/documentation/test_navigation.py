"""A reader gets from README.md and docs/index.md to every page."""

import re

from .blocks import FENCED, ROOT

CODE = re.compile(r"`[^`\n]*`")
DEFINITION = re.compile(r"^\[([^\]]+)\]: \S+$", re.MULTILINE)


def test_the_index_links_to_each_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", index))
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages - {"index.md"} <= linked


def test_each_reference_of_the_readme_is_defined_and_each_definition_is_used() -> None:
    text = CODE.sub("``", FENCED.sub("", (ROOT / "README.md").read_text()))
    # [text][label], and [label] alone where it is no part of [text](target)
    used = re.findall(r"\[([^\[\]]+)\](?![\[(])", DEFINITION.sub("", text))
    assert {" ".join(label.lower().split()) for label in used} == set(DEFINITION.findall(text))
