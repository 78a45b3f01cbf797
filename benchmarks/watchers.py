"""Clients that watch the events of a server while its probes are measured."""

import selectors
import socket
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Thread

from .servers import HOST

PATH = "/health/events"
_REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@contextmanager
def watching(port: int, count: int) -> Generator[None]:
    """Keep `count` streams open until the end of the block, and read them as fast as they come.

    One thread reads them all. A stream that ends is opened again, as a page does it.
    """
    ended = Event()
    thread = Thread(target=_watch, args=(port, count, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _watch(port: int, count: int, ended: Event) -> None:
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            _open(selector, port)
        while not ended.is_set():
            for key, _ in selector.select(0.1):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                if not _read(client):
                    selector.unregister(client)
                    client.close()
                    _open(selector, port)
        for key in tuple(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()


def _open(selector: selectors.BaseSelector, port: int) -> None:
    try:
        client = socket.create_connection((HOST, port), timeout=5.0)
    except OSError:
        return  # the server ends
    client.sendall(_REQUEST)
    selector.register(client, selectors.EVENT_READ)


def _read(client: socket.socket) -> bool:
    """Return whether the stream goes on."""
    try:
        return bool(client.recv(1 << 20))
    except OSError:
        return False
