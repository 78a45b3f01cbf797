"""CONTRIBUTING.md, and the pages for those who change the project, describe the repository as it is."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from .blocks import DOCS, ROOT, blocks

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
DECISIONS = [page for page in sorted((DOCS / "explanation/decisions").glob("*.md")) if page.stem != "index"]
PARTS = ["Context", "Decision", "Rejected", "Consequence"]
COMMANDS = "\n".join(blocks("console", "CONTRIBUTING.md")).splitlines()


def test_the_first_two_commands_are_the_test_command_of_the_gate() -> None:
    (printed,) = re.findall(
        r"^<!-- test-command -->\n```console\n(.*)\n```$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert " && ".join(COMMANDS[:2]) == printed


def test_the_table_of_the_tests_lists_every_folder() -> None:
    rows = "".join(re.findall(r"^\| (`tests/.*?) \|", PAGE, re.MULTILINE))
    listed = set(re.findall(r"`tests/(\w+)`", rows))
    assert listed == {folder.name for folder in (ROOT / "tests").iterdir() if (folder / "__init__.py").exists()}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "explanation/how-it-is-tested.md", "explanation/benchmarks.md"])
def test_each_file_and_module_that_a_command_names_exists(page: str) -> None:
    commands = "\n".join(blocks("console", page))
    paths = re.findall(r"(?<= )(?:tests|\.ci)/[\w./]+", commands)
    modules = re.findall(r"(?<= -m )benchmarks[\w.]*", commands)
    assert paths or modules
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [name for name in modules if find_spec(name) is None] == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_short_and_says_what_was_rejected_and_what_follows(page: Path) -> None:
    text = page.read_text()
    parts = re.findall(r"^\*\*(\w+)", text, re.MULTILINE)
    assert list(dict.fromkeys(parts)) in (PARTS, [*PARTS, "Evidence"])
    assert text.count("\n") <= 30
