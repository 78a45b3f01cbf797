"""The events at the app: what a watcher gets, when its stream ends, and what watching costs."""

import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from asgi_health import Check, Health, HealthMiddleware
from asgi_health.asgi.events import feed as feed_module
from asgi_health.asgi.events.page_fragments import PageFragments
from asgi_health.asgi.types import Message, Receive, Scope, Send
from asgi_health.core.report import CheckReport
from asgi_health.health import engine_of
from asgi_health.runtime import services as services_module

from ..support.asgi_caller import ask
from ..support.event_client import PATH, Watching, parse, retries, watching
from ..support.hosts import FAILS, join, worker
from ..support.known_state import make_check
from ..support.lifespan_apps import lifespan_app
from ..support.lifespan_driver import serving, tasks_and_threads
from ..support.virtual_time import BACKENDS, clock_of, run_virtual
from ..support.waiting import turns_during

HOUR = 3600.0

pytestmark = pytest.mark.parametrize("backend", BACKENDS)


class Checks:
    """Checks whose results a test sets, on a virtual clock."""

    def __init__(self, backend: str, *names: str, interval: float = 1.0, **options: Any) -> None:
        self.failing: dict[str, str] = {}
        settings = {"interval": interval, "timeout": min(10.0, interval / 2), "failure_threshold": 1}
        self._options: dict[str, Any] = settings | options
        self.clock = clock_of(backend)
        self.health = Health([self.make(name) for name in names], clock=self.clock, random=lambda: 0.5)

    def make(self, name: str) -> Check:
        async def run() -> None:
            if name in self.failing:
                raise RuntimeError(self.failing[name])

        return Check(name, run, **self._options)

    def app(self, **options: Any) -> HealthMiddleware:
        return HealthMiddleware(lifespan_app, self.health, **{"details": True, "slow_loop": 0.0, **options})


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the checks that were rendered, in order."""
    names: list[str] = []
    original = PageFragments.check

    def check(self: PageFragments, check: CheckReport, now: float) -> str:
        names.append(check.name)
        return original(self, check, now)

    monkeypatch.setattr(PageFragments, "check", check)
    return names


# -- what a watcher gets


def test_a_watcher_gets_the_whole_state_at_once(backend: str) -> None:
    checks = Checks(backend, "db", "cache", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            await anyio.sleep(1.0)
            began = checks.clock()
            async with watching(app) as (watcher,):
                await watcher.wait_for_state()
                assert checks.clock() - began < 0.1
            start = watcher.messages[0]
            assert start["status"] == 200
            assert dict(start["headers"]) == {
                b"content-type": b"text/event-stream",
                b"cache-control": b"no-store, no-transform",
                b"x-accel-buffering": b"no",
                b"x-content-type-options": b"nosniff",
            }
            assert watcher.body.startswith(b"retry: 2000\n\n")
            assert watcher.names() == ["head", "checks", "check", "check", "updated"]
            head, names, db, cache, updated = watcher.events
            assert "<b>2</b> pass" in head.data
            assert names.data == "check-db\ncheck-cache"
            assert 'id="check-db"' in db.data
            assert 'id="check-cache"' in cache.data
            assert [each.id for each in (head, names, db, cache)] == [None] * 4
            assert updated.id is not None

    run_virtual(backend, main)


def test_a_change_comes_within_a_second_and_alone(backend: str) -> None:
    checks = Checks(backend, "db", interval=1.0)
    checks.health.add(Check("cache", checks.make("cache").run, interval=HOUR))

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app) as (watcher,):
            await watcher.wait_for_state(2)
            checks.failing["db"] = "refused"
            began, count = checks.clock(), len(watcher.events)
            await watcher.wait_for(lambda each: b"refused" in each.body, "the change has come")
            assert checks.clock() - began < 1.0 + 1.0  # the interval of the check, and a second
            await watcher.wait_for_state(watcher.states() + 1)
            assert watcher.checks(count) == {"db"}
            assert any("<b>1</b> fail" in each.data for each in watcher.events[count:] if each.name == "head")

    run_virtual(backend, main)


def test_changes_that_come_together_make_one_state_per_half_second(backend: str) -> None:
    checks = Checks(backend, *(f"c{number}" for number in range(20)), interval=0.1)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app) as (watcher,):
            await anyio.sleep(10.0)
            assert 15 <= watcher.states() <= 21

    run_virtual(backend, main)


def test_a_check_that_is_removed_and_one_that_is_added(backend: str) -> None:
    checks = Checks(backend, "db", "cache", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app) as (watcher,):
            await anyio.sleep(2.0)
            count, state = len(watcher.events), watcher.states()
            checks.health.remove("db")
            await watcher.wait_for_state(state + 1)
            assert [each.data for each in watcher.events[count:] if each.name == "removed"] == ["check-db"]
            assert watcher.checks(count) == set()
            count, state = len(watcher.events), watcher.states()
            checks.health.add(checks.make("db"))
            await watcher.wait_for_state(state + 1)
            assert watcher.checks(count) == {"db"}

    run_virtual(backend, main)


def test_the_workers_of_the_host_are_part_of_the_head_and_the_one_that_runs_a_check_of_its_row(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)
    checks.health.add(Check("queue", checks.make("queue").run, interval=HOUR, scope="host"))

    async def main() -> None:
        app = checks.app()
        engine = engine_of(checks.health)
        async with serving(app), watching(app) as (watcher,):
            join(engine, checks.clock(), worker(1), leader="w1")
            await watcher.wait_for(lambda each: b"run by worker 4242" in each.body, "worker 4242 runs the check")
            count, state = len(watcher.events), watcher.states()
            join(engine, checks.clock(), worker(1, readiness=FAILS), worker(2), leader="w2")
            await watcher.wait_for_state(state + 1)
            assert watcher.checks(count) == {"queue"}
            (head,) = [each.data for each in watcher.events[count:] if each.name == "head"]
            assert "database fails" in head
            assert "runs the checks of the host" in head

    run_virtual(backend, main)


def test_a_result_that_grows_stale_is_a_change(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            async with watching(app) as (watcher,):
                await anyio.sleep(2.0)
            last_id = watcher.last_id
            # No result comes any more, and nothing else changes: the runner has ended.
            app._services.runner.cancel()
            await anyio.sleep(4 * HOUR)
            async with watching(app, headers=[(b"last-event-id", last_id.encode())]) as (watcher,):
                await watcher.wait_for(lambda each: b"stale" in each.body, "the check is stale")

    run_virtual(backend, main)


def test_while_nothing_changes_a_comment_comes_every_fifteen_seconds(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asgi_health.asgi.events.watcher.LIFETIME", HOUR)
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app) as (watcher,):
            await anyio.sleep(5.0)
            before = watcher.body
            await anyio.sleep(60.0)
            assert watcher.body == before + b":\n\n" * 4

    run_virtual(backend, main)


# -- connecting again


@pytest.mark.parametrize("form", ["header", "query"])
def test_a_known_id_gets_what_has_changed_since(backend: str, form: str) -> None:
    checks = Checks(backend, "db", "cache", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            async with watching(app) as (watcher,):
                await anyio.sleep(2.0)
            checks.health.remove("cache")
            checks.health.add(checks.make("queue"))
            await anyio.sleep(30.0)
            last_id = watcher.last_id.encode()
            more: dict[str, Any] = (
                {"headers": [(b"last-event-id", last_id)]}
                if form == "header"
                else {"query": b"last-event-id=" + last_id}
            )
            async with watching(app, **more) as (again,):
                await again.wait_for_state()
            assert again.checks() == {"queue"}
            assert [each.data for each in again.events if each.name == "removed"] == ["check-cache"]
            # Several states later the client gets the names of all checks instead.
            checks.health.remove("queue")
            async with watching(app) as (other,):
                await other.wait_for_state()
            async with watching(app, **more) as (again,):
                await again.wait_for_state()
            assert [each.data for each in again.events if each.name == "checks"] == ["check-db"]
            assert again.checks() == set()

    run_virtual(backend, main)


def test_clients_with_different_last_states_each_get_what_they_miss(backend: str) -> None:
    names = [f"c{number}" for number in range(20)]
    checks = Checks(backend, interval=HOUR)

    async def main() -> None:
        app = checks.app()
        ids: list[str] = []
        async with serving(app):
            async with watching(app) as (watcher,):
                await watcher.wait_for_state()
                ids.append(watcher.last_id)
                for number, name in enumerate(names):
                    checks.health.add(checks.make(name))
                    await anyio.sleep(0.6)
                    assert len(watcher.checks()) == number + 1
                    ids.append(watcher.last_id)
            for number, last_id in enumerate(ids[:-1]):
                async with watching(app, headers=[(b"last-event-id", last_id.encode())]) as (again,):
                    await again.wait_for_state()
                assert again.checks() == set(names[number:])

    run_virtual(backend, main)


def test_the_id_of_the_present_state_gets_nothing_twice(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            async with watching(app) as (watcher,):
                await anyio.sleep(2.0)
            async with watching(app, headers=[(b"last-event-id", watcher.last_id.encode())]) as (again,):
                await anyio.sleep(2.0)
            assert again.events == []

    run_virtual(backend, main)


@pytest.mark.parametrize("last_id", [b"", b"0123456789ab-1", b"\xff", b"-", b"x" * 5000], ids=len)
def test_an_unknown_id_gets_the_whole_state(backend: str, last_id: bytes) -> None:
    checks = Checks(backend, "db", "cache", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            await anyio.sleep(1.0)
            async with watching(app, headers=[(b"last-event-id", last_id)]) as (watcher,):
                await watcher.wait_for_state()
            assert watcher.checks() == {"db", "cache"}

    run_virtual(backend, main)


# -- when a stream ends


def test_a_stream_ends_within_twenty_seconds_and_the_client_connects_at_once(backend: str) -> None:
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app, 10) as watchers:
            await anyio.sleep(15.0)
            assert not any(each.ended for each in watchers)
            await anyio.sleep(5.1)
            for each in watchers:
                assert each.ended
                assert each.complete
                assert retries(each.body) == [2000, 100]

    run_virtual(backend, main)


def test_a_client_that_disconnects_is_forgotten_at_once(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            await anyio.sleep(1.0)
            before = tasks_and_threads()
            async with watching(app, 3) as watchers:
                await anyio.sleep(2.0)
                began = checks.clock()
                watchers[0].disconnect()
                await watchers[0].wait_for(lambda each: each.ended, "it has ended")
                assert checks.clock() - began < 0.1
                assert not watchers[0].complete, "nothing is sent to a client that has gone"
                assert not watchers[1].ended
            await anyio.sleep(0.1)
            assert tasks_and_threads() == before, "nothing runs while there is no watcher"

    run_virtual(backend, main)


def test_streams_end_when_the_lifespan_ends(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with anyio.create_task_group() as group:
            watcher = Watching()
            async with serving(app):
                group.start_soon(watcher.run, app)
                await watcher.wait_for_state()
                began = checks.clock()
            await watcher.wait_for(lambda each: each.ended, "it has ended")
            assert checks.clock() - began < 0.5
            assert watcher.complete
            assert retries(watcher.body) == [2000], "the client waits until the server is back"

    run_virtual(backend, main)


def test_streams_end_when_the_server_shows_that_it_stops(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app, 3) as watchers:
            await watchers[0].wait_for_state()
            monkeypatch.setattr(services_module, "server_stops", lambda: True)
            await anyio.sleep(0.2)
            assert all(each.ended and each.complete for each in watchers)
            async with watching(app) as (late,):
                await anyio.sleep(0.2)
                assert late.complete, "one that comes meanwhile ends too"

    run_virtual(backend, main)


def test_the_oldest_of_too_many_watchers_ends_and_comes_back_later(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MAX_WATCHERS", 3)
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app, 3) as watchers:
            await anyio.sleep(1.0)
            async with watching(app, 2) as others:
                await anyio.sleep(2.0)
                ended = [each for each in watchers if each.ended]
                assert len(ended) == 2
                assert not any(each.ended for each in others)
                for each in ended:
                    assert each.complete
                    assert retries(each.body) == [2000, 60_000]

    run_virtual(backend, main)


def test_a_client_that_does_not_read_is_given_up_and_delays_no_other(backend: str) -> None:
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            await anyio.sleep(0.25)  # no run of the check is in progress
            before = tasks_and_threads()
            async with watching(app, 2) as (stuck, other):
                await other.wait_for_state()
                stuck.stuck = True
                await anyio.sleep(10.0)
                assert other.states() > 8
                await anyio.sleep(12.0)
                assert stuck.ended
                assert stuck.error is None
                assert not stuck.complete
            await anyio.sleep(0.25)
            assert tasks_and_threads() == before

    run_virtual(backend, main)


def test_replaced_clients_that_do_not_read_are_given_up_and_never_pile_up(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MAX_WATCHERS", 3)
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            await anyio.sleep(0.25)  # no run of the check is in progress
            before = tasks_and_threads()
            async with watching(app, 20) as watchers:
                for each in watchers:
                    each.stuck = True
                await anyio.sleep(1.0)
                assert sum(not each.ended for each in watchers) == 3 + 3
                await anyio.sleep(22.0)
                assert all(each.ended for each in watchers)
                assert tasks_and_threads() == before
            assert [each.error for each in watchers] == [None] * 20

    run_virtual(backend, main)


def test_an_error_of_a_middleware_outside_is_raised_to_it(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()

        async def broken(scope: Scope, receive: Receive, send: Send) -> None:
            async def fail(message: Message) -> None:
                if message["type"] == "http.response.body":
                    raise ValueError("the middleware's own")
                await send(message)

            await app(scope, receive, fail)

        async with serving(app):
            await anyio.sleep(1.0)
            before = tasks_and_threads()
            async with watching(broken) as (watcher,):
                await watcher.wait_for(lambda each: each.ended, "it has ended")
            assert str(watcher.error) == "the middleware's own"
            await anyio.sleep(0.2)
            assert tasks_and_threads() == before

    run_virtual(backend, main)


def test_a_server_that_raises_because_the_client_has_gone_sees_no_error(backend: str) -> None:
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()

        async def closed(scope: Scope, receive: Receive, send: Send) -> None:
            async def fail(message: Message) -> None:
                if message["type"] == "http.response.body":
                    raise OSError("the client has gone")
                await send(message)

            await app(scope, receive, fail)

        async with serving(app), watching(closed) as (watcher,):
            await watcher.wait_for(lambda each: each.ended, "it has ended")
            assert watcher.error is None

    run_virtual(backend, main)


def test_an_error_while_rendering_ends_the_streams_and_is_logged_once(
    backend: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: PageFragments, check: CheckReport, now: float) -> str:
        raise ValueError("cannot be rendered")

    monkeypatch.setattr(PageFragments, "check", fail)
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            for _ in range(3):
                async with watching(app, 2) as watchers:
                    await anyio.sleep(1.0)
                    assert all(each.complete for each in watchers)
            assert (await ask(app, "/readyz")).status == 200

    run_virtual(backend, main)
    assert sum(each.levelno == logging.ERROR for each in caplog.records) == 1


# -- what it costs


def test_each_change_is_rendered_once_however_many_watch(backend: str, rendered: list[str]) -> None:
    checks = Checks(backend, "db", interval=2.0)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app, 50) as watchers:
            await anyio.sleep(9.5)
            bodies = {each.body for each in watchers}
            assert len(bodies) == 1, "all get the same bytes"
            assert len(rendered) <= 6
            pieces = [each.messages[2]["body"] for each in watchers]
            assert all(piece is pieces[0] for piece in pieces), "and the same object"

    run_virtual(backend, main)


def test_nothing_is_rendered_while_there_is_no_watcher(backend: str, rendered: list[str]) -> None:
    checks = Checks(backend, "db")

    async def main() -> None:
        app = checks.app()
        async with serving(app):
            await anyio.sleep(60.0)
            assert rendered == []
            async with watching(app) as (watcher,):
                await watcher.wait_for_state()
            await anyio.sleep(1.0)
            count = len(rendered)
            await anyio.sleep(60.0)
            assert len(rendered) == count

    run_virtual(backend, main)


def test_a_thousand_checks_are_rendered_in_steps(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asgi_health.asgi.steps.MAX_STEP", 0.0)
    health = Health([make_check(f"c{number}") for number in range(1000)])

    async def main() -> None:
        async with watching(HealthMiddleware(lifespan_app, health, details=True)) as (watcher,):
            assert await turns_during(watcher.wait_for_state) > 1000
            assert len(watcher.checks()) == 1000
            assert max(len(each["body"]) for each in watcher.messages[1:]) <= 32_768

    anyio.run(main, backend=backend)  # in virtual time, turns of the loop take none


def test_a_slow_client_gets_fewer_and_newer_states(backend: str) -> None:
    checks = Checks(backend, "db", interval=0.5)

    async def main() -> None:
        app = checks.app()

        async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
            async def slow(message: Message) -> None:
                await send(message)
                await anyio.sleep(3.0)

            await app(scope, receive, slow)

        async with serving(app), watching(slowly) as (slow,), watching(app) as (quick,):
            await anyio.sleep(14.0)
            assert slow.states() <= 5
            assert quick.states() > 20
            assert slow.events[-1].data in {each.data for each in quick.events[-8 * 4 :]}

    run_virtual(backend, main)


# -- where there is no lifespan, and in a drain


def test_the_events_go_on_in_another_loop(backend: str) -> None:
    checks = Checks(backend, "db", interval=1.0)
    app = checks.app()

    async def main() -> None:
        async with watching(app) as (watcher,):
            await watcher.wait_for_state(2)
            assert watcher.checks() == {"db"}

    run_virtual(backend, main)
    run_virtual(backend, main, start=checks.clock())


def test_without_lifespan_watching_runs_the_checks_that_are_due(backend: str) -> None:
    checks = Checks(backend, "db", interval=1.0)

    async def main() -> None:
        app = checks.app()
        async with watching(app) as (watcher,):
            await watcher.wait_for(lambda each: b'id="check-db" class="check pass"' in each.body, "it has run")
            checks.failing["db"] = "refused"
            await watcher.wait_for(lambda each: b"refused" in each.body, "it has run again")

    run_virtual(backend, main)


def test_a_drain_ends_no_stream_and_shows_itself(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app) as (watcher,):
            await watcher.wait_for_state()
            checks.health.drain()
            await watcher.wait_for(lambda each: b"Draining" in each.body, "the drain is shown")
            assert not watcher.ended
            async with watching(app) as (late,):
                await late.wait_for_state()
            assert (b"connection", b"close") in late.messages[0]["headers"]
            assert (b"connection", b"close") not in watcher.messages[0]["headers"]

    run_virtual(backend, main)


# -- under other middlewares


def test_messages_and_headers_are_new_for_each_request(backend: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()

        async def vandal(scope: Scope, receive: Receive, send: Send) -> None:
            async def change(message: Message) -> None:
                copy = dict(message)
                if "headers" in message:
                    copy["headers"] = list(message["headers"])
                    message["headers"].clear()
                await send(copy)
                message.clear()

            await app(scope, receive, change)

        async with serving(app), watching(vandal, 2) as (first, second):
            await first.wait_for_state()
            await second.wait_for_state()
            assert first.messages[0] == second.messages[0]
            assert len(first.messages[0]["headers"]) == 4
            assert parse(first.body) == parse(second.body)

    run_virtual(backend, main)


@pytest.mark.parametrize(
    ("path", "root_path"),
    [(PATH, ""), (f"{PATH}/", ""), (f"/mount{PATH}", "/mount"), (PATH, "/mount")],
    ids=["root", "slash", "mount", "root_path alone"],
)
def test_it_is_found_below_a_mount(backend: str, path: str, root_path: str) -> None:
    checks = Checks(backend, "db", interval=HOUR)

    async def main() -> None:
        app = checks.app()
        async with serving(app), watching(app, path=path, root_path=root_path) as (watcher,):
            await watcher.wait_for_state()

    run_virtual(backend, main)
