"""`?group=`, `?exclude=` and `?strict`: which checks decide, and what is said about names that do not exist."""

import pytest

from asgi_health import HealthMiddleware, Probe, bearer_token, degraded, healthy, unhealthy
from asgi_health.asgi.details import MAX_LISTED

from ..support.asgi_caller import Reply, echo_nothing, get, with_token
from ..support.known_state import Clock, health_with, make_check

PROBES = ("/livez", "/readyz", "/startupz")


@pytest.fixture
def app() -> HealthMiddleware:
    health = health_with(
        Clock(),
        (make_check("orders", group="shop"), healthy()),
        (make_check("search", group="shop", critical=False), unhealthy("down")),
        (make_check("cards", group="payments"), unhealthy("refused")),
        (make_check("ledger", group="payments"), healthy()),
        (make_check("disk"), degraded("full")),
        (make_check("loop", group="host", probes=(Probe.LIVENESS,)), degraded("slow")),
    )
    return HealthMiddleware(echo_nothing, health, details=bearer_token("secret"))


def read(app: HealthMiddleware, path: str, query: bytes = b"") -> Reply:
    return get(app, path, query, headers=with_token(b"secret")).check_form()


@pytest.mark.parametrize(
    ("path", "query", "status", "names"),
    [
        ("/health", b"group=shop", (200, "warn"), ["orders", "search"]),
        ("/health", b"group=payments", (503, "fail"), ["cards", "ledger"]),
        ("/health", b"group=payments&exclude=cards", (200, "pass"), ["ledger"]),
        ("/health", b"group=shop&group=payments", (503, "fail"), ["orders", "search", "cards", "ledger"]),
        ("/health", b"group=shop&group=shop&group=", (200, "warn"), ["orders", "search"]),
        ("/health", b"group=host", (200, "warn"), ["loop"]),
        ("/health", b"group=shop&explain", (200, "warn"), ["orders", "search"]),
        ("/readyz", b"group=shop&verbose", (200, "warn"), ["orders", "search"]),
        ("/livez", b"group=host&format=json", (200, "warn"), ["loop"]),
        ("/health", b"group=shop&strict", (503, "warn"), ["orders", "search"]),
        ("/health", b"group=shop&strict&exclude=search", (200, "pass"), ["orders"]),
    ],
)
def test_groups_and_exclusions_choose_the_checks_that_decide(
    app: HealthMiddleware, path: str, query: bytes, status: tuple[int, str], names: list[str]
) -> None:
    reply = read(app, path, query)
    assert (reply.status, reply.json["status"]) == status
    assert list(reply.json["checks"]) == names
    assert any(note.startswith("only checks of the group") for note in reply.json["notes"])


@pytest.mark.parametrize(
    ("path", "query", "status", "word"),
    [
        ("/readyz", b"group=shop", 200, "warn"),
        ("/readyz", b"group=payments", 503, "fail"),
        ("/readyz", b"group=payments&exclude=cards", 200, "pass"),
        ("/readyz", b"group=shop&strict", 503, "warn"),
        ("/readyz", b"exclude=cards&strict", 503, "warn"),
        ("/readyz", b"strict", 503, "fail"),
        ("/livez", b"strict", 503, "warn"),
        ("/livez", b"strict&exclude=loop", 200, "pass"),
        ("/startupz", b"strict", 200, "pass"),
    ],
)
def test_a_prober_gets_the_status_of_the_chosen_checks(
    app: HealthMiddleware, path: str, query: bytes, status: int, word: str
) -> None:
    reply = read(app, path, query)
    assert (reply.status, reply.body) == (status, b'{"status":"%s"}' % word.encode())


@pytest.mark.parametrize("format_", [b"json", b"text", b"html"])
def test_strict_answers_a_warning_with_503_in_each_format(app: HealthMiddleware, format_: bytes) -> None:
    for path in ("/livez", "/health"):
        query = b"group=host&format=" + format_
        lenient, strict = read(app, path, query), read(app, path, query + b"&strict")
        assert (lenient.status, strict.status) == (200, 503)
        assert lenient.headers["content-type"] == strict.headers["content-type"]


@pytest.mark.parametrize(
    ("group", "query"),
    [
        ("Team Payments", b"group=Team%20Payments"),
        ("Team Payments", b"group=Team+Payments"),
        ("Zubehör", b"group=Zubeh%C3%B6r"),
        ("支払い & co", b"group=%E6%94%AF%E6%89%95%E3%81%84%20%26%20co"),
    ],
)
def test_a_group_may_have_any_readable_name(group: str, query: bytes) -> None:
    health = health_with(Clock(), (make_check("a", group=group), healthy()), (make_check("b"), unhealthy("down")))
    reply = get(HealthMiddleware(echo_nothing, health, details=True), "/health", query)
    assert (reply.status, list(reply.json["checks"])) == (200, ["a"])
    assert reply.json["checks"]["a"][0]["group"] == group


def test_strict_holds_for_a_single_check(app: HealthMiddleware) -> None:
    assert (read(app, "/readyz/disk").status, read(app, "/readyz/disk", b"strict").status) == (200, 503)
    assert (read(app, "/readyz/orders").status, read(app, "/readyz/orders", b"strict").status) == (200, 200)


def test_a_group_does_not_hide_a_drain(app: HealthMiddleware) -> None:
    app.health.drain()
    for path, query in (("/health", b"group=shop"), ("/readyz", b"group=shop&verbose"), ("/readyz", b"group=shop")):
        assert read(app, path, query).status == 503
    assert read(app, "/readyz", b"group=shop").body == b'{"status":"fail","notes":["draining"]}'


def test_since_when_a_part_of_the_checks_has_its_status_is_not_known(app: HealthMiddleware) -> None:
    assert read(app, "/readyz", b"explain").json["explain"]["since"] is not None
    assert read(app, "/readyz", b"explain&group=payments").json["explain"]["since"] is None


def test_the_text_says_which_groups_it_is_about(app: HealthMiddleware) -> None:
    assert read(app, "/readyz", b"format=text&group=shop&group=payments&exclude=cards").text.splitlines() == [
        "[+]orders ok (shop)",
        "[-]search failed (shop, not critical): down",
        "[+]ledger ok (payments)",
        "[+]cards excluded: ok",
        "note: left out on request: cards",
        "note: only checks of the groups payments, shop",
        "readyz check passed",
    ]


STRANGE = (b"group=shop", b"group=nope", b"strict", b"exclude=nope", b"format=nope", b"verbos", b"group=shop&strict")


@pytest.mark.parametrize("query", STRANGE)
def test_strangers_get_what_they_get_without_options(app: HealthMiddleware, query: bytes) -> None:
    for path in (*PROBES, "/health", "/readyz/disk"):
        assert get(app, path, query).messages == get(app, path).messages


@pytest.mark.parametrize(
    ("path", "query", "answer"),
    [
        ("/health", b"exclude=card", "exclude: 1 of the names is not known; did you mean cards? checks: orders, "),
        ("/health", b"exclude=CARDS", "exclude: 1 of the names is not known; did you mean cards? checks: orders, "),
        ("/health", b"exclude=cards,disk", "exclude: 1 of the names is not known; checks: orders, search, cards, "),
        ("/readyz", b"verbose&exclude=a&exclude=b&exclude=disk", "exclude: 2 of the names are not known; checks: "),
        ("/health", b"group=shops", "group: 1 of the names is not known; did you mean shop? groups: shop, payments, "),
        ("/health", b"group=SHO", "group: 1 of the names is not known; did you mean shop? groups: shop, payments, "),
        ("/readyz", b"verbose&group=host", "group: 1 of the names is not known; groups: shop, payments\n"),
        ("/readyz", b"group=host", "group: 1 of the names is not known; groups: shop, payments\n"),
        ("/startupz", b"group=shop", "group: 1 of the names is not known; there is no group here\n"),
        ("/health", b"format=yaml", "format: not known; expected json, text"),
        ("/livez", b"format=tex", "format: not known; did you mean text? expected json, text"),
        ("/health", b"verbos", "option: not known; did you mean verbose? expected verbose, "),
        ("/readyz", b"verbose&explan", "option: not known; did you mean explain? expected verbose, "),
        ("/readyz/disk", b"formatt=text", "option: not known; did you mean format? expected verbose, "),
        ("/health", b"exclude=" + b"x" * 5000, "the query has more than 4096 bytes\n"),
    ],
)
def test_who_asks_for_details_that_do_not_exist_reads_which_do(
    app: HealthMiddleware, path: str, query: bytes, answer: str
) -> None:
    reply = read(app, path, query)
    assert (reply.status, reply.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.text.startswith(answer)


def test_every_problem_has_a_line_and_nothing_of_the_request_is_repeated(app: HealthMiddleware) -> None:
    query = b"verbos=wzmark&format=wzmark&exclude=wzmark&group=%3Cwzmark%3E&format=wzmark"
    lines = read(app, "/health", query).text.splitlines()
    assert [line.split(":")[0] for line in lines] == ["option", "format", "exclude", "group"]
    assert "wzmark" not in "".join(lines)


@pytest.mark.parametrize("query", [b"verbos", b"exclude=removed", b"exclude=removed&t=1", b"_=17", b"exclud=disk"])
@pytest.mark.parametrize("path", PROBES)
def test_a_mistake_in_the_query_of_a_prober_changes_nothing(app: HealthMiddleware, path: str, query: bytes) -> None:
    """A check that is renamed must not take every instance out of the rotation."""
    assert read(app, path, query).messages == read(app, path).messages


@pytest.mark.parametrize("query", [b"_=17", b"t=17&verbose", b"1732785000", b"nocache=0.81", b"check=disk"])
def test_an_option_that_bypasses_caches_is_ignored_everywhere(app: HealthMiddleware, query: bytes) -> None:
    for path in ("/health", "/readyz/disk"):
        assert read(app, path, query).messages == read(app, path).messages


def test_of_many_known_names_a_part_is_listed() -> None:
    health = health_with(Clock(), *((make_check(f"check-{number:04}"), healthy()) for number in range(1000)))
    text = read(HealthMiddleware(echo_nothing, health, details=bearer_token("secret")), "/health", b"exclude=x").text
    assert text.count(",") == MAX_LISTED - 1
    assert text.endswith(f"check-{MAX_LISTED - 1:04} and {1000 - MAX_LISTED} more\n")
