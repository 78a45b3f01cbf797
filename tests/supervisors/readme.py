"""What README.md prints to be copied."""

import json
import re
from pathlib import Path

from ..servers.process import ROOT
from .shop import OWN

README = (ROOT / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def printed(path: str) -> str:
    """The block that says in a comment which file it is."""
    (block,) = [block for block in BLOCKS if f"# {path}\n" in block]
    return block


def docker_command() -> list[str]:
    """What Docker is told to run to learn whether a container with an app on a unix socket is healthy."""
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\bunix:.*\])$", README, re.MULTILINE)
    words: list[str] = json.loads(command)
    return words


def moved(text: str, folder: Path) -> str:
    """The same for an app in another folder than those of README.md."""
    return (
        text.replace("/run/app.sock", f"{folder}/{OWN}")
        .replace("/run/app", str(folder))
        .replace("/srv/app", str(folder))
    )
