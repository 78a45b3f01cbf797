"""Kafka, by a producer, a consumer or an admin client of aiokafka."""

from typing import Any, Protocol

from ..core.result import Result, describe, healthy, unhealthy
from ..core.status import Status
from ._support.arguments import require_whole
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load


class KafkaClient(Protocol):
    """What AIOKafkaProducer, AIOKafkaConsumer and AIOKafkaAdminClient have in common, which come without types."""

    async def start(self) -> None: ...


class KafkaConsumer(Protocol):
    """What is used of AIOKafkaConsumer."""

    def assignment(self) -> Any: ...
    def subscription(self) -> Any: ...
    async def end_offsets(self, partitions: Any) -> Any: ...
    async def position(self, partition: Any) -> Any: ...


MOST = 2**63 - 1
"""Of messages, or partitions, that can be asked for."""

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


@catalogued(
    technology="Kafka",
    extra="kafka",
    asked="`Metadata` without topics, of one broker that the client knows: there must be at least one. A broker that "
    "cannot be reached gives way to the next; it is connected to beside the client, for the reason",
    costs="one round trip to one broker, and a connection to it where the client has none yet. While one cannot be "
    "reached: one connection more, opened and closed",
    privileges="none beyond the login",
)
def aiokafka_client(client: ClientOrFactory[KafkaClient]) -> AsyncCheck:
    """Return a check of Kafka through a producer, a consumer or an admin client of aiokafka that was started.

    The broker that answered last is asked first. One that is silent takes all of the time that the check has, and gives
    way at the next run. Whether a consumer has anything to work on is what `aiokafka_consumer` asks. A client that
    could not be started fails with the reason why its bootstrap servers cannot be reached. Raises ModuleNotFoundError
    without aiokafka, TypeError for another kind of client.

    Tested against a broker of the tests' own, which speaks this part of the protocol: Kafka comes in no package that
    could be started there.
    """
    aiokafka = load("aiokafka", extra="kafka")
    admin = load("aiokafka.admin", extra="kafka").AIOKafkaAdminClient
    get = client_getter(client, aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer, admin, by="aiokafka_client")
    brokers = Brokers()

    async def ask() -> Result:
        return await brokers.ask(get())

    return ask


@catalogued(
    technology="Kafka consumer",
    extra="kafka",
    asked="what `aiokafka_client` asks; whether the consumer is a member of its group, and how many partitions it has, "
    "of the consumer itself. `max_lag`: also `ListOffsets` of the brokers that lead them",
    costs="one round trip to one broker, and with `max_lag` one to each that leads a partition of the consumer. While "
    "one cannot be reached: one connection more, opened and closed",
    privileges="none beyond the login; `max_lag`: Describe on the topics, which a consumer has",
)
def aiokafka_consumer(
    consumer: ClientOrFactory[KafkaConsumer], *, min_partitions: int = 1, max_lag: int | None = None
) -> AsyncCheck:
    """Return a check that a consumer of aiokafka has work: of its group, `min_partitions` or more, and not far behind.

    A client whose broker answers may work on nothing: its group has more consumers than partitions, or it was thrown
    out, as one is that takes no message for ``max_poll_interval_ms`` and goes on to hold the partitions it had. With
    `max_lag` it fails where it is more messages behind than that: from the position up to which the application has
    taken messages, to the end, over all of its partitions. So without it a consumer that is stuck at one message is not
    seen until the group has thrown it out; with it, not before as many have come.

    Where more consumers than partitions are meant to be there, `min_partitions` is 0. A consumer without a group, or
    with partitions of its own choice (``assign``), is asked for these alone. While a group is rebalanced, the consumer
    is a member or not, as it seems to itself: give the Check a failure threshold.

    Raises ModuleNotFoundError without aiokafka, TypeError for another kind of client or number, ValueError for a number
    below 0.

    Tested against a broker of the tests' own, as `aiokafka_client` is.
    """
    get = client_getter(consumer, load("aiokafka", extra="kafka").AIOKafkaConsumer, by="aiokafka_consumer")
    require_whole("aiokafka_consumer", "min_partitions", min_partitions, lowest=0, highest=MOST)
    if max_lag is not None:
        require_whole("aiokafka_consumer", "max_lag", max_lag, lowest=0, highest=MOST)
    brokers = Brokers()

    async def ask() -> Result:
        consumer: Any = get()
        answer = await brokers.ask(consumer)
        if answer.status is not Status.HEALTHY:
            return answer
        partitions = consumer.assignment()
        data: dict[str, Any] = {**answer.data, "partitions": len(partitions)}
        if _is_outside_of_its_group(consumer):
            return unhealthy("the consumer is not a member of its group", data=data)
        if len(partitions) < min_partitions:
            message = f"the consumer has {len(partitions)} partitions, expected at least {min_partitions}"
            return unhealthy(message, data=data)
        if max_lag is None:
            return healthy(data=data)
        data["lag"] = lag = await lag_of(consumer, partitions)
        if lag > max_lag:
            return unhealthy(f"the consumer is {lag} messages behind, expected at most {max_lag}", data=data)
        return healthy(data=data)

    async def lag_of(consumer: Any, partitions: Any) -> int:
        ends: dict[Any, int] = await consumer.end_offsets(list(partitions)) if partitions else {}
        positions = [await consumer.position(each) for each in ends]
        return sum(max(end - position, 0) for end, position in zip(ends.values(), positions, strict=True))

    return ask


def _is_outside_of_its_group(consumer: Any) -> bool:
    if not consumer.subscription():
        return False
    # Private: nothing else tells. A consumer without a group has partitions of its topics, and no generation.
    generation = getattr(getattr(consumer, "_coordinator", None), "generation", None)
    return isinstance(generation, int) and generation < 0


class Brokers:
    """The brokers that a client knows, of which one is asked in each run: the one that answered last."""

    def __init__(self) -> None:
        self._errors = load("aiokafka.errors", extra="kafka")
        self._metadata = load("aiokafka.protocol.metadata", extra="kafka").MetadataRequest
        self._connect = load("aiokafka.conn", extra="kafka").create_conn
        self._turn = 0

    async def ask(self, given: Any) -> Result:
        """Return how many there are, as one of them says."""
        if given._closed:
            raise ClientError("the client is closed")
        client = given.client if hasattr(given, "client") else given._client
        known = sorted(client.cluster.brokers(), key=lambda broker: broker.nodeId)
        failures: list[str] = []
        for _ in known:
            broker = known[self._turn % len(known)]
            self._turn += 1  # even if this is cut off
            try:
                answer = await client.send(broker.nodeId, self._metadata([]))
            except self._errors.KafkaError as error:
                reason = await self._why_unreachable(client, broker.host, broker.port)
                failures.append(f"{broker.host}:{broker.port}: {reason or error}")
            else:
                self._turn -= 1
                brokers = len(answer.brokers)
                return healthy(data={"brokers": brokers}) if brokers else unhealthy("the cluster has no broker")
        for host, port, _ in () if known else client.hosts:
            reason = await self._why_unreachable(client, host, port)
            if not reason:
                raise ClientError(f"the client was not started, though {host}:{port} accepts it")
            failures.append(f"{host}:{port}: {reason}")
        raise ConnectionError(f"no broker can be reached: {'; '.join(failures[:3])}")

    async def _why_unreachable(self, client: Any, host: str, port: int) -> str:
        """Return what aiokafka tells to its log alone, or nothing when the broker can be reached after all."""
        settings = {name: getattr(client, f"_{name}") for name in SETTINGS}
        try:
            connection = await self._connect(host, port, **settings)
        except self._errors.KafkaError as error:
            return str(error)  # which begins with the name of its type
        except (OSError, TimeoutError) as error:
            return describe(error)
        connection.close()
        return ""
