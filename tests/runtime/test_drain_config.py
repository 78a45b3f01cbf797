"""A Drain that could not work is refused when it is made."""

from pathlib import Path
from typing import Any

import pytest

from asgi_health import Drain


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"delay": -1.0}, ValueError, ["delay", "-1.0"]),
        ({"delay": float("nan")}, ValueError, ["delay"]),
        ({"delay": "5"}, TypeError, ["delay", "'5'"]),
        ({"delay": False}, TypeError, ["delay", "False"]),
        ({"delay": 0}, ValueError, ["nothing to do"]),
        ({"delay": 5000}, ValueError, ["delay", "at most 300 s", "5000 ms would be 5"]),
        ({"delay": 300.1, "file": "/a"}, ValueError, ["delay", "at most 300 s", "the unit is seconds"]),
        ({"file": 7}, TypeError, ["file", "7"]),
        ({"file": ""}, ValueError, ["file"]),
        ({"path": "drain", "allow": True}, ValueError, ["path", "'drain'"]),
        ({"path": "/", "allow": True}, ValueError, ["path"]),
        ({"path": "/drain?now", "allow": True}, ValueError, ["path"]),
        ({"path": b"/drain", "allow": True}, TypeError, ["path"]),
        ({"path": "/drain"}, ValueError, ["'/drain'", "allow"]),
        ({"allow": True}, ValueError, ["allow", "no path"]),
    ],
)
def test_a_configuration_that_could_not_work_is_refused(options: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        Drain(**options)
    assert [word for word in ["drain", *words] if word not in str(raised.value)] == []


def test_a_delay_of_zero_needs_another_reason_to_drain(tmp_path: Path) -> None:
    assert Drain(delay=0, file=tmp_path / "draining").delay == 0
