"""Kafka, by a producer, a consumer or an admin client of aiokafka."""

from typing import Any, Protocol

from ..core.result import Result, describe, healthy, unhealthy
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .table import described


class KafkaClient(Protocol):
    """What AIOKafkaProducer, AIOKafkaConsumer and AIOKafkaAdminClient have in common, which come without types."""

    async def start(self) -> None: ...


SETTINGS = (
    "client_id",
    "request_timeout_ms",
    "ssl_context",
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_kerberos_service_name",
    "sasl_kerberos_domain_name",
    "sasl_oauth_token_provider",
)
"""What a client hands to each of its connections."""


@described(
    technology="Kafka",
    extra="kafka",
    asked="`Metadata` without topics, of one broker that the client knows: there must be at least one. A broker that "
    "cannot be reached gives way to the next; it is connected to beside the client, for the reason",
    costs="one round trip to one broker, and a connection to it where the client has none yet. While one cannot be "
    "reached: one connection more, opened and closed",
    privileges="none beyond the login",
)
def aiokafka_client(client: Given[KafkaClient]) -> AsyncCheck:
    """Return a check of Kafka through a producer, a consumer or an admin client of aiokafka that was started.

    The broker that answered last is asked first. One that is silent takes all of the time that the check has, and gives
    way at the next run. A client that could not be started fails with the reason why its bootstrap servers cannot be
    reached. Raises ModuleNotFoundError without aiokafka, TypeError for another kind of client.

    Tested against a broker of the tests' own, which speaks this part of the protocol: Kafka comes in no package that
    could be started there.
    """
    aiokafka = load("aiokafka", extra="kafka")
    admin = load("aiokafka.admin", extra="kafka").AIOKafkaAdminClient
    metadata = load("aiokafka.protocol.metadata", extra="kafka").MetadataRequest
    create_connection = load("aiokafka.conn", extra="kafka").create_conn
    get = client_getter(client, aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer, admin, by="aiokafka_client")
    turn = 0

    async def ask() -> Result:
        nonlocal turn
        given: Any = get()
        if given._closed:
            raise ClientError("the client is closed")
        client = given.client if hasattr(given, "client") else given._client
        known = sorted(client.cluster.brokers(), key=lambda broker: broker.nodeId)
        failures: list[str] = []
        for _ in known:
            broker = known[turn % len(known)]
            turn += 1  # even if this is cut off
            try:
                answer = await client.send(broker.nodeId, metadata([]))
            except aiokafka.errors.KafkaError as error:
                reason = await why_unreachable(client, broker.host, broker.port)
                failures.append(f"{broker.host}:{broker.port}: {reason or error}")
            else:
                turn -= 1
                brokers = len(answer.brokers)
                return healthy(data={"brokers": brokers}) if brokers else unhealthy("the cluster has no broker")
        for host, port, _ in () if known else client.hosts:
            reason = await why_unreachable(client, host, port)
            if not reason:
                raise ClientError(f"the client was not started, though {host}:{port} accepts it")
            failures.append(f"{host}:{port}: {reason}")
        raise ConnectionError(f"no broker can be reached: {'; '.join(failures[:3])}")

    async def why_unreachable(client: Any, host: str, port: int) -> str:
        """Return what aiokafka tells to its log alone, or nothing when the broker can be reached after all."""
        settings = {name: getattr(client, f"_{name}") for name in SETTINGS}
        try:
            connection = await create_connection(host, port, **settings)
        except aiokafka.errors.KafkaError as error:
            return str(error)  # which begins with the name of its type
        except (OSError, TimeoutError) as error:
            return describe(error)
        connection.close()
        return ""

    return ask
