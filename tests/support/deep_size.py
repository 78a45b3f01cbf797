"""Memory of an object with all that it refers to."""

import gc
import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType


def deep_size(thing: object) -> int:
    """Return the bytes of all objects that can be reached from `thing`, without code and its globals."""
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
