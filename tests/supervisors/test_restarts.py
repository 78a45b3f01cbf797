"""Supervisors that ask liveness restart an app whose loop is blocked forever, and not one whose database is down."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from .guard import guarded
from .shop import GONE, OWN
from .supervisors import MONIT, RUNIT, SUPERVISORD, Question, Supervisor
from .work import Supervised, install_app, supervised

# All cases run once, at the same time; each test looks at the outcome of one.
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("restarts by supervisors")]

CYCLES = 5  # of the supervisor, in which it must not restart the app

LISTENER, APP = Question("listener"), Question("app", socket=OWN)
READINESS = Question("readiness", target="/readyz")


@dataclass(frozen=True)
class Case:
    supervisor: Supervisor
    fault: str  # the file that makes the app fail
    asked: Question

    def __str__(self) -> str:
        return f"{self.supervisor}-{self.fault}-{self.asked}"


BLOCKED = [
    Case(each, fault, asked)
    for each in (MONIT, SUPERVISORD, RUNIT)
    for fault, asked in (("computes", LISTENER), ("sleeps", APP))
]
LEFT_ALONE = [Case(MONIT, GONE, APP), *(Case(each, GONE, LISTENER) for each in (MONIT, SUPERVISORD, RUNIT))]
MISLED = [Case(each, GONE, READINESS) for each in (MONIT, SUPERVISORD, RUNIT)]


@pytest.fixture(scope="module")
def broken() -> Iterator[dict[Case, Supervised]]:
    """Start one supervised app for each case, and make all of them fail once they are ready."""
    with guarded() as place, ExitStack() as stack:
        apps = {}
        for case in (*BLOCKED, *LEFT_ALONE, *MISLED):
            if not case.supervisor.missing:
                folder = place / str(case)
                install_app(folder)
                apps[case] = stack.enter_context(supervised(folder, case.supervisor.configure(folder, case.asked)))
        for case, app in apps.items():
            app.wait_for_status("/readyz", 200)
            app.wait_until(lambda: case.supervisor.good_answers(app) > 0, f"{case}: it has asked")  # noqa: B023
        for case, app in apps.items():
            app.cause(case.fault)
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
def test_an_app_whose_loop_is_blocked_forever_is_restarted(case: Case, app: Supervised) -> None:
    app.wait_until(lambda: len(app.pids) > 1, "it is restarted")
    app.wait_for_status("/livez", 200)
    first, second = app.pids
    app.wait_until(lambda: not _is_alive(first), "the first process is gone")
    assert _is_alive(second)


@pytest.mark.parametrize("case", LEFT_ALONE, ids=str)
def test_an_app_whose_database_is_gone_is_left_alone(case: Case, app: Supervised) -> None:
    app.wait_for_status("/readyz", 503)
    wanted = case.supervisor.good_answers(app) + CYCLES

    def is_left_alone() -> bool:
        assert len(app.pids) == 1
        return case.supervisor.good_answers(app) >= wanted

    app.wait_until(is_left_alone, f"{CYCLES} more cycles")
    assert (app.status("/readyz"), app.status("/livez")) == (503, 200)
    app.repair(GONE)
    app.wait_for_status("/readyz", 200)
    (pid,) = app.pids
    assert _is_alive(pid)


@pytest.mark.parametrize("case", MISLED, ids=str)
def test_a_supervisor_that_asks_readiness_restarts_an_app_whose_database_is_down(case: Case, app: Supervised) -> None:
    app.wait_until(lambda: len(app.pids) > 1, "it is restarted")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
