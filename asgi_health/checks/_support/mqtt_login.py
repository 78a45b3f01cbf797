"""A login to an MQTT broker on a connection of its own, which finds out why a client is not connected.

Neither driver can do this under a deadline, so it cannot be left to them. `aiomqtt.Client` connects by
``loop.run_in_executor(None, paho.connect)``: a cancelled check leaves a thread of the application's own executor in a
blocking ``connect`` or TLS handshake, for 5 s each (paho's ``connect_timeout``), and `asyncio.run` waits for that
thread when the process exits. paho has a non-blocking ``connect_async``, but it connects in a thread too, or in the
caller's ``loop()``, which blocks in the same calls.
"""

import asyncio
import secrets
from typing import Any

from .client import load

CONNECT, CONNACK, DISCONNECT = 0x10, 0x20, b"\xe0\x00"
CLEAN, PASSWORD, USER = 0x02, 0x40, 0x80
MQTT_3_1, MQTT_5 = 3, 5


class RefusalError(Exception):
    """The broker answered, and refused the login."""


async def log_in(paho: Any) -> None:
    """Log in as `paho`, a client of paho, would, and disconnect. Raises the reason where that fails.

    The client identifier is another one: a session of the same identifier would end the session of the client.

    Raises:
        RefusalError: The broker refused the login.
        OSError: The broker cannot be reached, or closed the connection.
    """
    # Private: paho's public properties decode user and password, and have no TLS context.
    secure, user, password, protocol = paho._ssl_context, paho._username, paho._password, int(paho.protocol)
    reader, writer = await asyncio.open_connection(paho.host, paho.port, ssl=secure)
    try:
        writer.write(connect_packet(protocol, user, password))
        await writer.drain()
        kind, code = await _answer(reader)
        if kind != CONNACK:
            raise RefusalError(f"CONNECT was answered by 0x{kind:02x}, expected 0x{CONNACK:02x}")
        if code:
            raise RefusalError(_reason(protocol, code))
        writer.write(DISCONNECT)
        await writer.drain()
    finally:
        writer.transport.abort()  # close() waits for the broker where the connection is encrypted


def connect_packet(protocol: int, user: bytes | None, password: bytes | None) -> bytes:
    """Return a CONNECT packet: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901033."""
    name = b"MQIsdp" if protocol == MQTT_3_1 else b"MQTT"
    flags, login = CLEAN, list[bytes]()
    if user is not None:
        flags, login = flags | USER, [user]
        if password is not None:  # paho sends no password without a user
            flags, login = flags | PASSWORD, [user, password]
    keep_alive = (60).to_bytes(2)  # seconds
    properties = b"\0" if protocol == MQTT_5 else b""
    identifier = f"asgi-health-{secrets.token_hex(5)}".encode()  # at most 23 bytes, which every broker accepts
    body = _text(name) + bytes([protocol, flags]) + keep_alive + properties + b"".join(map(_text, [identifier, *login]))
    return bytes([CONNECT]) + _length(len(body)) + body


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


def _length(number: int) -> bytes:
    """Return a Variable Byte Integer: groups of seven bits, lowest first, the highest bit set in all but the last."""
    more, group = divmod(number, 128)
    return bytes([group | 128]) + _length(more) if more else bytes([group])


async def _answer(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Return the type of a packet, and the second byte of its content."""
    try:
        (kind,) = await reader.readexactly(1)
        while (await reader.readexactly(1))[0] >= 128:
            pass  # its length
        _, code = await reader.readexactly(2)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("the broker closed the connection") from None
    return kind, code


def _reason(protocol: int, code: int) -> str:
    """Return the text of the driver for a code of CONNACK."""
    mqtt = load("paho.mqtt.client", extra="mqtt")
    if protocol != MQTT_5:
        return str(mqtt.connack_string(code))
    packet = load("paho.mqtt.packettypes", extra="mqtt").PacketTypes.CONNACK
    try:
        return f"Connection Refused: {mqtt.ReasonCode(packet, identifier=code)}"
    except KeyError:
        return f"Connection Refused: reason code {code}"
