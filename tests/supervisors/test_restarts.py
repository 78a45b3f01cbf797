"""Supervisors that ask liveness restart an app whose loop is blocked, and not one whose database is gone."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from .guard import guarded
from .shop import BLOCKS, GONE, OWN
from .supervisors import MONIT, RUNIT, SUPERVISORD, Question, Supervisor
from .work import Supervised, install_app, supervised

# All cases run at the same time, once: the tests look at their results.
pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("restarts by supervisors")]

CYCLES = 5  # of the supervisor, during which it must not restart the app

LISTENER, APP = Question("listener"), Question("app", socket=OWN)
READINESS = Question("readiness", target="/readyz")


@dataclass(frozen=True)
class Case:
    supervisor: Supervisor
    fault: str  # what the app does to itself
    question: Question

    def __str__(self) -> str:
        return f"{self.supervisor}-{self.fault}-{self.question}"


BLOCKED = [
    *(Case(MONIT, fault, question) for fault in BLOCKS for question in (LISTENER, APP)),
    *(
        Case(each, fault, question)
        for each in (SUPERVISORD, RUNIT)
        for fault, question in (("computes", LISTENER), ("sleeps", APP))
    ),
]
NOT_RESTARTED = [Case(MONIT, GONE, APP), *(Case(each, GONE, LISTENER) for each in (MONIT, SUPERVISORD, RUNIT))]
ASKING_READINESS = [Case(each, GONE, READINESS) for each in (MONIT, SUPERVISORD, RUNIT)]


@pytest.fixture(scope="module")
def broken() -> Iterator[dict[Case, Supervised]]:
    """Run one app for each case under its supervisor, all at the same time: healthy at first, then broken."""
    with guarded() as place, ExitStack() as stack:
        apps = {}
        for case in (*BLOCKED, *NOT_RESTARTED, *ASKING_READINESS):
            if not case.supervisor.missing:
                folder = place / str(case)
                install_app(folder)
                apps[case] = stack.enter_context(supervised(folder, case.supervisor.configure(folder, case.question)))
        for case, app in apps.items():
            app.wait_for_status("/readyz", 200)
            app.wait_until(lambda: case.supervisor.good_answers(app) > 0, f"{case}: the supervisor has asked")  # noqa: B023
        for case, app in apps.items():
            app.begin(case.fault)
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
def test_an_app_with_a_blocked_loop_is_restarted(case: Case, app: Supervised) -> None:
    app.wait_until(lambda: len(app.pids) > 1, "the app is restarted")
    app.wait_for_status("/livez", 200)
    first, second = app.pids
    app.wait_until(lambda: not _is_alive(first), "the first process is gone")
    assert _is_alive(second)


@pytest.mark.parametrize("case", NOT_RESTARTED, ids=str)
def test_an_app_without_its_database_is_not_restarted(case: Case, app: Supervised) -> None:
    app.wait_for_status("/readyz", 503)
    required = case.supervisor.good_answers(app) + CYCLES

    def not_restarted() -> bool:
        assert len(app.pids) == 1
        return case.supervisor.good_answers(app) >= required

    app.wait_until(not_restarted, f"{CYCLES} more cycles")
    assert (app.status("/readyz"), app.status("/livez")) == (503, 200)
    app.repair(GONE)
    app.wait_for_status("/readyz", 200)
    (pid,) = app.pids
    assert _is_alive(pid)


@pytest.mark.parametrize("case", ASKING_READINESS, ids=str)
def test_a_supervisor_that_asks_readiness_restarts_an_app_without_its_database(case: Case, app: Supervised) -> None:
    app.wait_until(lambda: len(app.pids) > 1, "the app is restarted")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
