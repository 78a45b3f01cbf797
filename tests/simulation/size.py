"""How much memory a thing holds."""

import gc
import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType


def deep_size(thing: object) -> int:
    """Return the bytes of everything that can be reached from `thing`, code and its globals left aside."""
    seen: set[int] = set()
    waiting = [thing]
    total = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | MethodType | BuiltinFunctionType):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return total
