"""A real Envoy reads the headers for it: of a drain on any response, of a warning on the answer to its health check."""

import os
from pathlib import Path

import pytest

from benchmarks.rolling.app import Settings

from ..servers.process import Running
from ..servers.workers import wait_until_draining
from .envoy import missing, two_behind_envoy

pytestmark = pytest.mark.timeout(120)

NEVER = 300.0  # a delay that no test waits for
FEW = 3  # requests that may reach a draining instance: Envoy needs a response of it to know


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def process_of(running: Running) -> int:
    return int(running.ask("GET", "/process").body)


@pytest.mark.parametrize("envoy", [False, True])
def test_with_the_header_only_a_few_requests_reach_a_draining_instance(envoy: bool, tmp_path: Path) -> None:
    settings = Settings(drain={"delay": NEVER, "envoy": envoy})
    with two_behind_envoy(tmp_path, settings, settings) as (balancer, drained, other):
        first, second = process_of(drained), process_of(other)
        before = balancer.requests(40)
        assert before[first] == before[second] == 20
        drained.terminate()
        wait_until_draining(drained)
        answered = balancer.requests(40)
        if envoy:
            assert 1 <= answered[first] <= FEW
            assert balancer.health(drained)["failed_active_health_check"]
        else:
            assert answered[first] == 20
            assert balancer.health(drained) == {}
        assert balancer.health(other) == {}


def test_an_instance_that_warns_gets_fewer_requests(tmp_path: Path) -> None:
    with two_behind_envoy(tmp_path, Settings(warns=True), Settings()) as (balancer, degraded, healthy):
        assert balancer.health(degraded) == {"failed_active_degraded_check": True}
        assert balancer.health(healthy) == {}
        # One of two is healthy, and counts 1.4 times: 70 of 100 requests on average, with 140 of 200 +- 6.5.
        assert balancer.requests(200)[process_of(degraded)] < 90


def test_where_all_instances_warn_each_gets_as_many_requests(tmp_path: Path) -> None:
    with two_behind_envoy(tmp_path, Settings(warns=True), Settings(warns=True)) as (balancer, first, second):
        assert balancer.health(first) == balancer.health(second) == {"failed_active_degraded_check": True}
        answered = balancer.requests(40)
        assert answered[process_of(first)] == answered[process_of(second)] == 20
