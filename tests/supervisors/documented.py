"""The configurations and commands of docs/how-to/platforms/supervisors.md, and the line of compose.md for Docker."""

import json
import re
from pathlib import Path

from ..documentation.blocks import blocks
from .shop import OWN


def printed(path: str) -> str:
    """Return the block that says in a comment which file it is."""
    found = [block for kind in ("ini", "sh", "text") for block in blocks(kind, "how-to/platforms/supervisors.md")]
    (block,) = [block for block in found if f"# {path}\n" in block]
    return block


def docker_command() -> list[str]:
    """Return what Docker runs to see whether a container with an app on a unix socket is healthy."""
    (block,) = blocks("dockerfile", "how-to/platforms/compose.md")
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\bunix:.*\])$", block, re.MULTILINE)
    words: list[str] = json.loads(command)
    return words


def moved(text: str, folder: Path) -> str:
    """Return the same for an app in another folder than those of docs/how-to/platforms/supervisors.md."""
    return (
        text.replace("/run/app.sock", f"{folder}/{OWN}")
        .replace("/run/app", str(folder))
        .replace("/srv/app", str(folder))
    )
