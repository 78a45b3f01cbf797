"""A file system whose server is gone: calls for a path on it do not return."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def hanging(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Make `os.stat(path)` hang until the end of the block. The event is set when a thread waits for it."""
    hung, released = threading.Event(), threading.Event()
    stat = os.stat

    def hang(asked: object, **more: object) -> os.stat_result:
        if asked == path:
            hung.set()
            assert released.wait(60.0)
        return stat(asked, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", hang)
        try:
            yield hung
        finally:
            released.set()
