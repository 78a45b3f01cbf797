"""docs/reference/endpoints.md: the details are what the demo answers, but for the times. Each member is explained."""

import ast
import json
import re
from inspect import getsource

import pytest

from asgi_health.asgi.query import KNOWN
from asgi_health.formats import health_json

from ..cli.demo import Demo, running_demo
from .blocks import ROOT, blocks

TIMES = re.compile(
    r'("(?:time|since)": )"[^"]*"|("(?:responseTime|failures|hour|day)": )[\d.]+|("\w+Seconds": )(?:[\d.]+|null)'
)


def without_times(text: str) -> str:
    return TIMES.sub(r"\1\2\3-", text)


def details(demo: Demo) -> str:
    return json.dumps(demo.request("/health").json(), indent=4) + "\n"


def explanation(demo: Demo) -> str:
    return json.dumps(demo.request("/readyz/recommendations?explain").json(), indent=4) + "\n"


def text_of_readiness(demo: Demo) -> str:
    return demo.request("/readyz?format=text").text


def problems(demo: Demo) -> str:
    return demo.request("/health?exclude=databases&format=yaml").text


ANSWERS = {
    "curl -s 'http://127.0.0.1:8000/health?exclude=databases&format=yaml'": problems,
    "curl -s http://127.0.0.1:8000/health | python3 -m json.tool": details,
    "curl -s 'http://127.0.0.1:8000/readyz?format=text'": text_of_readiness,
    "curl -s 'http://127.0.0.1:8000/readyz/recommendations?explain' | python3 -m json.tool": explanation,
}


@pytest.mark.processes
def test_the_demo_answers_what_is_shown() -> None:
    text = "".join(blocks("console", "reference/endpoints.md"))
    shown = dict(re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE))
    with running_demo() as demo:
        demo.wait_for_status_word("/health", "pass")
        demo.request("/break/recommendations")
        demo.wait_for_status_word("/health", "warn")
        answers = {command: without_times(answer(demo)) for command, answer in ANSWERS.items()}
    assert answers == {command: without_times(shown[command]) for command in ANSWERS}


def test_each_member_of_the_details_is_explained() -> None:
    """The members are the keys of the dictionaries that the module builds; a maintenance has its own answer too."""
    tree = ast.parse(getsource(health_json))
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    stored = (each for each in ast.walk(tree) if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store))
    keys += [each.slice for each in stored]
    members = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    members -= {"maintenances", "check", "remaining"}
    page = (ROOT / "docs" / "reference/endpoints.md").read_text().partition("\n## Details\n")[2]
    assert len(members) > 20
    assert sorted(members - set(re.findall(r"`(\w+)`", page.partition("\n## A feed")[0]))) == []


def test_the_table_of_requests_has_each_option() -> None:
    page = (ROOT / "docs" / "reference/endpoints.md").read_text()
    table = page.partition("| request | answer |\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"\?(\w+)", table)) == set(KNOWN)
