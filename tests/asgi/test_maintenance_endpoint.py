"""The endpoint of the maintenances: who may use it, what it begins and ends, and what it refuses."""

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest

from asgi_health import (
    Drain,
    Health,
    HealthMiddleware,
    Paths,
    any_of,
    basic_auth,
    bearer_token,
    client_in,
    healthy,
    unhealthy,
)
from asgi_health.asgi.auth import Policy

from ..support.asgi_caller import Reply, echo_nothing, get, with_token
from ..support.core_cases import refused
from ..support.known_state import Clock, health_with, make_check

PATH = "/health/maintenance"
PATHS = Paths(maintenance=PATH)
TOKEN = with_token(b"open-sesame")
ALLOW = bearer_token("open-sesame")


def make_app(clock: Clock | None = None, *, allow: object = ALLOW, **options: Any) -> Any:
    health = health_with(
        clock or Clock(), (make_check("database"), unhealthy("down")), (make_check("cache"), healthy())
    )
    settings: dict[str, Any] = {"paths": PATHS, "allow_maintenance": allow, **options}
    return HealthMiddleware(echo_nothing, health, **settings)


def send(app: HealthMiddleware, method: str, query: str = "", *headers: tuple[bytes, bytes], path: str = PATH) -> Reply:
    """Return the answer to a request with the token."""
    return get(app, path, query.encode(), method=method, headers=[*TOKEN, *headers]).check_form()


def present(reply: Reply) -> list[dict[str, Any]]:
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.headers["cache-control"] == "no-store"
    found: list[dict[str, Any]] = reply.json["maintenances"]
    return found


def test_a_maintenance_is_begun_shown_and_ended() -> None:
    clock = Clock()
    app = make_app(clock)
    assert present(send(app, "GET")) == []
    begun = present(send(app, "POST", "check=database&seconds=600&reason=upgrade+to+19,+password%3Dsesame"))
    assert get(app, "/readyz").json == {"status": "warn"}
    present(send(app, "POST", "seconds=60.5"))
    assert get(app, "/readyz").json == {"status": "fail", "notes": ["maintenance"]}
    clock.now += 10.0
    of_app, of_check = present(send(app, "GET"))
    assert (of_app["check"], of_app["reason"], of_app["remaining"]) == (None, "", 50.5)
    assert (of_check["check"], of_check["remaining"]) == ("database", 590.0)
    assert of_check["reason"] == begun[0]["reason"] == "upgrade to 19, password=***"
    length = datetime.fromisoformat(of_check["until"]) - datetime.fromisoformat(of_check["since"])
    assert length == timedelta(seconds=600)

    assert present(send(app, "DELETE")) == present(send(app, "GET"))
    assert [each["check"] for each in present(send(app, "GET"))] == ["database"]
    nothing = send(app, "DELETE")
    assert (nothing.status, nothing.body) == (404, b"there is no maintenance of the app\n")
    assert present(send(app, "DELETE", "check=database")) == []
    assert send(app, "DELETE", "check=database").body == b"there is no maintenance of check 'database'\n"


def test_one_that_is_over_is_shown_no_more() -> None:
    clock = Clock()
    app = make_app(clock)
    present(send(app, "POST", "seconds=600"))
    clock.now += 600.0
    assert present(send(app, "GET")) == []
    assert send(app, "DELETE").status == 404


def test_a_second_one_of_the_same_check_replaces_the_first_one() -> None:
    app = make_app()
    for seconds in (600, 5):
        found = present(send(app, "POST", f"check=cache&seconds={seconds}"))
    assert [each["remaining"] for each in found] == [5.0]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"])
def test_a_stranger_finds_nothing_there_and_changes_nothing(method: str) -> None:
    app = make_app(details=True)
    present(send(app, "POST", "check=cache&seconds=60"))
    for headers in ([], with_token(b"guess")):
        reply = get(app, PATH, b"seconds=60", method=method, headers=headers)
        assert (reply.status, reply.body if method != "HEAD" else b"not found\n") == (404, b"not found\n")
    assert [each["check"] for each in present(send(app, "GET"))] == ["cache"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_405(method: str) -> None:
    reply = send(make_app(), method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, POST, DELETE")


SECONDS = "expected more than 0 and at most 604800 s, such as seconds=600"
KNOWN_CHECKS = "checks: database, cache"

WRONG = {
    ("POST", ""): [f"seconds: not given; {SECONDS}"],
    ("POST", "check=databse&seconds=60"): [f"check: not known; did you mean database? {KNOWN_CHECKS}"],
    ("POST", "check=<b>&seconds=60"): [f"check: not known; {KNOWN_CHECKS}"],
    ("POST", "check=&seconds=60"): ["check: empty; expected the name of a check, or no option check for the app"],
    ("POST", "checks=database&seconds=60"): ["option: not known; did you mean check? expected check, seconds, reason"],
    ("POST", "check=cache&check=database&seconds=60"): ["check: given 2 times; expected once"],
    ("POST", "seconds=60&seconds=60"): ["seconds: given 2 times; expected once"],
    ("POST", "seconds=10m"): [f"seconds: not a number; {SECONDS}"],
    ("POST", "seconds=1_000"): [f"seconds: not a number; {SECONDS}"],
    ("POST", "seconds=nan"): [f"seconds: not a number; {SECONDS}"],
    ("POST", "seconds=-5"): [f"seconds: not a number; {SECONDS}"],
    ("POST", "seconds=."): [f"seconds: not a number; {SECONDS}"],
    ("POST", "seconds=0"): [f"seconds: 0 s; {SECONDS}"],
    ("POST", "seconds=604801"): [f"seconds: 604801 s; {SECONDS}"],
    ("POST", "seconds=" + "9" * 999): [f"seconds: too many; {SECONDS}"],
    ("POST", "seconds=60&reason=" + "x" * 201): ["reason: 201 characters; expected at most 200"],
    ("POST", "seconds=60&reason=" + "x" * 5000): ["the query has more than 4096 bytes"],
    ("POST", "seconds=x&reasons=y"): [
        "option: not known; did you mean reason? expected check, seconds, reason",
        f"seconds: not a number; {SECONDS}",
    ],
    ("DELETE", "check=other"): [f"check: not known; {KNOWN_CHECKS}"],
    ("DELETE", "check=cache&seconds=60"): ["option: not known; expected check"],
    ("GET", "check=cache"): ["option: not known; GET takes none"],
}


@pytest.mark.parametrize(("asked", "problems"), WRONG.items(), ids=range(len(WRONG)))
def test_whatever_is_wrong_is_named_and_changes_nothing(asked: tuple[str, str], problems: list[str]) -> None:
    app = make_app()
    present(send(app, "POST", "check=cache&seconds=60"))
    reply = send(app, *asked)
    assert (reply.status, reply.text.splitlines()) == (400, problems)
    assert [each["check"] for each in present(send(app, "GET"))] == ["cache"]


def test_a_reason_of_200_characters_of_any_script_is_taken() -> None:
    reason = "數" * 200
    (found,) = present(send(make_app(), "POST", urlencode({"seconds": 604800, "reason": reason})))
    assert found["reason"] == reason


OTHER_ORIGIN = [
    ((b"sec-fetch-site", b"cross-site"),),
    ((b"sec-fetch-site", b"same-site"), (b"origin", b"https://example.org")),
    ((b"origin", b"https://evil.example"),),
    ((b"origin", b"https://example.org:8443"),),
    ((b"origin", b"null"),),
]
SAME_ORIGIN = [
    ((b"sec-fetch-site", b"same-origin"), (b"origin", b"https://example.org")),
    ((b"sec-fetch-site", b"none"),),
    ((b"origin", b"http://EXAMPLE.org"),),
    (),
]


@pytest.mark.parametrize("allow", [True, client_in("192.0.2.0/24"), bearer_token("open-sesame")], ids=range(3))
def test_a_web_page_of_another_origin_begins_and_ends_nothing(allow: bool | Policy) -> None:
    app = make_app(allow=allow, drain=Drain(delay=0, path="/drain", allow=allow))
    present(send(app, "POST", "check=cache&seconds=60"))
    for headers in OTHER_ORIGIN:
        for method, path in (("POST", PATH), ("DELETE", PATH), ("POST", "/drain"), ("GET", "/drain")):
            query = {"POST": "seconds=60", "DELETE": "check=cache"}.get(method, "") if path == PATH else ""
            reply = send(app, method, query, *headers, path=path)
            assert (reply.status, reply.text.partition(":")[0]) == (403, "forbidden")
        present(send(app, "GET", "", *headers))  # it changes nothing, and the page cannot read the answer
    assert [each["check"] for each in present(send(app, "GET"))] == ["cache"]
    for headers in SAME_ORIGIN:
        present(send(app, "POST", "seconds=60", *headers))


def test_a_policy_of_the_app_that_trusts_a_cookie_is_safe_from_other_origins() -> None:
    def signed_in(scope: Any) -> bool:
        return (b"cookie", b"session=ada") in scope["headers"]

    app = make_app(allow=signed_in)
    page = [(b"host", b"example.org"), (b"cookie", b"session=ada"), (b"origin", b"https://evil.example")]
    assert get(app, PATH, b"seconds=60", method="POST", headers=page).status == 403
    assert get(app, PATH, b"seconds=60", method="POST", headers=page[:2]).status == 200


def test_credentials_that_a_browser_sends_by_itself_are_no_policy() -> None:
    basic = basic_auth("ada", "open sesame")
    for policy in (basic, any_of(bearer_token("open-sesame"), basic)):
        with refused(ValueError, "allow_maintenance must not be basic_auth", "other sites", "bearer_token"):
            make_app(allow=policy)
    app = make_app(details=basic)  # who may read the details may not begin a maintenance
    signed_in = [(b"host", b"example.org"), (b"authorization", b"Basic " + b64encode(b"ada:open sesame"))]
    assert get(app, "/health", headers=signed_in).json["checks"]
    assert get(app, PATH, b"seconds=60", method="POST", headers=signed_in).status == 404


@pytest.mark.parametrize("details", [False, True])
def test_a_path_without_a_policy_is_refused_whatever_the_details_are(details: bool) -> None:
    with refused(ValueError, f"paths: maintenance '{PATH}'", "allow_maintenance=...", "bearer_token"):
        make_app(allow=False, details=details)


def test_what_could_not_work_is_refused() -> None:
    with refused(ValueError, "allow_maintenance: ", "no path of the maintenances", f"Paths(maintenance='{PATH}')"):
        make_app(paths=Paths())
    with refused(ValueError, "drain: path", PATH, "of the maintenances already"):
        make_app(drain=Drain(path=f"{PATH}/", allow=True))
    with refused(ValueError, "paths: '/readyz'", "both ready and maintenance"):
        Paths(maintenance="/readyz")
    with refused(TypeError, "allow_maintenance must be True, False or a plain function", "bearer_token"):
        make_app(allow="open-sesame")

    async def run() -> None:
        with refused(ValueError, f"paths: maintenance '{PATH}'", "needs a listener"):
            async with Health().running(paths=PATHS, allow_maintenance=True):
                pass

    anyio.run(run)


def test_without_the_option_the_path_belongs_to_the_app() -> None:
    assert get(HealthMiddleware(echo_nothing, details=True), PATH, method="POST").from_app
    app = make_app()
    for path in (f"{PATH}/database", "/health/maintenances", "/maintenance"):
        assert send(app, "POST", "seconds=60", path=path).from_app


def test_several_paths_and_a_mounted_app_have_the_same_maintenances() -> None:
    app = make_app(paths=Paths(maintenance=(PATH, "/health/ready/maintenance")), details=True)
    present(send(app, "POST", "check=cache&seconds=60"))
    mounted = get(app, f"/shop{PATH}/", headers=TOKEN, root_path="/shop")
    assert present(mounted) == present(send(app, "GET", path="/health/ready/maintenance"))


def test_head_has_the_headers_of_get_and_no_body() -> None:
    app = make_app()
    head, whole = (send(app, method) for method in ("HEAD", "GET"))
    assert head.body == b""
    assert head.headers == whole.headers
