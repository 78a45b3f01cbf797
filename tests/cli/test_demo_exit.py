"""Ctrl-C and SIGTERM end the demo at once in every state, and no files are left."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ..support.waiting import wait_until
from .demo import EXIT_TIMEOUT, Demo, starting_demo, wait_until_running

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STATES = ("nothing broken", "payments ignore cancellation", "payments ignore cancellation, no uvloop", "loop blocked")
# Both signals have one handler.
CASES = [(state, sig) for state in STATES for sig in SIGNALS if sig is signal.SIGINT or state == "nothing broken"]

NO_UVLOOP = "import sys; sys.modules['uvloop'] = None"


@pytest.fixture(scope="module")
def ended() -> Iterator[dict[tuple[str, signal.Signals], Demo]]:
    """Run one demo for each case, all at the same time."""
    with ExitStack() as stack:
        demos = {
            case: stack.enter_context(starting_demo(NO_UVLOOP if "no uvloop" in case[0] else "")) for case in CASES
        }
        for demo in demos.values():
            wait_until_running(demo)
            assert len(demo.left_behind) == 1
        stubborn = [demo for (state, _), demo in demos.items() if "ignore cancellation" in state]
        for demo in stubborn:
            demo.request("/break/payments-stubborn")
        for demo in stubborn:
            wait_until(lambda: "still running" in demo.check("payments").get("output", ""), "the run continues")  # noqa: B023
        for (state, _), demo in demos.items():
            if state == "loop blocked":
                assert "blocked for 15 s (at most 15)" in demo.request("/break/loop?seconds=1000").text
                wait_until(lambda: demo.silent, "the loop is blocked")  # noqa: B023
        for (_, sig), demo in demos.items():
            demo.process.send_signal(sig)
        for demo in demos.values():
            demo.process.wait(EXIT_TIMEOUT)
        yield demos


@pytest.mark.parametrize(("state", "sig"), CASES, ids=str)
def test_a_signal_ends_the_demo_in_time_without_errors_and_without_files(
    ended: dict[tuple[str, signal.Signals], Demo], state: str, sig: signal.Signals
) -> None:
    demo = ended[state, sig]
    assert demo.process.returncode == 0
    assert not demo.unexpected_errors
    assert not demo.left_behind
