"""Opens a stream of events for each request that asks for one."""

from collections.abc import Awaitable, Callable
from threading import Lock
from urllib.parse import parse_qsl

from ...core.engine import Engine
from ...formats.events import NO_STREAM, STREAM_HEAD
from ...formats.fragments import Fragments
from ...listener.interface import StallOf, Stream, StreamedAnswer
from ...runtime.backends.detection import current_backend
from ..query import MAX_QUERY
from ..types import Scope
from .event_id import moment_of
from .feed import Feed, FeedHooks

LAST_EVENT_ID = "last-event-id"
"""The header with which a client connects again. In the query for the first time: a page knows the state that it shows,
and EventSource cannot set a header."""


class EventStreams:
    """The streams of events of one app: one feed for each event loop that has watchers.

    The event loop of the app and that of the listener may use it at the same time.

    Args:
        engine: The engine.
        fragments: Renders what the events carry.
    """

    __slots__ = ("_engine", "_feeds", "_fragments", "_lock")

    def __init__(self, engine: Engine, fragments: Fragments) -> None:
        self._engine = engine
        self._fragments = fragments
        self._feeds: dict[object, Feed] = {}
        self._lock = Lock()

    def answer(
        self,
        scope: Scope,
        stall_of: StallOf,
        is_over: Callable[[], bool],
        run_due: Callable[[], Awaitable[None]] | None,
    ) -> StreamedAnswer:
        """Return the answer to a request for the events; only GET gets a body. `FeedHooks` explains the others."""
        method = scope.get("method")
        if method != "GET":
            return StreamedAnswer(STREAM_HEAD if method == "HEAD" else NO_STREAM, None)
        hooks = FeedHooks(stall_of, is_over, run_due)
        since = moment_of(_last_event_id(scope))

        def start(give_up: Callable[[], None]) -> Stream:
            return self._feed(hooks).join(since, give_up)

        return StreamedAnswer(STREAM_HEAD, start)

    def _feed(self, hooks: FeedHooks) -> Feed:
        """Return the feed of the present event loop. That of a loop that has ended is dropped."""
        loop = current_backend().loop
        with self._lock:
            feed = self._feeds.get(loop)
            if feed is None:
                self._feeds = {key: each for key, each in self._feeds.items() if each.backend.running()}
                feed = self._feeds[loop] = Feed(self._engine, self._fragments, hooks)
            return feed


def _last_event_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            return str(value.decode("latin-1"))
    query = scope.get("query_string")
    if not isinstance(query, bytes) or len(query) > MAX_QUERY:
        return ""
    return dict(parse_qsl(query.decode("latin-1"))).get(LAST_EVENT_ID, "")
