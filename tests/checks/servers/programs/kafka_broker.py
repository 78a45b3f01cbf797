"""The start of a Kafka broker: python kafka_broker.py PORT USER PASSWORD.

It speaks as much of Kafka's protocol (https://kafka.apache.org/protocol) as a client needs to connect, to log in and to
ask for the members of the cluster: ApiVersions, SaslHandshake, SaslAuthenticate by PLAIN, Metadata. And as much as a
consumer needs to be of a group, alone, and to wait for messages: FindCoordinator, JoinGroup, SyncGroup, Heartbeat,
LeaveGroup, OffsetFetch, ListOffsets, Fetch.

Names select its behaviour. The ports of the brokers that it advertises are those that the client's name ends with, so
that a client that comes through a proxy stays there. A topic has the end offsets that its name ends with, one for each
partition: "jobs-5-3". No message ever comes of it, and a group has committed 0. A group "idle" gets no partition, and
from a group whose name begins with "lost" its consumer is thrown out at its first heartbeat, for ever.
"""

import asyncio
import struct
import sys
from collections.abc import Callable
from typing import ClassVar

UNSUPPORTED_MECHANISM, FAILED_LOGIN, NO_ERROR = 33, 58, 0
COORDINATOR_NOT_AVAILABLE, UNKNOWN_MEMBER = 15, 25
FETCH = 1
POLL = 0.01  # seconds until a fetch is answered that finds nothing
NOTHING = struct.pack(">hii", 0, 0, -1)  # of an assignment: version, topics, data of the application


def short(number: int) -> bytes:
    return struct.pack(">h", number)


def long(number: int) -> bytes:
    return struct.pack(">i", number)


def huge(number: int) -> bytes:
    return struct.pack(">q", number)


def text(words: str | None) -> bytes:
    return short(-1) if words is None else short(len(words.encode())) + words.encode()


def array(*items: bytes) -> bytes:
    return long(len(items)) + b"".join(items)


class Reader:
    """What is left of a request."""

    def __init__(self, request: bytes) -> None:
        self._left = request

    def take(self, count: int) -> bytes:
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def number(self, code: str) -> int:
        (value,) = struct.unpack(f">{code}", self.take(struct.calcsize(f">{code}")))
        return int(value)

    def text(self) -> str:
        return self.take(self.number("h")).decode()

    def bytes(self) -> bytes:
        return self.take(self.number("i"))

    def partitions(self, *also: str) -> list[tuple[str, list[int]]]:
        """Topics and their partitions, each followed by other numbers, which are left out."""
        found: list[tuple[str, list[int]]] = []
        for _ in range(self.number("i")):
            name, partitions = self.text(), list[int]()
            for _ in range(self.number("i")):
                partitions.append(self.number("i"))
                for code in also:
                    self.number(code)
            found.append((name, partitions))
        return found


def ends(topic: str) -> list[int]:
    return [int(end) for end in topic.split("-")[1:]]


def per_partition(asked: list[tuple[str, list[int]]], answer: Callable[[str, int], bytes]) -> bytes:
    return array(
        *(text(topic) + array(*(long(each) + answer(topic, each) for each in numbers)) for topic, numbers in asked)
    )


class Client:
    """One connection. It answers nothing about the cluster before the login."""

    def __init__(self, user: str, password: str) -> None:
        self._login = f"{user}\0{user}\0{password}".encode()
        self._known = False
        self._ports: list[str] = []

    def answer(self, request: bytes) -> bytes | None:
        """Return what follows the correlation id, or None to hang up."""
        key, version, name_length = struct.unpack_from(">hh4xh", request)
        name = request[10 : 10 + name_length].decode()
        body = request[10 + name_length :]
        reader = Reader(body)
        self._ports = name.partition("-")[2].split("-")
        answers: dict[tuple[int, int], Callable[[], bytes | None]] = {
            (18, 0): self._api_versions,
            (17, 1): lambda: self._handshake(body),
            (36, 0): lambda: self._authenticate(body),
            (3, 1): lambda: self._metadata(reader),
            (10, 0): lambda: short(NO_ERROR) + self._broker(0),
            (11, 0): lambda: self._join(reader),
            (14, 0): lambda: self._sync(reader),
            (12, 0): lambda: short(UNKNOWN_MEMBER if reader.text().startswith("lost") else NO_ERROR),
            (13, 0): lambda: short(NO_ERROR),
            (9, 1): lambda: self._committed(reader),
            (2, 1): lambda: self._ends(reader),
            (FETCH, 1): lambda: self._fetch(reader),
        }
        return answers[key, version]()

    def _api_versions(self) -> bytes:
        groups = ((10, 0), (11, 0), (14, 0), (12, 0), (13, 0), (9, 1))
        supported = ((18, 0), (17, 1), (36, 0), (3, 1), (2, 1), (FETCH, 1), *groups)
        return short(NO_ERROR) + array(*(short(key) + short(version) * 2 for key, version in supported))

    def _handshake(self, body: bytes) -> bytes:
        return short(NO_ERROR if body == text("PLAIN") else UNSUPPORTED_MECHANISM) + array(text("PLAIN"))

    def _authenticate(self, body: bytes) -> bytes:
        self._known = body == long(len(self._login)) + self._login
        if self._known:
            return short(NO_ERROR) + text(None) + long(0)
        return short(FAILED_LOGIN) + text("Authentication failed: Invalid username or password") + long(0)

    def _metadata(self, reader: Reader) -> bytes | None:
        if not self._known:
            return None
        brokers = [self._broker(node) + text(None) for node in range(len(self._ports))]
        topics = [self._topic(reader.text()) for _ in range(reader.number("i"))]
        return array(*brokers) + long(0) + array(*topics)

    def _broker(self, node: int) -> bytes:
        return long(node) + text("127.0.0.1") + long(int(self._ports[node]))

    def _topic(self, name: str) -> bytes:
        partitions = [
            short(NO_ERROR) + long(number) + long(0) + array(long(0)) + array(long(0))
            for number in range(len(ends(name)))
        ]
        return short(NO_ERROR) + text(name) + b"\0" + array(*partitions)

    def _join(self, reader: Reader) -> bytes:
        group = reader.text()
        reader.number("i")  # the timeout of the session
        again = bool(reader.text()) or (group.startswith("lost") and group in self.joined)
        reader.text()  # "consumer"
        reader.number("i")
        protocol, metadata = reader.text(), reader.bytes()
        error = COORDINATOR_NOT_AVAILABLE if again and group.startswith("lost") else NO_ERROR
        self.joined.add(group)
        me = text("me")
        return short(error) + long(1) + text(protocol) + me + me + array(me + long(len(metadata)) + metadata)

    joined: ClassVar[set[str]] = set()
    """Groups to which a consumer has come."""

    def _sync(self, reader: Reader) -> bytes:
        group = reader.text()
        reader.number("i")  # the generation
        reader.text()
        reader.number("i")
        reader.text()
        assignment = NOTHING if group == "idle" else reader.bytes()  # the consumer has made it itself
        return short(NO_ERROR) + long(len(assignment)) + assignment

    def _committed(self, reader: Reader) -> bytes:
        reader.text()  # the group
        return per_partition(reader.partitions(), lambda *_: huge(0) + text("") + short(NO_ERROR))

    def _ends(self, reader: Reader) -> bytes:
        reader.number("i")  # which replica asks
        asked = reader.partitions("q")
        return per_partition(asked, lambda topic, number: short(NO_ERROR) + huge(-1) + huge(ends(topic)[number]))

    def _fetch(self, reader: Reader) -> bytes:
        for _ in range(3):
            reader.number("i")  # which replica asks, for how long, and for how much
        asked = reader.partitions("q", "i")
        nothing = per_partition(asked, lambda topic, number: short(NO_ERROR) + huge(ends(topic)[number]) + long(0))
        return long(0) + nothing


async def serve(port: int, user: str, password: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(user, password)
        try:
            while True:
                request = await reader.readexactly(*struct.unpack(">i", await reader.readexactly(4)))
                answer = client.answer(request)
                if answer is None:
                    break
                if request[:2] == short(FETCH):
                    await asyncio.sleep(POLL)
                writer.write(long(4 + len(answer)) + request[4:8] + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
