"""The rows of the matrix: one for each way to reach a technology.

Each module of this package has its rows in `ROWS`. They are found in the order of the modules' names.
"""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from .row import COLUMNS, Row

__all__ = ["COLUMNS", "ROWS", "Row"]

NOT_ON_EVERY_PYTHON = {"arq"}
"""Modules named after their driver. With Celery's redis, arq cannot be installed: see pyproject.toml."""


def _found() -> tuple[Row, ...]:
    names = [each.name for each in iter_modules(__path__) if each.name != "row"]
    installed = [name for name in names if name not in NOT_ON_EVERY_PYTHON or find_spec(name)]
    return tuple(row for name in installed for row in import_module(f"{__name__}.{name}").ROWS)


ROWS = _found()
