"""How a ready-made check is called, as its source says it: a signature at run time has lost the names of aliases."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def signature(function: Callable[..., Any]) -> str:
    """Return ``name(argument: Kind, *, option: Kind = default) -> Kind`` of a function or a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    made = _maker(tree) if isinstance(tree, ast.ClassDef) else tree
    assert isinstance(made, ast.FunctionDef)
    defaults = [None] * (len(made.args.args) - len(made.args.defaults)) + [*made.args.defaults]
    arguments = [_argument(*each) for each in zip(made.args.args, defaults, strict=True) if each[0].arg != "self"]
    if made.args.kwonlyargs:
        arguments.append("*")
    arguments += [_argument(*each) for each in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)]
    returns = "" if made is not tree else f" -> {_kind(made.returns)}"
    return f"{function.__name__}({', '.join(arguments)}){returns}"


def _maker(tree: ast.ClassDef) -> ast.stmt:
    return next(each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = f"{argument.arg}: {_kind(argument.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _kind(annotation: ast.expr | None) -> str:
    """Return an annotation, without the quotes around what is imported for type checkers alone."""
    assert annotation is not None
    quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return ast.literal_eval(annotation) if quoted else ast.unparse(annotation)
