"""A loop that has no turn: what the listener says of it, from its heartbeat and never from optimism."""

import json
import re
import threading
from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal

from asgi_health import Check, Health, HealthMiddleware, Listener, bearer_token

from ..servers.process import wait_until
from ..servers.wire import Address, Answer, ask
from ..support.asgi_caller import ask as ask_app
from ..support.asgi_caller import echo_nothing
from ..support.lifespan_apps import speaks
from .lived import LOOPS, Blocked, living, loop_of

TOKEN = "open-sesame"
READY, LIVE = 0.6, 1.8  # so far apart that there is a time between them on a busy machine too
PATHS = ("/livez", "/readyz", "/startupz", "/health")
AUTHORISED = [("authorization", f"Bearer {TOKEN}")]


@pytest.fixture(params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def portal(path: str, loop: str) -> Iterator[BlockingPortal]:
    """A healthy app with a listener at `path`, in a loop that a test may block."""
    checks = [Check("db", lambda: True, interval=3600.0)]
    listener = Listener(path, stall_ready=READY, stall_live=LIVE)
    with living(HealthMiddleware(speaks, checks, details=bearer_token(TOKEN), listener=listener), loop) as portal:
        wait_until(lambda: statuses(path) == [200] * 4, "it is well")
        yield portal


def statuses(address: Address) -> list[int]:
    return [ask(address, "GET", path).status for path in PATHS]


def test_first_readiness_fails_then_liveness_and_both_come_back(portal: BlockingPortal, path: str) -> None:
    seen: list[list[int]] = []

    def look(until: list[int]) -> bool:
        now = statuses(path)
        if not seen or seen[-1] != now:
            seen.append(now)
        return now == until

    with Blocked(portal):
        wait_until(lambda: look([503, 503, 200, 503]), "it is not alive")
        assert ask(path, "GET", "/livez").body == b'{"status":"fail"}'
    wait_until(lambda: look([200] * 4), "it is well again")
    # Four probes are asked one after the other, so that a look may see a change half way through.
    order = [[200, 503, 200, 503], [503, 503, 200, 503], [200, 200, 200, 200]]
    assert [each for each in seen if each in order][-3:] == order


def test_how_long_is_told_to_the_authorised_and_a_green_answer_is_not_kept(portal: BlockingPortal, path: str) -> None:
    targets = {"/livez?verbose": LIVE, "/readyz?verbose": READY, "/readyz?format=text": READY, "/health": READY}
    targets |= {"/health/ready/db": READY}
    for target in targets:  # each is kept now
        wait_until(lambda: is_green(ask(path, "GET", target, AUTHORISED)), "it is well")  # noqa: B023  called at once
    with Blocked(portal):
        wait_until(lambda: ask(path, "GET", "/livez").status == 503, "it is not alive")
        for target, limit in targets.items():
            answer = ask(path, "GET", target, AUTHORISED)
            assert answer.status == 503
            assert re.search(rf"stalled \d+\.\d s of {limit:g} s", answer.body.decode())
            if "format" not in target:
                assert json.loads(answer.body)["status"] == "fail"
        for target in ("/livez?verbose", "/readyz?format=text", "/health"):
            assert ask(path, "GET", target).body == b'{"status":"fail"}'
        assert ask(path, "GET", "/readyz?exclude=db", AUTHORISED).status == 503
        assert ask(path, "GET", "/readyz?verbose&exclude=db", AUTHORISED).status == 503
        assert ask(path, "GET", "/startupz?verbose", AUTHORISED).status == 200
        first, second = (seconds(path) for _ in range(2))
        wait_until(lambda: seconds(path) > second >= first, "it gets longer")
    wait_until(lambda: b"stalled" not in ask(path, "GET", "/health", AUTHORISED).body, "it is over")
    assert ask(path, "GET", "/health", AUTHORISED).status == 200


def is_green(answer: Answer) -> bool:
    """A busy machine may keep the loop waiting too, and then it says so."""
    return answer.status == 200 and b"stalled" not in answer.body


def seconds(path: str) -> float:
    (found,) = re.findall(rb"stalled (\d+\.\d) s", ask(path, "GET", "/livez?verbose", AUTHORISED).body)
    return float(found)


def test_busy_threads_do_not_keep_it_from_answering(portal: BlockingPortal, path: str) -> None:
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert ask(path, "GET", "/startupz").status == 200
    finally:
        over.set()
        for thread in threads:
            thread.join(10.0)


@pytest.mark.parametrize("loop", ["asyncio"], indirect=True)
def test_a_call_that_keeps_the_interpreter_is_seen_when_it_is_over(portal: BlockingPortal, path: str) -> None:
    """Nobody is answered meanwhile, by whatever thread; afterwards the loop beats as before."""
    portal.call(keep_the_interpreter)
    wait_until(lambda: statuses(path) == [200] * 4, "it is well")


async def keep_the_interpreter() -> None:
    """One call into C that lets no other thread run, for a second or so."""
    sum(range(30_000_000))


def test_a_short_hiccup_changes_nothing(path: str) -> None:
    """Not even what is kept: below half a second a loop is busy and nothing worse."""
    listener = Listener(path)
    with living(HealthMiddleware(speaks, Health(), details=True, listener=listener)) as portal:
        wait_until(lambda: ask(path, "GET", "/readyz").status == 200, "it is well")
        with Blocked(portal):
            assert statuses(path) == [200] * 4


def test_an_app_that_lost_its_loop_is_not_alive_for_long(path: str) -> None:
    """The loop has ended without a word: nobody beats any more, and the listener says so."""
    app = HealthMiddleware(echo_nothing, listener=Listener(path, stall_ready=READY, stall_live=LIVE))
    with loop_of() as portal:
        portal.call(ask_app, app, "/ordinary")
        wait_until(lambda: statuses(path) == [200] * 4, "it answers")
    wait_until(lambda: statuses(path) == [503, 503, 200, 503], "it is not alive")
    stop_services(app)
