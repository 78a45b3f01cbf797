"""A file system whose server is gone."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def hanging(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A file system on which `path` is not found out before the block ends. The event: somebody waits for it."""
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
