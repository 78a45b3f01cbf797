"""Checks whose drivers are instrumented with OpenTelemetry, and the servers that they ask."""

import socketserver
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import redis
import redis.asyncio
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.trace import TracerProvider
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

CheckFunction = Callable[[], object]


class _Http(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


class _Resp(socketserver.StreamRequestHandler):
    """Answer each command of Redis with PONG."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            for _ in range(2 * int(line[1:])):
                self.rfile.readline()
            self.wfile.write(b"+PONG\r\n")


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def serving(server: socketserver.TCPServer) -> Generator[int]:
    """Serve in a thread, and yield the port."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def http_server() -> Generator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Http)) as port:
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def redis_server() -> Generator[int]:
    with serving(_TcpServer(("127.0.0.1", 0), _Resp)) as port:
        yield port


async def _httpx(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    url = stack.enter_context(http_server())
    client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
    HTTPXClientInstrumentor.instrument_client(client, tracer_provider=provider)

    async def check() -> None:
        await client.get(url)

    return check


async def _httpx_in_a_thread(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    url = stack.enter_context(http_server())
    client = stack.enter_context(httpx.Client(trust_env=False))
    HTTPXClientInstrumentor.instrument_client(client, tracer_provider=provider)
    return lambda: client.get(url).is_success


async def _httpx_awaited_for_a_plain_function(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    check = await _httpx(stack, provider)
    return lambda: check()  # noqa: PLW0108  not a coroutine function


async def _redis(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    # protocol=2: the server of these tests knows no HELLO, with which newer clients begin.
    client = redis.asyncio.Redis(port=stack.enter_context(redis_server()), protocol=2)
    stack.push_async_callback(client.aclose)
    RedisInstrumentor.instrument_client(client, tracer_provider=provider)

    async def check() -> None:
        await client.ping()

    return check


async def _redis_in_a_thread(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    client = redis.Redis(port=stack.enter_context(redis_server()), protocol=2)
    stack.callback(client.close)
    RedisInstrumentor.instrument_client(client, tracer_provider=provider)
    return lambda: bool(client.ping())


async def _sqlalchemy(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    engine = create_async_engine("sqlite+aiosqlite://")
    stack.push_async_callback(engine.dispose)
    SQLAlchemyInstrumentor().instrument(engine=engine.sync_engine, tracer_provider=provider, skip_dep_check=True)
    stack.callback(SQLAlchemyInstrumentor().uninstrument)

    async def check() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    return check


async def _sqlalchemy_in_a_thread(stack: AsyncExitStack, provider: TracerProvider) -> CheckFunction:
    # Without a pool: the thread of the run ends, and would leave its connection to the garbage collector.
    engine = create_engine("sqlite://", poolclass=NullPool)
    SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=provider, skip_dep_check=True)
    stack.callback(SQLAlchemyInstrumentor().uninstrument)

    def check() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    return check


DRIVERS: dict[str, Callable[[AsyncExitStack, TracerProvider], Awaitable[CheckFunction]]] = {
    "httpx": _httpx,
    "httpx in a thread": _httpx_in_a_thread,
    "httpx, awaited for a plain function": _httpx_awaited_for_a_plain_function,
    "redis": _redis,
    "redis in a thread": _redis_in_a_thread,
    "sqlalchemy": _sqlalchemy,
    "sqlalchemy in a thread": _sqlalchemy_in_a_thread,
}


@asynccontextmanager
async def instrumented(driver: str, provider: TracerProvider) -> AsyncGenerator[CheckFunction]:
    """Yield the check function of a driver, whose spans go to `provider`."""
    async with AsyncExitStack() as stack:
        yield await DRIVERS[driver](stack, provider)
