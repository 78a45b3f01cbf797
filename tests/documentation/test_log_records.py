"""docs/reference/log-records.md has each record of the code, with its level, and no other."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from .blocks import DOCS, ROOT, blocks

PAGE = (DOCS / "reference/log-records.md").read_text()
FIELDS = {
    name
    for names in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE.partition("## Changes")[0], re.MULTILINE)
    for name in re.findall(r"\w+", names)
}
LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR"}
MODULES = [each for each in sorted((ROOT / "asgi_health").rglob("*.py")) if "logg" in each.read_text()]


def records_of(module: Path) -> Iterator[tuple[str, str]]:
    """Yield level and format of each record that a module logs."""
    tree = ast.parse(module.read_text())
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for call in ast.walk(function):
            match call:
                case ast.Call(func=ast.Attribute(ast.Name("logger"), method), args=[text, *_]) if method in LEVELS:
                    level = LEVELS[method]
                case ast.Call(func=ast.Name("log_failure"), args=[ast.Name(level), text, *_]):
                    pass
                case _:
                    continue
            yield from ((level, each) for each in texts_of(text, function))


def texts_of(node: ast.expr, function: ast.AST) -> list[str]:
    """Return the strings that the argument of a call may be: itself, or what its function assigns to the name."""
    if isinstance(node, ast.Name):
        (node,) = (
            each.value
            for each in ast.walk(function)
            if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == node.id
        )
    if isinstance(node, ast.IfExp):
        return [*texts_of(node.body, function), *texts_of(node.orelse, function)]
    assert isinstance(node, ast.Constant), ast.unparse(node)
    return [str(node.value)]


def plain(text: str) -> str:
    """Return a text with one mark for each piece that differs."""
    return re.sub(r"%[-.\d]*[a-z]|<[^>]*>", "…", text).replace("\n", " ")


def test_the_page_lists_exactly_the_records_of_the_code() -> None:
    shown = re.findall(r"^\| ([A-Z]+) \| `([^`]+)` \|", PAGE, re.MULTILINE)
    logged = {(level, plain(text)) for module in MODULES for level, text in records_of(module)}
    assert len(logged) > 60
    # Those have only a variable text, which the page describes in a sentence.
    assert {(level, plain(text)) for level, text in shown} == {each for each in logged if re.search(r"\w", each[1])}
    assert len({*shown}) == len(shown)


def test_the_rows_of_changes_have_the_fields_of_real_records() -> None:
    rows = re.findall(r"^\| (\w+) \| `([^`]+)` \| ([\w, ]+) \|", PAGE, re.MULTILINE)
    (shown,) = blocks("json", "how-to/logs.md")  # test_logging.py compares them with the output of a program
    for record in map(json.loads, shown.splitlines()):
        level, message = record.pop("levelname"), record.pop("message")
        found = [
            fields.split(", ")
            for shown_level, text, fields in rows
            if shown_level == level and re.fullmatch(re.sub("…", ".*", re.escape(plain(text))), message)
        ]
        assert {*found[0]} == {*record}, message


def test_the_table_of_fields_has_the_fields_of_the_rows() -> None:
    rows = re.findall(r"^\| \w+ \| `[^`]+` \| ([\w, ]+) \|", PAGE.partition("## Start")[0], re.MULTILINE)
    assert {field for row in rows for field in row.split(", ")} == FIELDS
