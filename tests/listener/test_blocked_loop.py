"""What the listener answers while the event loop of the app is blocked."""

import json
import re
import threading
from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal

from asgi_health import Check, Health, HealthMiddleware, Listener, bearer_token

from ..servers.wire import Address, Answer, ask
from ..support.app_thread import BOTH, Blocked, loop_of, running_app
from ..support.asgi_caller import ask as ask_app
from ..support.asgi_caller import echo_nothing
from ..support.lifespan_apps import lifespan_app
from ..support.services import stop_services
from ..support.waiting import wait_until

TOKEN = "open-sesame"
READY, LIVE = 0.6, 1.8  # far enough apart for a busy machine
PATHS = ("/livez", "/readyz", "/startupz", "/health")
AUTHORISED = [("authorization", f"Bearer {TOKEN}")]


@pytest.fixture(params=BOTH)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def portal(path: str, loop: str) -> Iterator[BlockingPortal]:
    """A healthy app with a listener at `path`, in a loop that a test may block."""
    checks = [Check("db", lambda: True, interval=3600.0)]
    listener = Listener(path, stall_ready=READY, stall_live=LIVE)
    with running_app(
        HealthMiddleware(lifespan_app, checks, details=bearer_token(TOKEN), listener=listener), loop
    ) as portal:
        wait_until(lambda: statuses(path) == [200] * 4, "it is healthy")
        yield portal


def statuses(address: Address) -> list[int]:
    return [ask(address, "GET", path).status for path in PATHS]


def test_first_readiness_fails_then_liveness_and_both_come_back(portal: BlockingPortal, path: str) -> None:
    seen: list[list[int]] = []

    def reached(expected: list[int]) -> bool:
        now = statuses(path)
        if not seen or seen[-1] != now:
            seen.append(now)
        return now == expected

    with Blocked(portal):
        wait_until(lambda: reached([503, 503, 200, 503]), "it is not alive")
        assert ask(path, "GET", "/livez").body == b'{"status":"fail"}'
    wait_until(lambda: reached([200] * 4), "it is healthy again")
    # The four requests are sent one after the other, so a change may come in between.
    order = [[200, 503, 200, 503], [503, 503, 200, 503], [200, 200, 200, 200]]
    assert [each for each in seen if each in order][-3:] == order


def test_details_say_for_how_long_and_no_cached_answer_is_healthy(portal: BlockingPortal, path: str) -> None:
    targets = {"/livez?verbose": LIVE, "/readyz?verbose": READY, "/readyz?format=text": READY, "/health": READY}
    targets |= {"/health/ready/db": READY}
    for target in targets:  # each answer is cached now
        wait_until(lambda: is_healthy(ask(path, "GET", target, AUTHORISED)), "it is healthy")  # noqa: B023  called at once
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
        wait_until(lambda: seconds(path) > second >= first, "the stall gets longer")
    wait_until(lambda: b"stalled" not in ask(path, "GET", "/health", AUTHORISED).body, "the stall is over")
    assert ask(path, "GET", "/health", AUTHORISED).status == 200


def is_healthy(answer: Answer) -> bool:
    """A busy machine may delay the loop too, and then the answer says so."""
    return answer.status == 200 and b"stalled" not in answer.body


def seconds(path: str) -> float:
    (found,) = re.findall(rb"stalled (\d+\.\d) s", ask(path, "GET", "/livez?verbose", AUTHORISED).body)
    return float(found)


def test_busy_threads_do_not_prevent_answers(portal: BlockingPortal, path: str) -> None:
    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert ask(path, "GET", "/startupz").status == 200
    finally:
        done.set()
        for thread in threads:
            thread.join(10.0)


@pytest.mark.parametrize("loop", ["asyncio"], indirect=True)
def test_after_a_call_that_keeps_the_interpreter_it_is_healthy_again(portal: BlockingPortal, path: str) -> None:
    """Meanwhile no thread runs, and so no request is answered; afterwards the loop beats as before."""
    portal.call(keep_the_interpreter)
    wait_until(lambda: statuses(path) == [200] * 4, "it is healthy")


async def keep_the_interpreter() -> None:
    """One call into C that lets no other thread run, for a second or so."""
    sum(range(30_000_000))


def test_a_stall_below_half_a_second_changes_no_answer(path: str) -> None:
    listener = Listener(path)
    with running_app(HealthMiddleware(lifespan_app, Health(), details=True, listener=listener)) as portal:
        wait_until(lambda: ask(path, "GET", "/readyz").status == 200, "it is healthy")
        with Blocked(portal):
            assert statuses(path) == [200] * 4


def test_an_app_whose_loop_has_ended_is_not_alive(path: str) -> None:
    """The loop has ended without a shutdown: there is no heartbeat any more."""
    app = HealthMiddleware(echo_nothing, listener=Listener(path, stall_ready=READY, stall_live=LIVE))
    with loop_of() as portal:
        portal.call(ask_app, app, "/ordinary")
        wait_until(lambda: statuses(path) == [200] * 4, "it answers")
    wait_until(lambda: statuses(path) == [503, 503, 200, 503], "it is not alive")
    stop_services(app)
