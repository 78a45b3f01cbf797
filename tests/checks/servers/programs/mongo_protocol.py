"""A server that speaks as much of MongoDB's wire protocol as a client needs to connect, log in and ping.

    python mongo_protocol.py PORT DATABASE_OF_THE_USERS REPLICA_SET_WITHOUT_PRIMARY_OR_NOTHING

https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

import asyncio
import base64
import hashlib
import hmac
import os
import struct
import sys
from typing import Any

import bson

USER, PASSWORD = "health", "rightsecret"
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
ROUNDS = 4096

HELLO = {
    "ismaster": True,
    "isWritablePrimary": True,
    "helloOk": True,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}


class Refusal(Exception):
    """What the server does not do, with MongoDB's code for it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = {"ok": 0.0, "errmsg": text, "code": code}


class Login:
    """The server's side of SCRAM-SHA-256 (RFC 7677), for one user."""

    def __init__(self) -> None:
        self.done = False
        self._salt = os.urandom(16)
        self._said = b""

    def start(self, payload: bytes) -> bytes:
        first = payload.removeprefix(b"n,,")
        nonce = _parts(first)["r"] + base64.b64encode(os.urandom(18)).decode()
        salt = base64.b64encode(self._salt).decode()
        answer = f"r={nonce},s={salt},i={ROUNDS}".encode()
        self._said = first + b"," + answer
        return answer

    def finish(self, payload: bytes) -> bytes:
        without_proof, _, proof = payload.rpartition(b",p=")
        said = self._said + b"," + without_proof
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), self._salt, ROUNDS)
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), said, "sha256")
        if not hmac.compare_digest(bytes(a ^ b for a, b in zip(key, signature, strict=True)), base64.b64decode(proof)):
            raise Refusal(18, "Authentication failed.")
        self.done = True
        return b"v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256"))


class Mongo:
    def __init__(self, users: str) -> None:
        self._users = users
        self._connections = 0
        self._pings = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        login = Login()
        try:
            while True:
                length, request, _, kind = struct.unpack("<iiii", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                name_ends = body.index(0, 4) + 1
                # A query has flags, a name, two numbers and a document; a message flags, a section's kind, a document.
                document = bson.decode(_first(body[name_ends + 8 :] if kind == OP_QUERY else body[5:]))
                try:
                    answer = self._answer(document, login)
                except Refusal as refusal:
                    answer = refusal.reply
                writer.write(_message(request, kind, bson.encode(answer)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._connections -= 1
            writer.close()

    def _answer(self, asked: dict[str, Any], login: Login) -> dict[str, Any]:
        match next(iter(asked)):
            case "hello" | "ismaster" | "isMaster":
                mechanisms = {"saslSupportedMechs": ["SCRAM-SHA-256"]} if "saslSupportedMechs" in asked else {}
                return HELLO | mechanisms
            case "saslStart":
                known = asked["mechanism"] == "SCRAM-SHA-256" and asked["$db"] == self._users
                if not known or f"n={USER}," not in bytes(asked["payload"]).decode():
                    raise Refusal(18, "Authentication failed.")
                return {"conversationId": 1, "done": False, "payload": login.start(bytes(asked["payload"])), "ok": 1.0}
            case "saslContinue":
                payload = b"" if login.done else login.finish(bytes(asked["payload"]))
                return {"conversationId": 1, "done": True, "payload": payload, "ok": 1.0}
            case "serverStatus":  # MongoDB requires a login for this one; the tests have none
                return {"connections": {"current": self._connections}, "pings": self._pings, "ok": 1.0}
            case command if not login.done:
                raise Refusal(13, f"Command {command} requires authentication")
            case "ping":
                self._pings += 1
                return {"ok": 1.0}
            case "endSessions":
                return {"ok": 1.0}
            case command:
                raise Refusal(59, f"no such command: '{command}'")


def _first(data: bytes) -> bytes:
    return data[: struct.unpack_from("<i", data)[0]]


def _parts(message: bytes) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.decode().split(","))


def _message(request: int, kind: int, document: bytes) -> bytes:
    if kind == OP_QUERY:
        kind, head = OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1)
    else:
        head = struct.pack("<iB", 0, 0)
    return struct.pack("<iiii", 16 + len(head) + len(document), 0, request, kind) + head + document


def secondary(port: int, replica_set: str) -> dict[str, Any]:
    me = f"127.0.0.1:{port}"
    roles = {"ismaster": False, "isWritablePrimary": False, "secondary": True}
    return roles | {"setName": replica_set, "setVersion": 1, "hosts": [me], "me": me}


async def main() -> None:
    if sys.argv[3]:
        HELLO.update(secondary(int(sys.argv[1]), sys.argv[3]))
    mongo = Mongo(sys.argv[2])
    server = await asyncio.start_server(mongo.serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
