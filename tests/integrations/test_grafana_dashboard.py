"""docs/prometheus/dashboard.json: Grafana's schema has all its fields, and its queries select series that exist."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from .monitoring import METRICS, check_expressions, dashboard, metrics_of, panel_expressions, require

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def unknown_fields(document: dict[str, Any]) -> list[str]:
    """Return the fields that Grafana's schema does not know: its SDK leaves them out when it reads and writes."""
    register_default_plugins()
    written = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    return list(differences(document, written, "dashboard"))


def differences(kept: Any, written: Any, where: str) -> Iterator[str]:
    if isinstance(kept, dict) and isinstance(written, dict):
        for key, value in kept.items():
            if key in written:
                yield from differences(value, written[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}"
    elif isinstance(kept, list) and isinstance(written, list) and len(kept) == len(written):
        for index, (one, other) in enumerate(zip(kept, written, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif kept != written:
        yield where


def test_the_schema_of_grafana_knows_every_field() -> None:
    assert unknown_fields(dashboard()) == []


def test_a_field_that_the_schema_does_not_know_is_found() -> None:
    document = copy.deepcopy(dashboard())
    document["panels"][0]["gridpos"] = document["panels"][0].pop("gridPos")
    document["panels"][6]["options"]["mergeValue"] = True
    document["panels"][6]["targets"][0]["legend"] = "x"
    assert unknown_fields(document) == [
        "dashboard.panels[0].gridpos",
        "dashboard.panels[6].targets[0].legend",
        "dashboard.panels[6].options.mergeValue",
    ]


def test_panels_and_variables_take_the_data_source_from_the_variable() -> None:
    document = dashboard()
    first, *others = document["templating"]["list"]
    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    targets = [target for panel in document["panels"] for target in panel["targets"]]
    assert len(targets) > len(document["panels"]) > 10
    assert all(each["datasource"] == DATASOURCE for each in [*others, *document["panels"], *targets])


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))


def test_the_panels_show_every_metric_and_no_other() -> None:
    shown = set[str]().union(*map(metrics_of, panel_expressions()))
    assert shown == METRICS.keys()
    for variable in dashboard()["templating"]["list"][1:]:
        assert metrics_of(variable["query"])


@pytest.mark.processes
def test_prometheus_parses_every_expression(tmp_path: Path) -> None:
    require("promtool")
    check_expressions(panel_expressions(), tmp_path)
    with pytest.raises(AssertionError, match="could not parse expression"):
        check_expressions(["sum by instance (up)"], tmp_path)
