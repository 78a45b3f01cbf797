"""The style sheet, the script, and the headers that allow a browser these two and nothing else."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple


class Assets(NamedTuple):
    """What every page contains.

    Attributes:
        style: The style sheet.
        script: The script.
        headers: The headers of the page.
    """

    style: str
    script: str
    headers: tuple[tuple[bytes, bytes], ...]


@cache
def assets(more_style: str = "", more_script: str = "") -> Assets:
    """Return the style sheet, the script and the headers; read once. Each is followed by what a panel adds to it."""
    style, script = _read("style.css") + more_style, _read("script.js") + more_script
    allowed = (
        "default-src 'none'",
        f"style-src '{_hash(style)}'",
        f"script-src '{_hash(script)}'",
        "img-src data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    headers = (
        (b"content-security-policy", "; ".join(allowed).encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
    )
    return Assets(style, script, headers)


def _read(name: str) -> str:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8").strip()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
