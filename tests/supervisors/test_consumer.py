"""Programs without ASGI: the examples of docs/how-to/queue-consumers.md, on every loop."""

import textwrap
from contextlib import AbstractContextManager

import pytest

from ..documentation.blocks import blocks
from ..support.waiting import wait_until
from .program import ADDRESS, EXAMPLES, QUEUE, Program, program

pytestmark = pytest.mark.timeout(120)

LONG_DELAY = "300"  # seconds: no test waits for the end of this drain

each_example = pytest.mark.parametrize("example", ["consumer", "consumer_trio"])
each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def as_printed(example: str) -> AbstractContextManager[Program]:
    return program(str(EXAMPLES / f"{example}.py"), f"{{folder}}/{QUEUE}", f"{{folder}}/{ADDRESS}")


def driven(backend: str, delay: str) -> AbstractContextManager[Program]:
    """Return an example whose messages say what happens while they are handled."""
    return program("-m", f"{__package__}.drive_consumer", backend, "{folder}", delay)


def test_the_lines_that_the_page_shows_are_those_of_the_example() -> None:
    shown, *_ = blocks("python", "how-to/queue-consumers.md")
    options = 'listener=Listener("127.0.0.1:9000"), drain=Drain(delay=2.0)'
    assert options in shown
    lines = textwrap.indent(shown.replace(options, "listener=listener, drain=drain"), "    ")
    assert lines in (EXAMPLES / "consumer.py").read_text()


@each_example
def test_sigterm_drains_and_then_ends_it(example: str) -> None:
    with as_printed(example) as consumer:
        assert [consumer.status(target) for target in ("/livez", "/startupz", "/health")] == [200, 200, 200]
        consumer.send("hello")
        wait_until(lambda: consumer.log.startswith("hello\n"), "the message is handled")
        consumer.terminate()
        consumer.wait_for_status("/readyz", 503)
        assert consumer.status("/livez") == 200
        consumer.assert_quiet_exit()


@each_example
def test_readiness_follows_a_dependency_and_liveness_does_not(example: str) -> None:
    with as_printed(example) as consumer:
        (consumer.folder / QUEUE).rename(consumer.folder / "elsewhere")
        consumer.wait_for_status("/readyz", 503)
        assert consumer.status("/livez") == 200
        (consumer.folder / "elsewhere").rename(consumer.folder / QUEUE)
        consumer.wait_for_status("/readyz", 200)


@each_backend
def test_the_first_sigterm_announces_and_the_second_one_ends_it(backend: str) -> None:
    with driven(backend, LONG_DELAY) as consumer:
        consumer.terminate()
        consumer.wait_for_status("/readyz", 503)
        consumer.send("hello")
        consumer.wait_for_event("ends hello")
        assert consumer.status("/livez") == 200
        consumer.terminate()
        consumer.assert_quiet_exit()


@each_backend
def test_the_message_that_is_being_handled_is_finished(backend: str) -> None:
    with driven(backend, "2") as consumer:
        consumer.send("stops")
        consumer.wait_for_event("begins stops")
        consumer.terminate()
        consumer.wait_for_status("/readyz", 503)
        assert consumer.status("/livez") == 200
        consumer.assert_quiet_exit()
        assert consumer.events == ["begins stops", "sees the stop", "ends stops"]
        assert not list((consumer.folder / QUEUE).iterdir())


@each_backend
def test_a_blocked_loop_fails_readiness_first_then_liveness_and_both_recover(backend: str) -> None:
    with driven(backend, LONG_DELAY) as consumer:
        consumer.send("blocks")
        consumer.wait_for_status("/readyz", 503)
        assert consumer.status("/livez") == 200
        consumer.wait_for_status("/livez", 503)
        consumer.release()
        consumer.wait_for_status("/livez", 200)
        consumer.wait_for_status("/readyz", 200)
        assert consumer.events == ["begins blocks", "ends blocks"]
        consumer.terminate()
        consumer.wait_for_status("/readyz", 503)
        consumer.terminate()
        consumer.assert_quiet_exit()
