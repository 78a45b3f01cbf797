import asyncio

import pytest

from benchmarks.contenders import CONTENDERS, Contender, find_contender
from benchmarks.dependency import Dependency, Mode, SharedState
from benchmarks.harness import Lifespan, ask, scope, side_by_side
from benchmarks.processes import Worker
from benchmarks.setup import OTHER, WORK, Message, Setup

# Not django-health-check: it configures Django for the whole process, so it has a process of its own below.
HERE = [each for each in CONTENDERS if not each.missing and "django" not in each.name]


async def _statuses(contender: Contender, dependency: Dependency, *paths: str) -> list[int]:
    app = contender.make(Setup(dependency.checks(3)))
    statuses: list[int] = []
    async with Lifespan(app):
        for _ in range(4000):  # 20 s: the workers of a board start, and are ready, one after the other
            statuses = [(await ask(app, path))[0] for path in paths]
            if statuses == [200] * len(paths):
                break
            await asyncio.sleep(0.005)
        return statuses


@pytest.mark.parametrize("contender", HERE, ids=lambda each: each.name)
def test_every_contender_answers_its_probes_and_the_pages_of_its_app(contender: Contender) -> None:
    assert asyncio.run(_statuses(contender, Dependency(), contender.ready, contender.live, OTHER, WORK)) == [
        200,
        200,
        200,
        200,
    ]


@pytest.mark.parametrize("contender", [contender for contender in HERE if contender.checks], ids=lambda each: each.name)
def test_every_contender_with_checks_calls_its_dependency(contender: Contender) -> None:
    dependency = Dependency()
    asyncio.run(_statuses(contender, dependency, contender.ready))
    assert dependency.runs >= 3


def test_the_limit_sends_the_bytes_of_asgi_health() -> None:
    async def messages(name: str) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError("a probe has no body")

        contender = find_contender(name)
        app = contender.make(Setup())
        async with Lifespan(app):
            await app(scope(contender.ready), receive, send)
        return sent

    assert asyncio.run(messages("limit")) == asyncio.run(messages("asgi-health"))


def test_the_names_of_the_contenders_are_unique() -> None:
    assert len({contender.name for contender in CONTENDERS}) == len(CONTENDERS)


def test_a_contender_names_the_distributions_that_are_not_installed() -> None:
    assert Contender("x", "X", "limit:app", needs=("anyio", "no-such-distribution")).missing == (
        "no-such-distribution",
    )


def test_the_path_of_a_request_is_a_string_of_its_own_as_it_is_under_a_server() -> None:
    # A dict finds the same object faster, which would favour the app whose key the path is.
    path = "/health/ready"
    made = scope(path)["path"]
    assert made == path
    assert made is not path


def test_the_measured_time_of_an_answer_grows_with_its_work() -> None:
    async def measured() -> dict[str, float]:
        limit, route = find_contender("limit").make(Setup(bare=True)), find_contender("starlette").make(Setup())
        return await side_by_side({"limit": (limit, "/", "GET"), "route": (route, OTHER, "GET")}, 0.01)

    took = asyncio.run(measured())
    assert 0 < took["limit"] < took["route"]


def test_a_worker_answers_in_a_process_of_its_own_and_ends_with_it() -> None:
    with Worker("in-process", "asgi-health") as worker:
        assert worker.ask(do="status", case="GET ready")["status"] == 200
        assert worker.ask(do="load", probes=500)["runs"] == 0
        assert worker.ask(do="allocated", case="GET ready")["bytes"] > 0
    assert not worker.alive


@pytest.mark.skipif(bool(find_contender("django-health-check").missing), reason="it is not installed")
def test_django_health_check_answers_in_a_process_of_its_own() -> None:
    with Worker("in-process", "django-health-check") as worker:
        assert worker.ask(do="status", case="GET ready")["status"] == 200
        assert worker.ask(do="status", case="GET live")["status"] == 200


def test_a_worker_simulates_time_next_to_its_own_event_loop() -> None:
    with Worker("simulated") as worker:
        assert worker.ask(do="change", checks=2)["change"] > 0
        assert worker.ask(do="hours", hours=1, board=False)["runs"] > 0


def test_a_worker_that_fails_gives_the_reason() -> None:
    with Worker("in-process", "no-contender") as worker, pytest.raises(RuntimeError, match="no-contender: KeyError"):
        worker.ask(do="status", case="GET ready")


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory) -> SharedState:
    return SharedState(tmp_path_factory.mktemp("state") / "state")


def test_two_processes_that_open_the_same_file_share_the_state(state: SharedState) -> None:
    other = SharedState(state.path)
    other.count()
    state.mode = Mode.HANGS
    assert (state.runs, other.mode) == (1, Mode.HANGS)


async def _cancelled(dependency: Dependency) -> bool:
    """Cancel a check; return whether it ends within 50 ms."""
    task = asyncio.create_task(dependency.ping())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=0.05)
    if not done:
        await asyncio.sleep(0)
    return bool(done)


@pytest.mark.parametrize(("mode", "ends"), [(Mode.HANGS, True), (Mode.IGNORES_CANCELLATION, False)])
def test_only_a_check_that_ignores_its_cancellation_outlives_it(state: SharedState, mode: Mode, ends: bool) -> None:
    state.mode = mode
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(_cancelled(Dependency(state))) is ends
    finally:
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio has no public switch for it
        loop.close()
