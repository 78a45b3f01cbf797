"""The ids of events: a client's last state is known in the process that made it, and nowhere else."""

import os
from math import inf

import pytest

from asgi_health.asgi.events.event_id import event_id, moment_of


@pytest.mark.parametrize("moment", [0.0, 0.29, 1.000001, 44933.308967, 31_536_000.123456])
def test_a_moment_comes_back_as_it_was(moment: float) -> None:
    assert moment_of(event_id(moment)) == moment


@pytest.mark.parametrize(
    "text",
    ["", "-", "1", "-1", "x-1", "\u0663-1", "9" * 1000, "0" * 12 + "-" + "9" * 1000],
    ids=lambda text: f"{len(text)} {text[:3]!a}",
)
def test_any_other_text_is_no_moment(text: str) -> None:
    assert moment_of(text) == -inf


def test_a_number_that_is_none_is_no_moment() -> None:
    token = event_id(1.0).partition("-")[0]
    for number in ("", "-1", "1.5", "1e3", "inf", "nan", "\u0663", "1 ", "1\n"):
        assert moment_of(f"{token}-{number}") == -inf


def test_a_forked_process_has_ids_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    of_parent = event_id(1.0)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert moment_of(of_parent) == -inf
    assert moment_of(event_id(2.0)) == 2.0
