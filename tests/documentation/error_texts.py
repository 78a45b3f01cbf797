"""The texts of errors and of failed checks in the source of asgi_health, with a mark where a value is inserted."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from pathlib import Path

from .blocks import ROOT

VALUE = "\0"
"""Stands where a text has a value that the source does not show."""

FAILS = {"unhealthy", "degraded", "fail", "Result"}
"""Functions whose arguments are texts of a failed check, or of a command that fails."""

MAX_DEPTH = 6
"""Functions and names through which one text is followed."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Text:
    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text.replace(VALUE, '{}')}"


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text())

    @cached_property
    def file(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, Function)}

    @cached_property
    def owners(self) -> dict[ast.AST, Function]:
        """The innermost function around each node."""
        found: dict[ast.AST, Function] = {}
        for function in ast.walk(self.tree):  # from the outside to the inside
            if isinstance(function, Function):
                found |= dict.fromkeys(ast.walk(function), function)
        return found


MODULES = [Module(path) for path in sorted((ROOT / "asgi_health").rglob("*.py"))]


@cache
def assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """Return what is assigned to each name in a function or a module."""
    found: dict[str, list[ast.expr]] = {}
    for node in scope.body if isinstance(scope, ast.Module) else ast.walk(scope):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


CONSTANTS = {
    name: values
    for module in MODULES
    for name, values in assigned(module.tree).items()
    if name.isupper() and all(isinstance(each, ast.Constant | ast.JoinedStr | ast.BinOp) for each in values)
}


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def texts_of(node: ast.expr, module: Module, owner: Function | None, depth: int = 0) -> list[str]:
    """Return the texts that an expression may be; only `VALUE` where it is not known."""
    if depth > MAX_DEPTH:
        return [VALUE]
    match node:
        case ast.Constant(value=str() | int() | float() as value):
            return [str(value)]
        case ast.JoinedStr():
            parts = [inserted(each, module, owner, depth) for each in node.values]
            return ["".join(each) for each in product(*parts)]
        case ast.BinOp(op=ast.Add()):
            sides = (texts_of(each, module, owner, depth) for each in (node.left, node.right))
            return ["".join(each) for each in product(*sides)]
        case ast.IfExp():
            return [text for each in (node.body, node.orelse) for text in texts_of(each, module, owner, depth + 1)]
        case ast.BoolOp():
            return [text for each in node.values for text in texts_of(each, module, owner, depth + 1)]
        case ast.Name():
            local = assigned(owner).get(node.id) if owner is not None else None
            values = local or CONSTANTS.get(node.id, [])
            return [text for each in values for text in texts_of(each, module, owner, depth + 1)] or [VALUE]
        case ast.Call():
            name = name_of(node.func)
            if name.endswith(("Error", "Listen", "Use")) and node.args:
                return texts_of(node.args[0], module, owner, depth + 1)
            return returned(name, module, depth) or [VALUE]
        case _:
            return [VALUE]


def inserted(part: ast.expr, module: Module, owner: Function | None, depth: int) -> list[str]:
    """Return what a part of an f-string may be. A name is followed where it holds a text of the source."""
    if isinstance(part, ast.FormattedValue):
        follow = isinstance(part.value, ast.Name) and part.conversion == -1 and part.format_spec is None
        found = texts_of(part.value, module, owner, depth + 1) if follow else [VALUE]
        return found if len(found) < 5 else [VALUE]
    return texts_of(part, module, owner, depth)


@cache
def returned(name: str, module: Module, depth: int) -> list[str]:
    if name not in module.functions:
        others = [each for each in MODULES if name in each.functions]
        if len(others) != 1:
            return []
        (module,) = others
    function = module.functions[name]
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    return [text for value in values for text in texts_of(value, module, function, depth + 1)]


def raised(module: Module) -> Iterator[tuple[int, list[str]]]:
    """Yield the texts of each error that is made, and of each check that fails, in a module."""
    for node in ast.walk(module.tree):
        owner = module.owners.get(node)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            made = [node.exc, *node.exc.args]
            yield node.lineno, [text for each in made for text in texts_of(each, module, owner)]
        elif isinstance(node, ast.Call):
            name = name_of(node.func)
            if name.endswith("Error") and name[0].isupper() and node.args:
                yield node.lineno, texts_of(node.args[0], module, owner)
            elif name in FAILS or ast.unparse(node.func) == "self.error":
                yield node.lineno, [text for each in node.args for text in texts_of(each, module, owner)]


ANSWERS = ("asgi_health/asgi/query.py", "asgi_health/asgi/details.py", "asgi_health/asgi/maintenance.py")
"""Modules that answer a request with 400 and a line for each problem, which begins with the name of an option."""

PROBLEM = re.compile(rf"(?:[a-z]+|{VALUE}): .*|the query has .*", re.DOTALL)


def answered(module: Module) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of the answers with 400 in a module."""
    nodes = list(ast.walk(module.tree))
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in nodes if isinstance(node, ast.JoinedStr)
    }
    documents = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in inside | documents:
            found = [each for each in texts_of(node, module, module.owners.get(node)) if PROBLEM.fullmatch(each)]
            if found:
                yield node.lineno, found


def is_sentence(text: str) -> bool:
    """Return whether the text says enough by itself to be found."""
    return " " in text.strip() and sum(map(str.isalpha, text)) > 7


def error_texts() -> set[Text]:
    """Return each text by which an error or a failed check can be found."""
    return {
        Text(module.file, line, text)
        for module in MODULES
        for line, found in (*raised(module), *(answered(module) if module.file in ANSWERS else ()))
        for text in found
        if is_sentence(text)
    }


def all_texts() -> set[str]:
    """Return every text in the source."""
    found: set[str] = set()
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Constant):
                found.update(texts_of(node, module, module.owners.get(node)))
    return found
