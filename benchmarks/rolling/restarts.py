"""Restart one backend after the other under load."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import BOOT, Exit, Running
from tests.servers.servers import Server
from tests.support.waiting import wait_until

from .backend import Address, Settings, held_port, launched
from .haproxy import Balancer, View, balancing
from .load import Outcomes, load

DELAY = 1.0
"""Seconds of the drain: twenty of HAProxy's checks, and three of the slow requests."""
BACKENDS = (0, 1)


@dataclass(frozen=True)
class Outcome:
    """The outcome of the restarts of a pair of servers."""

    answered: Counter[str]
    """Requests, by the name of the client."""
    lost: Counter[str]
    """Requests, by the name of the client and what it got instead."""
    drains: int
    """How often HAProxy took a backend out because its readiness answered 503."""
    views: tuple[View, ...]
    exits: tuple[Exit, ...]
    log: str
    """HAProxy's log."""

    @property
    def requests(self) -> int:
        return self.answered.total() + self.lost.total()


@dataclass
class Pair:
    """Two backends of one kind behind HAProxy."""

    server: Server
    settings: Settings
    balancer: Balancer
    addresses: list[Address]
    stacks: list[ExitStack]
    running: dict[int, Running]

    def start(self, number: int) -> None:
        backend = launched(self.server, self.addresses[number], self.settings)
        self.running[number] = self.stacks[number].enter_context(backend)

    def wait_for_up(self, number: int) -> None:
        backend = self.running[number]

        def is_up() -> bool:
            code = backend.process.poll()
            assert code is None, f"{self.server} ended with {code}\n{backend.log}"
            view = self.balancer.see(number)
            return view.up and view.check == "L7OK"

        wait_until(is_up, f"HAProxy reports {self.server} as up\n{self.balancer.log}\n{backend.log}", BOOT)

    def restart(self, number: int) -> Exit:
        """Stop one backend by SIGTERM and start it again; return when HAProxy sends it requests again."""
        end = self.running[number].stop()
        # Without a drain HAProxy may still report the old process as up when the new one does not answer yet.
        wait_until(
            lambda: not self.balancer.see(number).up, f"HAProxy reports {self.server} as down\n{self.balancer.log}"
        )
        self.stacks[number].close()
        self.start(number)
        self.wait_for_up(number)
        return end


@contextmanager
def pair(server: Server, settings: Settings) -> Iterator[Pair]:
    """Start HAProxy and two backends, and wait until it reports both as up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asgi-health-")))
        addresses = [stack.enter_context(held_port()) for _ in BACKENDS]
        balancer = stack.enter_context(balancing(addresses, folder))
        made = Pair(server, settings, balancer, addresses, [stack.enter_context(ExitStack()) for _ in BACKENDS], {})
        for number in BACKENDS:
            made.start(number)
        for number in BACKENDS:
            made.wait_for_up(number)
        yield made


def roll(server: Server, settings: Settings, restarts: int) -> Outcome:
    """Restart two backends in turn under continuous load, `restarts` times in all."""
    outcomes = Outcomes()
    with pair(server, settings) as backends:
        balancer = backends.balancer
        with load(balancer.address, outcomes):
            wait_for_more(outcomes)
            exits = []
            for turn in range(restarts):
                exits.append(backends.restart(BACKENDS[turn % len(BACKENDS)]))
                wait_for_more(outcomes)
        views = tuple(balancer.see(number) for number in BACKENDS)
        drains = sum(balancer.drains(number) for number in BACKENDS)
        return Outcome(outcomes.answered, outcomes.lost, drains, views, tuple(exits), balancer.log)


def wait_for_more(outcomes: Outcomes) -> None:
    """Wait for twenty more requests, so that both backends have served some."""
    before = outcomes.requests
    wait_until(lambda: outcomes.requests > before + 20, "the clients get answers")
