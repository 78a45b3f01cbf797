"""The status page at the listener: the same as at the app, also while the event loop is blocked."""

from pathlib import Path

from asgi_health import HealthMiddleware, Listener

from ..servers.wire import ask
from ..support.app_thread import Blocked, running_app
from ..support.asgi_caller import echo_nothing
from ..support.html_reader import read_html
from ..support.waiting import wait_until


def page(path: str) -> str:
    answer = ask(path, "GET", "/health", [("accept", "text/html")])
    return read_html(answer.body).text("head")


def test_while_the_loop_is_blocked_the_page_names_what_blocks_it(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    listener = Listener(path, stall_ready=0.5, stall_live=30.0)
    app = HealthMiddleware(echo_nothing, {"a": lambda: None}, details=True, listener=listener, slow_loop=0.3)
    with running_app(app) as portal:
        wait_until(lambda: "Healthy" in page(path), "it is healthy")
        with Blocked(portal):
            wait_until(lambda: "The event loop is blocked" in page(path), lambda: page(path))
            wait_until(lambda: "by _block (" in page(path), lambda: page(path))
            found = page(path)
            assert "no request is answered meanwhile" in found
            assert "Ready fail 503" in found
            assert "Live pass 200" in found
        wait_until(lambda: "Healthy" in page(path), "it is healthy again")
        wait_until(lambda: "blocked once since the start" in page(path), lambda: page(path))
        assert "last by _block (" in page(path)
