"""Write YAML with comments above the keys."""

import re
from collections.abc import Mapping
from io import StringIO
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from .numbers import Noted
from .remarks import wrapped

# Words that YAML 1.1, which Kubernetes reads, takes for booleans and for numbers to the base of 60. YAML 1.2 does not.
OLD_VALUE = re.compile(r"(?i:y|n|yes|no|on|off)|[0-9][0-9:]+")

Tree: TypeAlias = "Mapping[str, Tree] | list[Tree] | Noted[Tree] | str | float"


def dump(head: str, *documents: Tree) -> str:
    """Return the documents as YAML. A `Noted` in a mapping becomes its value, and its reason a comment above the key.

    Args:
        head: The comment at the top.
        documents: Mappings, lists, strings and numbers.
    """
    yaml: Any = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096  # a command stays in one line
    stream = StringIO()
    for number, document in enumerate(documents):
        if number:
            stream.write("---\n")
        yaml.dump(_commented(document, 0), stream)
    return head + stream.getvalue()


def _commented(value: Tree, indent: int) -> Any:
    if isinstance(value, Mapping):
        made: Any = CommentedMap()
        for name, each in value.items():
            key = _commented(name, indent)
            made[key] = _commented(each, indent + 2)
            if isinstance(each, Noted):
                made.yaml_set_comment_before_after_key(key, "\n".join(wrapped(each.why, indent)), indent)
        return made
    if isinstance(value, list):
        # The dash and the space before an item take two more columns.
        sequence: Any = CommentedSeq(_commented(each, indent + 2) for each in value)
        if all(isinstance(each, str) for each in value):
            sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, Noted):
        return _commented(value.value, indent)
    if isinstance(value, str) and OLD_VALUE.fullmatch(value):
        return SingleQuotedScalarString(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
