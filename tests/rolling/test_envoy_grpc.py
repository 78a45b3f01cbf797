"""A real Envoy checks the health by gRPC: it sends no request to an instance that drains, and loses none."""

import os
from pathlib import Path

import pytest

from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import held_port

from ..support.waiting import wait_until
from .envoy import missing, two_behind_envoy

pytestmark = pytest.mark.timeout(120)

DELAY = 2.0
DOWN = {"failed_active_health_check": True}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def test_an_instance_that_drains_gets_no_request_and_none_is_lost(tmp_path: Path) -> None:
    with held_port() as (host, first), held_port() as (_, second):
        settings = [Settings(drain={"delay": DELAY}, grpc=f"{host}:{port}") for port in (first, second)]
        with two_behind_envoy(tmp_path, *settings) as (balancer, drained, other):
            wait_until(lambda: balancer.health(drained) == balancer.health(other) == {}, "Envoy has checked both")
            assert len(balancer.requests(40)) == 2
            drained.terminate()
            wait_until(
                lambda: len(balancer.requests(1)) == 1 and balancer.health(drained) == DOWN,
                lambda: f"Envoy takes it out, and each request until then succeeds\n{drained.log}",
            )
            drained.wait_for_exit().assert_quiet()
            # Each answer is 200, and all come from the other one.
            assert balancer.requests(40) == {int(other.ask("GET", "/process").body): 40}


def test_an_instance_that_warns_is_healthy(tmp_path: Path) -> None:
    with held_port() as (host, first), held_port() as (_, second):
        settings = [Settings(warns=True, grpc=f"{host}:{first}"), Settings(grpc=f"{host}:{second}")]
        with two_behind_envoy(tmp_path, *settings) as (balancer, warning, other):
            wait_until(lambda: balancer.health(warning) == balancer.health(other) == {}, "Envoy has checked both")
