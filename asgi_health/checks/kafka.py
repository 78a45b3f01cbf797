"""Kafka, by a producer, a consumer or an admin client of aiokafka."""

from typing import Any, Protocol

from ..core.result import Result, describe, healthy, unhealthy
from ..core.status import Status
from ._support.arguments import require_whole
from ._support.catalogue import catalogued
from ._support.client import AsyncCheck, ClientError, ClientOrFactory, client_getter, load


class KafkaClient(Protocol):
    """What AIOKafkaProducer, AIOKafkaConsumer and AIOKafkaAdminClient have in common. aiokafka has no types."""

    async def start(self) -> None: ...


class KafkaConsumer(Protocol):
    """What is used of AIOKafkaConsumer."""

    def assignment(self) -> Any: ...
    def subscription(self) -> Any: ...
    async def end_offsets(self, partitions: Any) -> Any: ...
    async def position(self, partition: Any) -> Any: ...


LARGEST_LIMIT = 2**63 - 1
"""The largest limit that makes sense: Kafka counts offsets in 64 bits."""

CONNECTION_SETTINGS = (
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
"""What a client passes to each of its connections."""


@catalogued(
    technology="Kafka",
    extra="kafka",
    asked="`Metadata` without topics, of one broker that the client knows: there must be at least one. After a broker "
    "that cannot be reached the next is asked, and an extra connection to the first shows the reason",
    costs="one round trip to one broker, and a connection to it where the client has none yet. While one cannot be "
    "reached: one connection more, opened and closed",
    privileges="none beyond the login",
)
def aiokafka_client(client: ClientOrFactory[KafkaClient]) -> AsyncCheck:
    """Return a check of Kafka through a producer, a consumer or an admin client of aiokafka that was started.

    The broker that answered last is asked first. A silent broker uses up the timeout of the check, and the next run
    asks another one. `aiokafka_consumer` checks whether a consumer has work. A client that could not be started fails
    with the reason why its bootstrap servers cannot be reached.

    Tested against a broker of the tests' own, which speaks this part of the protocol: Kafka comes in no package that a
    test could start.

    Args:
        client: The client, or a function that returns it.

    Raises:
        ModuleNotFoundError: aiokafka is not installed.
        TypeError: `client` is another kind of client.
    """
    aiokafka = load("aiokafka", extra="kafka")
    admin = load("aiokafka.admin", extra="kafka").AIOKafkaAdminClient
    get = client_getter(client, aiokafka.AIOKafkaProducer, aiokafka.AIOKafkaConsumer, admin, by="aiokafka_client")
    brokers = Brokers()

    async def check() -> Result:
        return await brokers.ask(get())

    return check


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
    """Return a check that a consumer of aiokafka has partitions, and is not too far behind.

    A consumer whose broker answers may have no work: its group has more consumers than partitions, or the group has
    removed it. A group removes a consumer that takes no message within ``max_poll_interval_ms``, and the consumer keeps
    its list of partitions. Without `max_lag` a consumer that is stuck at one message is not reported until then.

    A consumer without a group, or with partitions of its own choice (``assign``), is asked for these alone. While a
    group is rebalanced the consumer may seem to be no member: give the Check a failure threshold.

    Tested against a broker of the tests' own, as `aiokafka_client` is.

    Args:
        consumer: The consumer, or a function that returns it.
        min_partitions: The fewest partitions. Use 0 where the group has more consumers than partitions.
        max_lag: The most messages between the position of the application and the end, over all partitions of the
            consumer. None: no limit.

    Raises:
        ModuleNotFoundError: aiokafka is not installed.
        TypeError: `consumer` is another kind of client, or a limit is not a whole number.
        ValueError: A limit is below 0.
    """
    get = client_getter(consumer, load("aiokafka", extra="kafka").AIOKafkaConsumer, by="aiokafka_consumer")
    require_whole("aiokafka_consumer", "min_partitions", min_partitions, lowest=0, highest=LARGEST_LIMIT)
    if max_lag is not None:
        require_whole("aiokafka_consumer", "max_lag", max_lag, lowest=0, highest=LARGEST_LIMIT)
    brokers = Brokers()

    async def check() -> Result:
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

    return check


def _is_outside_of_its_group(consumer: Any) -> bool:
    if not consumer.subscription():
        return False
    # Private: nothing else shows it. A consumer without a group has partitions of its topics, and no generation.
    generation = getattr(getattr(consumer, "_coordinator", None), "generation", None)
    return isinstance(generation, int) and generation < 0


class Brokers:
    """The brokers that a client knows. Each run asks one of them: the one that answered last."""

    def __init__(self) -> None:
        self._errors = load("aiokafka.errors", extra="kafka")
        self._metadata = load("aiokafka.protocol.metadata", extra="kafka").MetadataRequest
        self._connect = load("aiokafka.conn", extra="kafka").create_conn
        self._next = 0

    async def ask(self, given: Any) -> Result:
        """Return the number of brokers, by the answer of one of them."""
        if given._closed:
            raise ClientError("the client is closed")
        client = given.client if hasattr(given, "client") else given._client
        known = sorted(client.cluster.brokers(), key=lambda broker: broker.nodeId)
        failures: list[str] = []
        for _ in known:
            broker = known[self._next % len(known)]
            self._next += 1  # now, so that it counts where this is cancelled
            try:
                answer = await client.send(broker.nodeId, self._metadata([]))
            except self._errors.KafkaError as error:
                reason = await self._why_unreachable(client, broker.host, broker.port)
                failures.append(f"{broker.host}:{broker.port}: {reason or error}")
            else:
                self._next -= 1
                brokers = len(answer.brokers)
                return healthy(data={"brokers": brokers}) if brokers else unhealthy("the cluster has no broker")
        for host, port, _ in () if known else client.hosts:
            reason = await self._why_unreachable(client, host, port)
            if not reason:
                raise ClientError(f"the client was not started, though {host}:{port} accepts it")
            failures.append(f"{host}:{port}: {reason}")
        raise ConnectionError(f"no broker can be reached: {'; '.join(failures[:3])}")

    async def _why_unreachable(self, client: Any, host: str, port: int) -> str:
        """Return the reason, which aiokafka only logs; empty where an extra connection reaches the broker."""
        settings = {name: getattr(client, f"_{name}") for name in CONNECTION_SETTINGS}
        try:
            connection = await self._connect(host, port, **settings)
        except self._errors.KafkaError as error:
            return str(error)  # it begins with the name of its type
        except (OSError, TimeoutError) as error:
            return describe(error)
        connection.close()
        return ""
