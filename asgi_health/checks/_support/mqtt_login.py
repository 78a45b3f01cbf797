"""A connection to an MQTT broker beside that of a client, for the reason why the client has none."""

import asyncio
import secrets
from typing import Any

from .client import load

CONNECT, CONNACK, DISCONNECT = 0x10, 0x20, b"\xe0\x00"
CLEAN, PASSWORD, USER = 0x02, 0x40, 0x80
MQTT_3_1, MQTT_5 = 3, 5


class RefusalError(Exception):
    """The broker answered, and does not let the client in."""


async def log_in(paho: Any) -> None:
    """Log in as a client of paho does, under another name, or raise the reason why not; then part.

    Not by another client of the driver: it connects in a thread, which no deadline can end. A session under the same
    name would take the place of the client's.
    """
    # Private: what is set stays there, while the properties decode it.
    secure, user, password, protocol = paho._ssl_context, paho._username, paho._password, int(paho.protocol)
    reader, writer = await asyncio.open_connection(paho.host, paho.port, ssl=secure)
    try:
        writer.write(_connect(protocol, user, password))
        await writer.drain()
        kind, code = await _answer(reader)
        if kind != CONNACK:
            raise RefusalError(f"CONNECT was answered by 0x{kind:02x}, expected 0x{CONNACK:02x}")
        if code:
            raise RefusalError(_told(protocol, code))
        writer.write(DISCONNECT)
        await writer.drain()
    finally:
        writer.transport.abort()  # close() waits for the other side where the line is encrypted


def _connect(protocol: int, user: bytes | None, password: bytes | None) -> bytes:
    """Return the packet: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901033."""
    name = b"MQIsdp" if protocol == MQTT_3_1 else b"MQTT"
    flags, login = CLEAN, list[bytes]()
    if user is not None:
        flags, login = flags | USER, [user]
        if password is not None:  # without a user the driver sends none
            flags, login = flags | PASSWORD, [user, password]
    seconds_alive = (60).to_bytes(2)
    properties = b"\0" if protocol == MQTT_5 else b""
    client = f"asgi-health-{secrets.token_hex(5)}".encode()  # no more than the 23 bytes that every broker takes
    body = _text(name) + bytes([protocol, flags]) + seconds_alive + properties + b"".join(map(_text, [client, *login]))
    return bytes([CONNECT]) + _length(len(body)) + body


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


def _length(number: int) -> bytes:
    """Return it in groups of seven bits, the lowest first; all but the last say that there are more."""
    more, group = divmod(number, 128)
    return bytes([group | 128]) + _length(more) if more else bytes([group])


async def _answer(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Return the type of a packet, and the second byte of what it says."""
    try:
        (kind,) = await reader.readexactly(1)
        while (await reader.readexactly(1))[0] >= 128:
            pass  # its length
        _, code = await reader.readexactly(2)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("the broker closed the connection") from None
    return kind, code


def _told(protocol: int, code: int) -> str:
    """Return the driver's words for a code of CONNACK."""
    mqtt = load("paho.mqtt.client", extra="mqtt")
    if protocol != MQTT_5:
        return str(mqtt.connack_string(code))
    packet = load("paho.mqtt.packettypes", extra="mqtt").PacketTypes.CONNACK
    try:
        return f"Connection Refused: {mqtt.ReasonCode(packet, identifier=code)}"
    except KeyError:
        return f"Connection Refused: reason code {code}"
