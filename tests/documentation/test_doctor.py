"""docs/reference/doctor.md has a section for each rule, under its id and with its severity, and for no other."""

import re

from asgi_health.cli.doctor.rules import APP_RULES
from asgi_health.cli.doctor.rules.url import URL_RULES

from .blocks import ROOT


def test_each_rule_has_a_section_with_its_severity() -> None:
    sections = re.findall(
        r"^### ([\w-]+)\n\n(Error|Warning)\. ", (ROOT / "docs" / "reference/doctor.md").read_text(), re.MULTILINE
    )
    expected = [*((each.id, each.severity) for each in APP_RULES), *((each.id, each.severity) for each in URL_RULES)]
    assert len(dict(expected)) == len(expected)
    assert sorted((rule, severity.lower()) for rule, severity in sections) == sorted(expected)
