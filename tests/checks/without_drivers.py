"""A program without drivers: it makes checks where one driver is not installed, and prints what each of them raises.

Each is made in a process of its own, which has never imported the driver. It is forked, which is fast.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from inspect import Parameter, signature
from types import ModuleType
from typing import Any


class NotInstalled:
    """Hides one package, as if it were not installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def make(module: str, check: str, takes_client: bool, driver: str) -> str:
    """Return what that check raises when it is made without `driver`."""
    assert driver not in sys.modules
    sys.meta_path.insert(0, NotInstalled(driver))
    function: Any = getattr(import_module(module), check)
    required = [name for name, each in signature(function).parameters.items() if each.default is Parameter.empty]
    arguments: dict[str, Any] = dict.fromkeys(required, "/")
    if takes_client:
        arguments[required[0]] = lambda: None
    try:
        function(**arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def main() -> None:
    for module, check, takes_client, driver in json.load(sys.stdin):
        if os.fork() == 0:
            print(json.dumps([f"{module}.{check} {driver}", make(module, check, takes_client, driver)]), flush=True)
            os._exit(0)
        assert os.wait()[1] == 0


if __name__ == "__main__":
    main()
