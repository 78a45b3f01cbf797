"""Each framework inside the health layer, against the same app without it."""

from collections.abc import Iterator

import pytest

from .frameworks import FRAMEWORKS, GREETING, Framework
from .process import Running, launched, started, wait_for_boot, wait_until
from .servers import UVICORN
from .wire import Answer

pytestmark = pytest.mark.timeout(60)

PASS = b'{"status":"pass"}'
CHECKS = ("dependency", "regular")


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=str)
def framework(request: pytest.FixtureRequest) -> Framework:
    row: Framework = request.param
    return row


@pytest.fixture(scope="module")
def pair(framework: Framework) -> Iterator[tuple[Running, Running]]:
    """With the health layer and without it."""
    app = framework.name
    with launched(UVICORN, app=app, checks=CHECKS) as health, launched(UVICORN, app=app, health=False) as plain:
        wait_for_boot(health)
        wait_for_boot(plain)
        health.wait_for_status("/readyz", 200)
        yield health, plain
        ends = health.stop(), plain.stop()
    assert ends[0].code == ends[1].code
    ends[0].assert_quiet()


@pytest.fixture
def health(pair: tuple[Running, Running]) -> Running:
    return pair[0]


@pytest.fixture
def plain(pair: tuple[Running, Running]) -> Running:
    return pair[1]


def _without_date(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    return answer.status, [(name, value) for name, value in answer.headers if name != "date"], answer.body


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/health"])
def test_probes_pass(health: Running, path: str) -> None:
    answer = health.ask("GET", path)
    assert (answer.status, answer.body) == (200, PASS)
    assert answer.one("content-type") == "application/health+json"
    assert answer.one("content-length") == str(len(PASS))


def test_without_the_health_layer_nobody_answers_a_probe(plain: Running) -> None:
    assert PASS not in plain.ask("GET", "/readyz").body


def test_a_route_answers_with_what_the_lifespan_left_in_its_state(health: Running, framework: Framework) -> None:
    answer = health.ask("GET", "/hello")
    assert answer.status == 200
    assert framework.name == "bare" or answer.body == GREETING.encode()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/hello"), ("GET", "/missing"), ("POST", "/hello"), ("GET", "/health/x")]
)
def test_other_answers_are_those_of_the_framework(health: Running, plain: Running, method: str, path: str) -> None:
    assert _without_date(health.ask(method, path)) == _without_date(plain.ask(method, path))


def test_checks_run_in_the_background(health: Running) -> None:
    before = health.folder.events.count("regular")
    wait_until(lambda: health.folder.events.count("regular") >= before + 2, "two runs without a probe")


def test_readiness_follows_the_dependency(health: Running) -> None:
    health.folder.broken.touch()
    try:
        health.wait_for_status("/readyz", 503)
        assert health.status("/livez") == 200
        assert health.status("/hello") == 200
    finally:
        health.folder.broken.unlink()
    health.wait_for_status("/readyz", 200)


def test_the_hooks_of_the_framework_run_once_each(framework: Framework) -> None:
    with started(UVICORN, app=framework.name, checks=("dependency",)) as running:
        running.wait_for_status("/readyz", 200)
        assert running.folder.events == (["startup"] if framework.hooks else [])
        end = running.stop()
    assert end.events == (["startup", "shutdown"] if framework.hooks else [])
    end.assert_quiet()
