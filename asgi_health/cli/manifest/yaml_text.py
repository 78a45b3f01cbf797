"""Write YAML with comments above the keys."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from .numbers import Noted
from .remarks import comment, wrapped

Tree: TypeAlias = "Mapping[str, Tree] | list[Tree] | Noted[Tree] | str | float"


def dump(head: Sequence[str], *documents: Tree) -> str:
    """Return the documents as YAML. A `Noted` in a mapping becomes its value, and its reason a comment above the key.

    Args:
        head: Paragraphs of the comment at the top.
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
    return "#\n".join(map(comment, head)) + stream.getvalue()


def _commented(value: Tree, indent: int) -> Any:
    if isinstance(value, Mapping):
        made: Any = CommentedMap()
        for key, each in value.items():
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
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
