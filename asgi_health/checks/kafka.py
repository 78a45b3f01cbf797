"""Kafka, by a producer, a consumer or an admin client of aiokafka."""

import random
from typing import Any, Protocol

from ..core.result import Result, describe, healthy, unhealthy
from .client import AsyncCheck, ClientError, Given, client_getter
from .driver import load
from .table import described


class KafkaClient(Protocol):
    """What AIOKafkaProducer, AIOKafkaConsumer and AIOKafkaAdminClient have in common, which come without types."""

    async def start(self) -> None: ...


@described(
    technology="Kafka",
    extra="kafka",
    asked="`Metadata` without topics, of one broker that the client knows: there must be at least one. A broker that "
    "cannot be reached gives way to the next",
    costs="one round trip to one broker, and a connection to it where the client has none yet",
    privileges="none beyond the login",
)
def aiokafka_client(client: Given[KafkaClient]) -> AsyncCheck:
    """Return a check of Kafka through a producer, a consumer or an admin client of aiokafka that was started.

    The brokers are asked in another order each time, for one that is silent takes all of the time that the check has.
    Why a broker cannot be reached, aiokafka tells to its log alone. Raises ModuleNotFoundError without aiokafka,
    TypeError for another kind of client.
    """
    aiokafka = load("aiokafka", extra="kafka")
    admin = load("aiokafka.admin", extra="kafka").AIOKafkaAdminClient
    metadata = load("aiokafka.protocol.metadata", extra="kafka").MetadataRequest
    get = client_getter(client, aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer, admin, by="aiokafka_client")

    async def ask() -> Result:
        given: Any = get()
        if given._closed:
            raise ClientError("the client is closed")
        client = given.client if hasattr(given, "client") else given._client
        known = list(client.cluster.brokers())
        if not known:
            raise ClientError("the client knows no broker: it was not started, or could not")
        random.shuffle(known)
        failures: list[str] = []
        for broker in known:
            try:
                answer = await client.send(broker.nodeId, metadata([]))
            except aiokafka.errors.KafkaError as error:
                failures.append(f"{broker.host}:{broker.port}: {describe(error)}")
            else:
                brokers = len(answer.brokers)
                return healthy(data={"brokers": brokers}) if brokers else unhealthy("the cluster has no broker")
        raise ConnectionError(f"no broker can be reached: {'; '.join(failures[:3])}")

    return ask
