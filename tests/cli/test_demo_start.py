"""What the demo prints at its start, and where it listens."""

import re
import socket

import pytest

from .demo import Demo, running_demo, starting_demo

# The startup does not end: each product takes an hour.
SLOW = "import asgi_health.cli.demo.catalogue as catalogue; catalogue.LOAD_INTERVAL = 3600.0"

# The webhook cannot be made.
WITHOUT_HTTPCORE = "import sys; sys.modules['httpcore'] = None"

# The startup fails.
CRASHING = "from asgi_health.cli.demo.catalogue import Catalogue; Catalogue.load = None"


def printed_targets(demo: Demo) -> list[str]:
    return re.findall(rf"{re.escape(demo.url)}(/[^\s']*)", demo.out)


def test_the_demo_prints_the_url_of_each_probe_and_each_fault(demo: Demo) -> None:
    assert printed_targets(demo) == [
        *("/", "/livez", "/readyz", "/startupz", "/health", "/health?explain", "/health/metrics", "/products"),
        *(f"/break/{name}" for name in demo.faults()),
    ]


def test_each_page_answers_200_while_nothing_is_broken(demo: Demo) -> None:
    pages = [target for target in printed_targets(demo) if not target.startswith("/break/")]
    assert {target: demo.status(target) for target in pages} == dict.fromkeys(pages, 200)


def test_the_demo_listens_on_127_0_0_1_only(demo: Demo) -> None:
    port = int(demo.url.rpartition(":")[2])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=5.0).close()


def test_requests_are_not_logged(demo: Demo) -> None:
    assert (demo.status("/livez?marker"), demo.status("/marker")) == (200, 404)
    assert "marker" not in demo.out + demo.err


def test_a_busy_port_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with starting_demo(port=port) as demo:
            assert demo.process.wait(30) == 1
            assert demo.out == ""
            (line,) = demo.err.splitlines()
            assert line.startswith(
                f"python -m asgi_health demo: cannot listen on 127.0.0.1:{port}: Address already in use"
            )
            assert "--port" in line


def test_without_httpcore_the_demo_has_no_alerts_and_works() -> None:
    with running_demo(WITHOUT_HTTPCORE) as demo:
        demo.wait_for_status_word("/readyz", "pass")
        assert demo.unexpected_errors == []


def test_a_failed_startup_exits_with_3() -> None:
    with starting_demo(CRASHING) as demo:
        assert demo.process.wait(30) == 3
        assert demo.out == ""
        assert "'NoneType' object is not callable" in demo.err
        assert not demo.left_behind


def test_until_the_catalogue_is_loaded_the_demo_is_live_but_neither_started_nor_ready() -> None:
    with running_demo(SLOW) as demo:
        assert [demo.status(target) for target in ("/livez", "/startupz", "/readyz", "/health")] == [200, 503, 503, 503]
        assert demo.check("catalogue")["output"] in ("no result yet", "0 of 8 products are loaded")
        assert demo.request("/products").json() == {"products": [], "recommended": []}


def test_once_started_the_catalogue_is_loaded(demo: Demo) -> None:
    assert demo.status_word("/startupz") == "pass"
    assert len(demo.request("/products").json()["products"]) == 8


def test_the_page_allows_a_browser_what_the_status_page_allows_but_for_its_own_style_and_script(demo: Demo) -> None:
    hashes = re.compile("sha256-[^']+")
    answers = [demo.request(target) for target in ("/", "/health?format=html")]
    for name in ("content-type", "cache-control", "referrer-policy", "x-frame-options"):
        assert len({each.headers[name] for each in answers}) == 1, name
    policies = [each.headers["content-security-policy"] for each in answers]
    assert len({hashes.sub("", each) for each in policies}) == 1, policies
    assert len({*hashes.findall(" ".join(policies))}) == 4
    page = answers[0].text.replace("http://www.w3.org/2000/svg", "")  # the name of a vocabulary
    assert not re.search(r"https?://|@import|url\(", page)
