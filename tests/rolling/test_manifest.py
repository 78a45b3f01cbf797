"""What `asgi-health manifest` prints for HAProxy, Envoy and Caddy does what its comments say, in these proxies."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.rolling.app import Settings
from benchmarks.rolling.backend import held_port, launched
from benchmarks.rolling.load import Outcomes, load
from benchmarks.rolling.servers import UVICORN

from ..servers.wire import ask
from ..support.waiting import wait_until
from .printed import PROXIES, Proxy, printed_for, proxying, served_by

pytestmark = pytest.mark.timeout(120)

SETTINGS = Settings(drain={"delay": 1.5}, fails=True)
SEND_TO_ALL = {"envoy"}
"""The proxies that send requests to all instances where none is ready: Envoy's panic threshold."""


@pytest.mark.parametrize("proxy", PROXIES, ids=str)
def test_broken_instances_get_no_request_until_they_work_and_a_rolling_restart_loses_none(
    proxy: Proxy, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        addresses = [stack.enter_context(held_port()) for _ in range(2)]
        stacks = [stack.enter_context(ExitStack()) for _ in addresses]
        backends = [
            each.enter_context(launched(UVICORN, address, SETTINGS))
            for each, address in zip(stacks, addresses, strict=True)
        ]
        processes = [backend.process.pid for backend in backends]
        address = stack.enter_context(proxying(proxy, printed_for(proxy, SETTINGS, addresses, tmp_path), tmp_path))
        wait_until(lambda: set(served_by(address)) == set(processes), "both get requests")

        down = backends[0].folder.path / "down"
        down.touch()
        wait_until(lambda: set(served_by(address)) == {processes[1]}, "the broken one gets no request")

        both = [backend.folder.path / "down" for backend in backends]
        both[1].touch()
        if proxy.name in SEND_TO_ALL:
            wait_until(lambda: set(served_by(address)) == set(processes), "both broken ones get requests")
        else:
            wait_until(lambda: ask(address, "GET", "/process").status == 503, "clients get the error of the proxy")
        for each in both:
            each.unlink()
        wait_until(lambda: ask(address, "GET", "/process").status == 200, "requests are answered again")
        wait_until(lambda: set(served_by(address)) == set(processes), "it gets requests again")

        outcomes = Outcomes()
        with load(address, outcomes):
            for number in range(2):
                end = backends[number].stop()
                stacks[number].close()
                backends[number] = stacks[number].enter_context(launched(UVICORN, addresses[number], SETTINGS))
                processes[number] = backends[number].process.pid
                end.assert_quiet()
                wait_until(lambda: set(served_by(address)) == set(processes), "the new one gets requests")
        assert not outcomes.lost
        assert outcomes.requests > 100
