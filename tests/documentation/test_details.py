"""The details in docs/endpoints.md are what the demo answers, but for the times."""

import json
import re
from collections.abc import Callable

import pytest

from ..cli.demo import Demo, opened
from .blocks import blocks

NAME = "recommendations"  # what is down there

JSON_TIMES = re.compile(r'("time": )"[^"]*"|("responseTime": )[\d.]+')


def without_times(text: str) -> str:
    return JSON_TIMES.sub(r"\1\2-", text)


def answer_of_json(demo: Demo) -> str:
    return json.dumps(demo.ask("/health").json(), indent=4) + "\n"


def answer_of_text(demo: Demo) -> str:
    return demo.ask("/readyz?format=text").text


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("curl -s http://127.0.0.1:8000/health | python3 -m json.tool", answer_of_json),
        ("curl -s 'http://127.0.0.1:8000/readyz?format=text'", answer_of_text),
    ],
    ids=["json", "text"],
)
def test_the_demo_answers_what_is_shown(command: str, answer: Callable[[Demo], str]) -> None:
    (block,) = blocks("console", "endpoints.md")
    shown = dict(re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE))
    with opened() as demo:
        demo.wait_for_word("/health", "pass")
        demo.ask(f"/break/{NAME}")
        demo.wait_for_word("/health", "warn")
        assert without_times(answer(demo)) == without_times(shown[command])
