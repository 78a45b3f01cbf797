"""docs/reference/api shows each public name once, and its docstring explains every argument, field and member.

griffe reads the docstrings here as it does for the site.
"""

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any

import griffe
import pytest

from .blocks import DOCS, ROOT

PACKAGE = griffe.load("asgi_health", search_paths=[ROOT])
INTEGRATIONS = [each for each in PACKAGE["integrations"].modules.values() if not each.name.startswith("_")]
PUBLIC = [
    f"{module.path}.{name}"
    for module in (PACKAGE, PACKAGE["testing"], *INTEGRATIONS)
    for name in map(str, module.exports or ())
]
SHOWN = {
    page.name: re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    for page in (DOCS / "reference/api").glob("*.md")
}
OTHERS = [name for names in SHOWN.values() for name in names if name not in PUBLIC]
"""The types of fields of public classes."""

RETURNED = {
    "asgi_health.Subscription",
    "asgi_health.testing.BrokenCheck",
    "asgi_health.integrations.opentelemetry.Instrumentation",
}
"""Classes that a function returns: the pages leave out how they are made."""


def named(path: str) -> Any:
    """Return the class, function or other object of that path, as the site finds it."""
    found = PACKAGE[path.removeprefix("asgi_health.")]
    return found.final_target if isinstance(found, griffe.Alias) else found


def explained(shown: griffe.Object, *kinds: griffe.DocstringSectionKind) -> set[str]:
    """Return the names that sections of a docstring explain."""
    sections = shown.docstring.parse("google") if shown.docstring else []
    return {each.name.lstrip("*") for section in sections if section.kind in kinds for each in section.value}


def functions() -> Iterator[str]:
    """Yield the paths of the public functions, and of the public methods of the public classes."""
    for path in PUBLIC:
        shown = named(path)
        if shown.is_function and "pytest_plugin" not in path:  # a fixture has no arguments for its users
            yield path
        elif shown.is_class:
            yield from (f"{path}.{name}" for name in shown.functions if not name.startswith("_"))


def test_each_public_name_is_on_one_page() -> None:
    found = Counter(name for names in SHOWN.values() for name in names)
    assert {path: found[path] for path in PUBLIC if found[path] != 1} == {}
    assert len(PUBLIC) > 50
    assert all(module.exports for module in INTEGRATIONS)


def test_the_index_has_the_public_names_of_each_page() -> None:
    rows = re.findall(
        r"^\| \[[^\]]*\]\(([\w-]+\.md)\) \| (.*) \|$", (DOCS / "reference/api/index.md").read_text(), re.M
    )
    assert {page: re.findall(r"`(\w+)`", names) for page, names in rows} == {
        page: [name.rpartition(".")[2] for name in names if name in PUBLIC]
        for page, names in SHOWN.items()
        if page != "index.md"
    }


@pytest.mark.parametrize("path", [path for path in (*PUBLIC, *OTHERS) if named(path).is_class])
def test_every_argument_field_and_member_of_a_class_is_explained(path: str) -> None:
    shown = named(path)
    bases = {str(base) for base in shown.bases}
    parameters = {each.name for each in shown.parameters if each.name not in ("self", "_") and each.name[0] != "_"}
    if "dataclass" in shown.labels or "NamedTuple" in bases:
        fields = parameters or {name for name in shown.attributes if "property" not in shown.attributes[name].labels}
        assert explained(shown, griffe.DocstringSectionKind.attributes) == fields
    elif bases & {"Enum", "IntEnum"}:
        members = {name for name in shown.attributes if not name.startswith("_")}
        assert explained(shown, griffe.DocstringSectionKind.attributes) == members != set()
    elif path not in RETURNED:
        assert explained(shown, griffe.DocstringSectionKind.parameters) == parameters


@pytest.mark.parametrize("path", [*functions()])
def test_every_argument_of_a_function_is_named(path: str) -> None:
    shown = named(path)
    text = shown.docstring.value if shown.docstring else ""
    assert re.match(r"[A-Z]\w+ .*[.:]", text), "the first line is a sentence"
    names = explained(shown, griffe.DocstringSectionKind.parameters) | set(re.findall(r"`(\w+)`", text))
    assert {each.name for each in shown.parameters} - names <= {"self", "cls"}


@pytest.mark.parametrize("path", [*PUBLIC, *OTHERS, *functions()])
def test_every_duration_and_moment_says_that_it_is_in_seconds(path: str) -> None:
    shown = named(path)
    names = (griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes)
    sections = [each for each in shown.docstring.parse("google") if each.kind in names]
    floats = [each for section in sections for each in section.value if "float" in str(each.annotation)]
    assert [each.name for each in floats if "econds" not in each.description and each.name not in NUMBERS] == []


NUMBERS = {"quorum", "random", "otherwise"}
"""Arguments that are shares."""


@pytest.mark.parametrize("path", [*PUBLIC, *functions()])
def test_every_error_that_a_function_raises_by_itself_is_named(path: str) -> None:
    shown = named(path)
    made = [shown.members[name] for name in ("__init__", "__post_init__") if shown.is_class and name in shown.members]
    raised = {error for function in ([shown] if shown.is_function else made) for error in errors_of(function)}
    if path not in RETURNED:
        assert {error for error in raised if error not in shown.docstring.value} == set()


def errors_of(function: griffe.Function) -> Iterator[str]:
    """Yield the names of the errors that the body of a function raises, those of `require_type` included."""
    for node in ast.walk(ast.parse(textwrap.dedent("\n".join(function.lines)))):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(name))) if name.endswith("Error"):
                yield name
            case ast.Call(func=ast.Name("require_type")):
                yield "TypeError"
            case _:
                pass


@pytest.mark.parametrize("path", [*PUBLIC, *OTHERS])
def test_a_docstring_has_nothing_that_the_site_would_print_as_it_is(path: str) -> None:
    shown = named(path)
    assert shown.docstring is not None
    texts = [each.value for each in shown.docstring.parse("google") if each.kind is griffe.DocstringSectionKind.text]
    assert texts
    assert re.findall(r"::$|^\s*[A-Z]\w+:$|Raises [A-Z]\w+Error.*", "\n".join(texts), re.MULTILINE) == []
