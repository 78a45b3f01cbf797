"""The page docs/checks.md: ``python -m asgi_health.checks`` prints it."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from .catalogue import CatalogueEntry, entries

BEGIN = """\
# Ready-made checks

Where there is a client to ask with, a check takes the application's own, or a function without arguments that returns
it once it is there, for a client that is made in the lifespan. The others take what names their subject: of a database
of Django the alias, for TCP, TLS and DNS the host, for `sqlite_database` and `disk_free` the path. Those of the process
itself take limits.

<!-- with: DATABASE -->
```python
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI

from asgi_health import Check, HealthMiddleware
from asgi_health.checks.postgres import asyncpg_pool


@asynccontextmanager
async def lifespan(api):
    async with asyncpg.create_pool(DATABASE) as api.state.pool:
        yield


api = FastAPI(lifespan=lifespan)
app = HealthMiddleware(api, checks=[Check("database", asyncpg_pool(lambda: api.state.pool), timeout=1.0)])
```

The deadline of the check covers all that it does. None of them takes a message that is meant for others. None
publishes or writes but `celery.celery_workers`: a broker must note who listens, and workers are asked for their queues
by a message. A pool that is exhausted while the
server answers is degraded, `pool exhausted: 20 of 20 in use`. The driver comes with your application, or with the
extra: `pip install "asgi-health[postgres]"`.

Most drivers of asynchronous clients need asyncio, on its own loop or on uvloop: on trio their checks fail and say so.
What has no driver, what is asked in a thread, and `http.httpx_url` work on trio too.

| technology | check, in `asgi_health.checks` | extra | asked | cost of a run | privileges |
|---|---|---|---|---|---|
"""

ADVICE = """
## What an answer does not tell

**That writes are taken.** After a failover the client may sit on a standby: it answers every ping, and refuses every
write. `writable=True`, where a check of a database has it, asks for that in place of the ping, in as many round trips,
still without writing. Whether the user may write to a table, and whether there is room on the disk, only a write tells;
what else each check does not see stands with it below.

**That work is done.** A connection that is open, and a heartbeat, say that a process is alive.

- RabbitMQ has cancelled the consumer, because its queue was deleted or moved: messages pile up, and
  `amqp.aio_pika_connection` is well. `amqp.rabbitmq_queue` counts consumers, and messages that wait.
- A Celery worker was started for other queues, or no longer consumes one: its heartbeats go on.
  `celery.celery_workers(..., queues=["mail"])` asks for that.
- A consumer of Kafka was thrown out of its group, or got no partition: `kafka.aiokafka_client` is well.
  `kafka.aiokafka_consumer` counts its partitions, and how many messages it is behind.
- A task or a handler hangs: consumer, heartbeat and partitions stay what they are. A bound for what waits tells in the
  end (`max_messages`, `max_lag`), and so does `heartbeat.Heartbeat`, where the loop of the work itself calls `beat()`.

## A client that is closed for good

Most clients connect again by themselves, and a restart of the process would mend nothing: their checks belong to
readiness. Some end for good: that of nats-py when it has used up `max_reconnect_attempts` (60 unless you set it), a
pool that something has closed. Then readiness is 503 until the process is restarted, and what restarts it asks
liveness. So tell liveness of that, and of that alone:

<!-- with: NATS -->
```python
from contextlib import asynccontextmanager

import nats
from fastapi import FastAPI

from asgi_health import Check, HealthMiddleware, Probe
from asgi_health.checks.nats import nats_client


@asynccontextmanager
async def lifespan(api):
    api.state.nats = await nats.connect(NATS)
    yield
    await api.state.nats.close()


api = FastAPI(lifespan=lifespan)


async def not_closed():
    client = getattr(api.state, "nats", None)  # there is none before the startup has made it
    if client is not None and client.is_closed:
        raise RuntimeError("the client of NATS is closed for good: a restart brings another")


app = HealthMiddleware(
    api,
    checks=[
        Check("nats", nats_client(lambda: api.state.nats)),
        Check("nats-client", not_closed, probes=(Probe.LIVENESS,)),
    ],
)
```

While the client reconnects, readiness is 503 and liveness 200. Others tell it so:

| client | is closed for good when |
|---|---|
| nats-py | `client.is_closed` |
| asyncpg, a pool | `client.is_closing()` |
| psycopg, a pool | `client.closed` |
| aiomysql, a pool | `client.closed` |
| aio-pika, a connection | `client.is_closed` |

A plain connection of aio-pika that was lost does not connect again, and is not closed: `aio_pika.connect_robust` makes
one that does. An engine of SQLAlchemy, and a client of Redis, connect anew after they were closed.
"""

ARGUMENTS = """
## Each in detail

`ClientOrFactory[Pool]` is a `Pool`, or a plain function without arguments that returns it.

An `AsyncCheck` runs in the event loop, and its deadline cancels it. A `PlainCheck`, as one with a blocking driver is,
runs in a thread, which nothing can cancel: the failure is published at the deadline all the same, but the thread goes
on until the driver gives up, and until then there is no other run of that check. So give such a client timeouts of its
own. Where both kinds of client are taken (`Callable[[], object]`), the check is of the kind of its client.
"""

END = """
This page is written by `python -m asgi_health.checks > docs/checks.md`.
"""


def document() -> str:
    """Return docs/checks.md."""
    table = entries()
    cells = "".join(map(_line, table))
    calls = "".join(
        f"\n### `{row.function}`\n\n```python\n{signature(row.make)}\n```\n\n{row.docstring}\n" for row in table
    )
    return f"{BEGIN}{cells}{ADVICE}{ARGUMENTS}{calls}{END}"


def _line(row: CatalogueEntry) -> str:
    extra = f"`{row.extra}`" if row.extra else "–"
    cells = (row.technology, f"`{row.function}`", extra, row.asked, row.costs, row.privileges)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def signature(function: Callable[..., Any]) -> str:
    """Return ``name(argument: Kind, *, option: Kind = default) -> Kind`` of a function or a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    made = _maker(tree) if isinstance(tree, ast.ClassDef) else tree
    assert isinstance(made, ast.FunctionDef)
    defaults = [None] * (len(made.args.args) - len(made.args.defaults)) + [*made.args.defaults]
    arguments = [_argument(*each) for each in zip(made.args.args, defaults, strict=True) if each[0].arg != "self"]
    if made.args.kwonlyargs:
        arguments.append("*")
    arguments += [_argument(*each) for each in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)]
    returns = "" if made is not tree else f" -> {_kind(made.returns)}"
    return f"{function.__name__}({', '.join(arguments)}){returns}"


def _maker(tree: ast.ClassDef) -> ast.stmt:
    return next(each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = f"{argument.arg}: {_kind(argument.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _kind(annotation: ast.expr | None) -> str:
    """Return an annotation, without the quotes around what is imported for type checkers alone."""
    assert annotation is not None
    quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return ast.literal_eval(annotation) if quoted else ast.unparse(annotation)
