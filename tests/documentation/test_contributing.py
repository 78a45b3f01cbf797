"""CONTRIBUTING.md describes the repository as it is."""

import re

from .blocks import ROOT, blocks

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
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


def test_each_file_that_a_command_names_exists() -> None:
    paths = re.findall(r"(?<= )(?:tests|\.ci)/[\w./]+", "\n".join(COMMANDS))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
