"""Checks that do one thing, whatever they are named in a test."""

from typing import Any

import anyio

from asgi_health import Check


class Counted:
    """Takes some time and counts how often it ran."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        if self.seconds:
            await anyio.sleep(self.seconds)


class Clings:
    """Swallows every cancellation, and all else that is raised in it, until it is released."""

    def __init__(self) -> None:
        self.runs = 0
        self.released = False

    async def __call__(self) -> None:
        self.runs += 1
        while not self.released:
            try:
                await anyio.Event().wait()  # no timer, so that a loop which waits for this is seen to be stuck
            except BaseException:
                pass


def logged(name: str, log: list[str], *, seconds: float = 0.0, clean_up: float = 0.0, **options: Any) -> Check:
    """A check that takes `seconds`, and `clean_up` more when it is cancelled in the middle."""

    async def run() -> None:
        log.append(f"{name} begins")
        try:
            if seconds:
                await anyio.sleep(seconds)
        except BaseException:
            await anyio.sleep(clean_up)
            raise
        finally:
            log.append(f"{name} ends")

    return Check(name, run, **options)
