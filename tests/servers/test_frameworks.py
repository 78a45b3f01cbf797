"""Each framework in the middleware, compared with the same app without it."""

from dataclasses import dataclass

import pytest

from ..support.waiting import wait_until
from .frameworks import FRAMEWORKS, GREETING, Framework
from .process import Exit, Running, launched, wait_for_boot
from .servers import UVICORN
from .wire import Answer

pytestmark = pytest.mark.timeout(60)

PASS = b'{"status":"pass"}'
PROBES = ("/livez", "/readyz", "/startupz", "/health")
HELLO = ("GET", "/hello")
OTHERS = (HELLO, ("GET", "/missing"), ("POST", "/hello"), ("GET", "/health/x"))


@dataclass(frozen=True)
class Results:
    """What was observed with the middleware and without it."""

    probes: dict[str, Answer]
    others: dict[tuple[str, str], tuple[Answer, Answer]]  # with it, and without it
    unanswered: Answer  # to a probe without it
    broken: dict[str, int]  # statuses while the dependency is down
    health: Exit
    plain: Exit


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=str)
def framework(request: pytest.FixtureRequest) -> Framework:
    row: Framework = request.param
    return row


@pytest.fixture(scope="module")
def results(framework: Framework) -> Results:
    app, checks = framework.name, ("dependency", "regular")
    with launched(UVICORN, app=app, checks=checks) as health, launched(UVICORN, app=app, health=False) as plain:
        wait_for_boot(health)
        wait_for_boot(plain)
        health.wait_for_status("/readyz", 200)
        probes = {path: health.ask("GET", path) for path in PROBES}
        others = {each: (health.ask(*each), plain.ask(*each)) for each in OTHERS}
        unanswered = plain.ask("GET", "/readyz")
        wait_for_two_runs(health)
        health.folder.broken.touch()
        health.wait_for_status("/readyz", 503)
        broken = {path: health.status(path) for path in ("/livez", "/hello")}
        health.folder.broken.unlink()
        health.wait_for_status("/readyz", 200)
        health.terminate()
        plain.terminate()
        return Results(probes, others, unanswered, broken, health.wait_for_exit(), plain.wait_for_exit())


def wait_for_two_runs(running: Running) -> None:
    before = running.folder.events.count("regular")
    wait_until(lambda: running.folder.events.count("regular") >= before + 2, "two runs without a probe")


def test_probes_pass(results: Results) -> None:
    for answer in results.probes.values():
        assert (answer.status, answer.body) == (200, PASS)
        assert answer.one("content-type") == "application/health+json"
        assert answer.one("content-length") == str(len(PASS))
    assert PASS not in results.unanswered.body, "without the middleware the framework answers the probe itself"


def test_other_answers_are_those_of_the_framework(results: Results, framework: Framework) -> None:
    """The route gets the state of the lifespan too."""
    for health, plain in results.others.values():
        assert without_date(health) == without_date(plain)
    hello, _ = results.others[HELLO]
    assert hello.status == 200
    assert framework.name == "bare" or hello.body == GREETING.encode()


def without_date(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    return answer.status, [(name, value) for name, value in answer.headers if name != "date"], answer.body


def test_checks_run_in_the_background_and_readiness_follows_them(results: Results) -> None:
    assert results.health.events.count("regular") > 2
    assert results.broken == {"/livez": 200, "/hello": 200}


def test_the_hooks_of_the_framework_run_once_each(results: Results, framework: Framework) -> None:
    noted = [event for event in results.health.events if event != "regular"]
    assert noted == (["startup", "shutdown"] if framework.hooks else [])
    # The checks run after the startup and end before the shutdown.
    assert not framework.hooks or (results.health.events[0], results.health.events[-1]) == ("startup", "shutdown")


def test_the_server_ends_as_without_the_middleware(results: Results) -> None:
    results.health.assert_quiet()
    assert results.health.code == results.plain.code
