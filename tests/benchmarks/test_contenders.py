import asyncio

import pytest

from benchmarks.contenders import CONTENDERS, Contender, contender
from benchmarks.dependency import Board, Dependency, Mode
from benchmarks.harness import Lifespan, ask, scope, side_by_side
from benchmarks.processes import Worker
from benchmarks.setup import OTHER, WORK, Message, Setup

# django-health-check configures Django for the whole process, so it is asked in one of its own, below.
HERE = [each for each in CONTENDERS if not each.missing and "django" not in each.name]


async def _statuses(who: Contender, dependency: Dependency, *paths: str) -> list[int]:
    app = who.make(Setup(dependency.checks(3)))
    async with Lifespan(app):
        for _ in range(200):
            if (await ask(app, who.ready))[0] == 200:
                break
            await asyncio.sleep(0.005)
        return [(await ask(app, path))[0] for path in paths]


@pytest.mark.parametrize("who", HERE, ids=lambda who: who.name)
def test_every_contender_answers_its_probes_and_the_pages_of_its_app(who: Contender) -> None:
    assert asyncio.run(_statuses(who, Dependency(), who.ready, who.live, OTHER, WORK)) == [200, 200, 200, 200]


@pytest.mark.parametrize("who", [who for who in HERE if who.checks], ids=lambda who: who.name)
def test_every_contender_that_checks_asks_its_dependency(who: Contender) -> None:
    dependency = Dependency()
    asyncio.run(_statuses(who, dependency, who.ready))
    assert dependency.runs >= 3


def test_the_limit_sends_the_bytes_of_asgi_health() -> None:
    async def messages(name: str) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError("nobody reads the body of a probe")

        who = contender(name)
        app = who.make(Setup())
        async with Lifespan(app):
            await app(scope(who.ready), receive, send)
        return sent

    assert asyncio.run(messages("limit")) == asyncio.run(messages("asgi-health"))


def test_the_names_of_the_contenders_are_unique() -> None:
    assert len({who.name for who in CONTENDERS}) == len(CONTENDERS)


def test_a_contender_that_is_not_installed_is_told() -> None:
    assert Contender("x", "X", "limit:app", needs=("anyio", "no-such-distribution")).missing == (
        "no-such-distribution",
    )


def test_the_path_of_a_request_is_a_string_of_its_own_as_it_is_under_a_server() -> None:
    # A dict finds its own key by identity, which would favour the app whose key the path was taken from.
    path = "/health/ready"
    made = scope(path)["path"]
    assert made == path
    assert made is not path


def test_the_measured_time_of_an_answer_grows_with_its_work() -> None:
    async def measured() -> dict[str, float]:
        limit, route = contender("limit").make(Setup(bare=True)), contender("starlette").make(Setup())
        return await side_by_side({"limit": (limit, "/", "GET"), "route": (route, OTHER, "GET")}, 0.01)

    took = asyncio.run(measured())
    assert 0 < took["limit"] < took["route"]


def test_a_worker_answers_in_a_process_of_its_own_and_ends_with_it() -> None:
    with Worker("in-process", "asgi-health") as worker:
        assert worker.ask(do="status", case="GET ready")["status"] == 200
        assert worker.ask(do="load", probes=500)["runs"] == 0
        assert worker.ask(do="allocated", case="GET ready")["bytes"] > 0
    assert not worker.alive


def test_a_worker_that_fails_says_why() -> None:
    with Worker("in-process", "nobody") as worker, pytest.raises(RuntimeError, match="nobody: KeyError"):
        worker.ask(do="status", case="GET ready")


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(tmp_path_factory.mktemp("board") / "board")


def test_the_board_is_shared_with_whoever_opens_it_too(board: Board) -> None:
    other = Board(board.path)
    other.count()
    board.mode = Mode.HANGS
    assert (board.runs, other.mode) == (1, Mode.HANGS)


async def _cancelled(dependency: Dependency) -> bool:
    """Cancel a check, and tell whether it has ended a moment later."""
    task = asyncio.create_task(dependency.ping())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=0.05)
    if not done:
        await asyncio.sleep(0)
    return bool(done)


@pytest.mark.parametrize(("mode", "ends"), [(Mode.HANGS, True), (Mode.DEAF, False)])
def test_a_deaf_check_outlives_its_cancellation_and_a_hanging_one_does_not(
    board: Board, mode: Mode, ends: bool
) -> None:
    board.mode = mode
    loop = asyncio.new_event_loop()
    try:
        assert loop.run_until_complete(_cancelled(Dependency(board))) is ends
    finally:
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
