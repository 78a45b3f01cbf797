"""Check functions that record how often and when they run."""

from typing import Any

import anyio

from asgi_health import Check


class Counted:
    """Take `seconds`, and count the runs."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        if self.seconds:
            await anyio.sleep(self.seconds)


class Uncancellable:
    """Ignore each cancellation, and any other exception that is raised in it, until `released` is set."""

    def __init__(self) -> None:
        self.runs = 0
        self.released = False

    async def __call__(self) -> None:
        self.runs += 1
        while not self.released:
            try:
                await anyio.Event().wait()  # no timer, so that a virtual loop which waits for this reports a deadlock
            except BaseException:
                pass


def logged(name: str, log: list[str], *, seconds: float = 0.0, clean_up: float = 0.0, **options: Any) -> Check:
    """Return a check that takes `seconds`, and `clean_up` more when it is cancelled; `log` gets its begin and end."""

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
