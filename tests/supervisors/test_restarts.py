"""Supervisors that ask liveness restart an app whose loop is blocked for good, and not one whose database is gone."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from .guard import guarded
from .shop import BLOCKS, GONE, OWN
from .supervisors import MONIT, RUNIT, SUPERVISORD, Question, Supervisor
from .work import Supervised, settle, supervised

# All cases go on side by side, once: the tests look at what came of them.
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("restarts by supervisors")]

CYCLES = 5  # of the supervisor, through which an app has to be left alone

LISTENER, APP = Question("listener"), Question("app", socket=OWN)
READINESS = Question("readiness", target="/readyz")


@dataclass(frozen=True)
class Case:
    supervisor: Supervisor
    order: str  # what the app is told to do to itself
    asked: Question

    def __str__(self) -> str:
        return f"{self.supervisor}-{self.order}-{self.asked}"


BLOCKED = [
    *(Case(MONIT, order, asked) for order in BLOCKS for asked in (LISTENER, APP)),
    *(
        Case(each, order, asked)
        for each in (SUPERVISORD, RUNIT)
        for order, asked in (("computes", LISTENER), ("sleeps", APP))
    ),
]
LEFT_ALONE = [Case(MONIT, GONE, APP), *(Case(each, GONE, LISTENER) for each in (MONIT, SUPERVISORD, RUNIT))]
MISLED = [Case(each, GONE, READINESS) for each in (MONIT, SUPERVISORD, RUNIT)]


@pytest.fixture(scope="module")
def broken() -> Iterator[dict[Case, Supervised]]:
    """One app for each case, all of them under supervision side by side: well at first, and then broken."""
    with guarded() as place, ExitStack() as stack:
        apps = {}
        for case in (*BLOCKED, *LEFT_ALONE, *MISLED):
            if not case.supervisor.missing:
                folder = place / str(case)
                settle(folder)
                apps[case] = stack.enter_context(supervised(folder, case.supervisor.configure(folder, case.asked)))
        for case, app in apps.items():
            app.wait_for_status("/readyz", 200)
            app.wait_until(lambda: case.supervisor.good_answers(app) > 0, f"{case}: it has asked")  # noqa: B023
        for case, app in apps.items():
            app.order(case.order)
        yield apps


@pytest.fixture
def app(request: pytest.FixtureRequest, broken: dict[Case, Supervised]) -> Supervised:
    case: Case = request.getfixturevalue("case")
    if names := case.supervisor.missing:
        reason = f"{' and '.join(names)} not found; on Debian: apt-get install {case.supervisor.package}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return broken[case]


@pytest.mark.parametrize("case", BLOCKED, ids=str)
def test_an_app_whose_loop_is_blocked_for_good_is_restarted(case: Case, app: Supervised) -> None:
    app.wait_until(lambda: len(app.pids) > 1, "it is restarted")
    app.wait_for_status("/livez", 200)
    first, second = app.pids
    app.wait_until(lambda: not _is_alive(first), "the first process is gone")
    assert _is_alive(second)


@pytest.mark.parametrize("case", LEFT_ALONE, ids=str)
def test_an_app_whose_database_is_gone_is_left_alone(case: Case, app: Supervised) -> None:
    app.wait_for_status("/readyz", 503)
    wanted = case.supervisor.good_answers(app) + CYCLES

    def left_alone_so_far() -> bool:
        assert len(app.pids) == 1
        return case.supervisor.good_answers(app) >= wanted

    app.wait_until(left_alone_so_far, f"{CYCLES} more cycles")
    assert (app.status("/readyz"), app.status("/livez")) == (503, 200)
    app.mend(GONE)
    app.wait_for_status("/readyz", 200)
    (pid,) = app.pids
    assert _is_alive(pid)


@pytest.mark.parametrize("case", MISLED, ids=str)
def test_it_would_be_restarted_if_readiness_were_asked(case: Case, app: Supervised) -> None:
    app.wait_until(lambda: len(app.pids) > 1, "it is restarted")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
