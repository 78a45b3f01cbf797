"""What the demo says when it opens, and where it can be reached."""

import re
import socket

import pytest

from .demo import Demo, launched, opened

# A demo whose shelves are never filled: each product takes an hour.
SLOW = "import asgi_health.cli.demo.catalogue as catalogue; catalogue.PAUSE = 3600.0"


# A shop whose startup fails.
CRASHING = "from asgi_health.cli.demo.catalogue import Catalogue; Catalogue.load = None"


def printed_targets(demo: Demo) -> list[str]:
    return re.findall(rf"{re.escape(demo.url)}(/\S*)", demo.out)


def test_it_prints_a_url_for_everything_there_is_to_try(demo: Demo) -> None:
    faults = [fault["name"] for fault in demo.ask("/state").json()["faults"]]
    assert printed_targets(demo) == [
        *("/", "/livez", "/readyz", "/startupz", "/health", "/products"),
        *(f"/break/{name}" for name in faults),
    ]


def test_what_is_there_to_look_at_answers_when_all_is_well(demo: Demo) -> None:
    looks = [target for target in printed_targets(demo) if not target.startswith("/break/")]
    assert {target: demo.status(target) for target in looks} == dict.fromkeys(looks, 200)


def test_it_listens_on_this_machine_alone(demo: Demo) -> None:
    port = int(demo.url.rpartition(":")[2])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=5.0).close()


def test_requests_are_not_logged(demo: Demo) -> None:
    assert (demo.status("/livez?wanted"), demo.status("/wanted")) == (200, 404)
    assert "wanted" not in demo.out + demo.err


def test_a_busy_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with launched(port=port) as demo:
            assert demo.process.wait(30) == 1
            assert demo.out == ""
            (line,) = demo.err.splitlines()
            assert line.startswith(
                f"python -m asgi_health demo: cannot listen on 127.0.0.1:{port}: Address already in use"
            )
            assert "--port" in line


def test_a_shop_that_cannot_open_is_no_success() -> None:
    with launched(CRASHING) as demo:
        assert demo.process.wait(30) == 3
        assert demo.out == ""
        assert "'NoneType' object is not callable" in demo.err
        assert not demo.left_behind


def test_until_the_catalogue_is_loaded_it_is_alive_and_neither_started_nor_ready() -> None:
    with opened(SLOW) as demo:
        assert [demo.status(target) for target in ("/livez", "/startupz", "/readyz", "/health")] == [200, 503, 503, 503]
        assert demo.check("catalogue")["output"] in ("no result yet", "0 of 8 products are loaded")
        assert demo.ask("/products").json() == {"products": [], "recommended": []}


def test_the_catalogue_is_loaded_when_it_is_well(demo: Demo) -> None:
    assert demo.word("/startupz") == "pass"
    assert len(demo.ask("/products").json()["products"]) == 8


def test_the_page_needs_nothing_from_elsewhere(demo: Demo) -> None:
    page = demo.ask("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'; connect-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"//\w|@import|url\(", page.text)
