"""The start of a Kafka broker: python kafka_broker.py PORT USER PASSWORD.

It speaks as much of Kafka's protocol (https://kafka.apache.org/protocol) as a client needs to connect, to log in and to
ask for the members of the cluster: ApiVersions, SaslHandshake, SaslAuthenticate by PLAIN, Metadata. It has no topics.

The ports of the brokers that it advertises are those that the client's name ends with, so that whoever comes through a
proxy stays there.
"""

import asyncio
import struct
import sys
from collections.abc import Callable

UNSUPPORTED_MECHANISM, FAILED_LOGIN, NO_ERROR = 33, 58, 0


def short(number: int) -> bytes:
    return struct.pack(">h", number)


def long(number: int) -> bytes:
    return struct.pack(">i", number)


def text(words: str | None) -> bytes:
    return short(-1) if words is None else short(len(words.encode())) + words.encode()


def array(*items: bytes) -> bytes:
    return long(len(items)) + b"".join(items)


class Client:
    """One connection. Nobody is told of the cluster before he has logged in."""

    def __init__(self, user: str, password: str) -> None:
        self._login = f"{user}\0{user}\0{password}".encode()
        self._known = False

    def answer(self, request: bytes) -> bytes | None:
        """Return what follows the correlation id, or None to hang up."""
        key, version, name_length = struct.unpack_from(">hh4xh", request)
        name = request[10 : 10 + name_length].decode()
        body = request[10 + name_length :]
        answers: dict[tuple[int, int], Callable[[], bytes | None]] = {
            (18, 0): self._api_versions,
            (17, 1): lambda: self._handshake(body),
            (36, 0): lambda: self._authenticate(body),
            (3, 1): lambda: self._metadata(name.partition("-")[2].split("-")),
        }
        return answers[key, version]()

    def _api_versions(self) -> bytes:
        supported = ((18, 0), (17, 1), (36, 0), (3, 1))
        return short(NO_ERROR) + array(*(short(key) + short(version) * 2 for key, version in supported))

    def _handshake(self, body: bytes) -> bytes:
        return short(NO_ERROR if body == text("PLAIN") else UNSUPPORTED_MECHANISM) + array(text("PLAIN"))

    def _authenticate(self, body: bytes) -> bytes:
        self._known = body == long(len(self._login)) + self._login
        if self._known:
            return short(NO_ERROR) + text(None) + long(0)
        return short(FAILED_LOGIN) + text("Authentication failed: Invalid username or password") + long(0)

    def _metadata(self, ports: list[str]) -> bytes | None:
        if not self._known:
            return None
        brokers = [long(node) + text("127.0.0.1") + long(int(port)) + text(None) for node, port in enumerate(ports)]
        return array(*brokers) + long(0) + array()


async def serve(port: int, user: str, password: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(user, password)
        try:
            while True:
                request = await reader.readexactly(*struct.unpack(">i", await reader.readexactly(4)))
                answer = client.answer(request)
                if answer is None:
                    break
                writer.write(long(4 + len(answer)) + request[4:8] + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
