"""The pages name tests as evidence: each of these exists."""

import ast
import re
from pathlib import Path

import pytest

from .blocks import PAGES, ROOT, TESTS

NAMED = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
NO_TEST = re.compile(r"\bNo\s+test\b")
FACT = re.compile(r"^- (?:.*\n)(?: {2}.*\n)*", re.MULTILINE)


def definitions_in(file: Path) -> set[str]:
    """Return the names of the functions and classes of `file`."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }


def missing(text: str) -> list[str]:
    """Return the tests, and files and folders of tests, that `text` names and that do not exist."""
    below_the_title = ", ".join(TESTS.findall(text))
    listed = below_the_title.split(", ") if below_the_title else []
    return [name for name in listed if not name.startswith("tests/") or not (ROOT / name).exists()] + [
        match[0]
        for match in NAMED.finditer(text)
        if not (ROOT / match[1]).is_file() or (match[2] and match[2] not in definitions_in(ROOT / match[1]))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_test_that_a_page_names_exists(page: Path) -> None:
    assert missing(page.read_text()) == []


def test_a_file_or_folder_below_a_title_that_does_not_exist_is_found() -> None:
    assert missing("# Title\n<!-- tests: tests/board, tests/gone, docs -->\n") == ["tests/gone", "docs"]


def test_a_test_that_does_not_exist_is_found() -> None:
    here = "tests/documentation/test_named_tests.py"
    text = f"{here}::test_each_test_that_a_page_names_exists {here}::test_gone tests/test_gone.py"
    assert missing(text) == [f"{here}::test_gone", "tests/test_gone.py"]


def test_each_fact_about_a_server_names_its_test_or_says_that_it_has_none() -> None:
    facts = FACT.findall((ROOT / "docs" / "reference/servers.md").read_text())
    assert len(facts) > 50
    assert [fact for fact in facts if "Test: `tests/" not in fact and not NO_TEST.search(fact)] == []


def test_a_fact_without_a_test_names_at_most_a_related_one_and_no_other_fact_does() -> None:
    facts = FACT.findall((ROOT / "docs" / "reference/servers.md").read_text())
    untested = [fact for fact in facts if NO_TEST.search(fact)]
    assert [fact for fact in untested if "Test: `tests/" in fact] == []
    assert [fact for fact in facts if "Related test: `tests/" in fact] == [
        fact for fact in untested if "`tests/" in fact
    ]
