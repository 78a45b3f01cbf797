"""The metrics as text: what they say, and that Prometheus' own parsers read the same from both formats."""

from collections.abc import Iterable
from itertools import accumulate
from math import inf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Probe, Result, degraded, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.stalls import Stall
from asgi_health.formats.metrics import (
    OPENMETRICS,
    PROMETHEUS,
    Distribution,
    Exposition,
    Family,
    Metric,
    app_figures,
    check_figures,
    families,
    negotiate,
    render,
)
from asgi_health.formats.metrics.exposition import CHUNK

from ..support.core_cases import check, no_deadline, run_check, serving_engine, start_run
from ..support.exposition import Samples, read, samples, state, value

BOTH = (PROMETHEUS, OPENMETRICS)
WALL = 1_800_000_000.0


def text(shown: Iterable[Family], exposition: Exposition = PROMETHEUS) -> str:
    return "".join(render(shown, exposition))


def shown(engine: Engine, now: float, **more: object) -> Samples:
    """Return the samples of an engine, which both formats must have in common."""
    checks = [check_figures(slot, now, WALL) for slot in engine.slots]
    app = app_figures(engine, now, **more)  # type: ignore[arg-type]
    in_text, in_openmetrics = (
        samples(read(text(families(app, checks), each).encode(), each.content_type.decode())) for each in BOTH
    )
    assert in_text == in_openmetrics
    return in_text


def test_the_lines_of_a_check() -> None:
    engine = serving_engine(check("db", timeout=20.0))
    engine.record(start_run(engine, 10.0), healthy(data={"pool_in_use": 3, "pool_size": 10}), 10.25)
    lines = text(families(app_figures(engine, 11.0), [check_figures(engine.slots[0], 11.0, WALL)])).splitlines()
    of_check = [each for each in lines if "db" in each and "_bucket" not in each and "_failures" not in each]
    assert of_check == [
        'asgi_health_check_state{check="db",asgi_health_check_state="healthy"} 1',
        'asgi_health_check_state{check="db",asgi_health_check_state="degraded"} 0',
        'asgi_health_check_state{check="db",asgi_health_check_state="unhealthy"} 0',
        'asgi_health_check_state{check="db",asgi_health_check_state="unknown"} 0',
        'asgi_health_check_up{check="db"} 1',
        'asgi_health_check_last_result_timestamp_seconds{check="db"} 1799999999.25',
        'asgi_health_check_duration_seconds_sum{check="db"} 0.25',
        'asgi_health_check_duration_seconds_count{check="db"} 1',
        'asgi_health_check_runs_total{check="db"} 1',
        'asgi_health_check_transitions_total{check="db"} 1',
        'asgi_health_check_pool_in_use{check="db"} 3',
        'asgi_health_check_pool_size{check="db"} 10',
    ]
    assert [each for each in lines if "_bucket" in each and each.endswith(" 1")] == [
        f'asgi_health_check_duration_seconds_bucket{{check="db",le="{bound}"}} 1'
        for bound in ("0.3", "1.0", "3.0", "10.0", "60.0", "+Inf")
    ]
    assert sum("_failures_total" in each and each.endswith(" 0") for each in lines) == 7


def test_a_check_with_a_group_has_it_as_a_label_of_all_its_series() -> None:
    engine = serving_engine(check("db", group='the "shop"\\'), check("cache"))
    figures = [check_figures(slot, 0.0, WALL) for slot in engine.slots]
    lines = text(families(app_figures(engine, 0.0), figures)).splitlines()
    assert r'asgi_health_check_up{check="db",group="the \"shop\"\\"} 0' in lines
    assert 'asgi_health_check_up{check="cache"} 0' in lines
    found = shown(engine, 0.0)
    of_db = {labels - {("check", "db")} for _, labels in found if ("check", "db") in labels}
    of_cache = {labels - {("check", "cache")} for _, labels in found if ("check", "cache") in labels}
    assert of_db == {labels | {("group", 'the "shop"\\')} for labels in of_cache}


def test_a_head_has_the_type_and_the_unit_of_each_format() -> None:
    counter = Family(Metric("stalled_seconds", "counter", 'A "sum"\nof\\', unit="seconds"), [((), 1.5)])
    assert text([counter]).splitlines() == [
        r'# HELP stalled_seconds_total A "sum"\nof\\',
        "# TYPE stalled_seconds_total counter",
        "stalled_seconds_total 1.5",
    ]
    assert text([counter], OPENMETRICS).splitlines() == [
        "# TYPE stalled_seconds counter",
        "# UNIT stalled_seconds seconds",
        r"# HELP stalled_seconds A \"sum\"\nof\\",
        "stalled_seconds_total 1.5",
        "# EOF",
    ]


def test_a_family_without_points_has_no_line() -> None:
    assert text([Family(Metric("a", "gauge", "x"), [])]) == ""
    assert text([], OPENMETRICS) == "# EOF\n"


@pytest.mark.parametrize(
    ("result", "word", "up"),
    [
        (healthy(), "healthy", 1),
        (degraded("slow"), "degraded", 1),
        (unhealthy("x"), "unhealthy", 0),
        (None, "unknown", 0),
    ],
)
def test_a_check_is_up_unless_it_is_unhealthy_or_unknown(result: Result | None, word: str, up: int) -> None:
    engine = serving_engine(check("db"))
    if result is not None:
        run_check(engine, result, 0.0)
    found = shown(engine, 1.0)
    assert state(found, "asgi_health_check_state", check="db") == word
    assert value(found, "asgi_health_check_up", check="db") == up


def test_a_status_that_is_stale_at_the_scrape_is_unknown_although_nothing_has_noticed_it() -> None:
    engine = serving_engine(check("db", interval=10.0, timeout=2.0))
    run_check(engine, healthy(), 0.0)
    assert state(shown(engine, 31.9), "asgi_health_check_state", check="db") == "healthy"
    found = shown(engine, 32.0)
    assert state(found, "asgi_health_check_state", check="db") == "unknown"
    assert value(found, "asgi_health_check_up", check="db") == 0
    assert value(found, "asgi_health_check_last_result_timestamp_seconds", check="db") == WALL - 32.0
    assert state(found, "asgi_health_probe_state", probe="readiness") == "unhealthy"
    assert value(found, "asgi_health_probe_up", probe="readiness") == 0
    assert value(found, "asgi_health_probe_up", probe="liveness") == 1


def test_a_check_without_a_result_has_no_timestamp_and_one_without_a_pool_no_pool() -> None:
    found = shown(serving_engine(check("db")), 1.0)
    assert value(found, "asgi_health_check_last_result_timestamp_seconds", check="db") is None
    assert value(found, "asgi_health_check_pool_size", check="db") is None
    assert value(found, "asgi_health_check_runs_total", check="db") == 0


@pytest.mark.parametrize(
    "observed",
    ["many", True, pytest.param(10**5000, id="more digits than Python prints"), inf, -inf, float("nan")],
)
def test_what_is_no_number_of_connections_is_left_out(observed: object) -> None:
    engine = serving_engine(check("db"))
    run_check(engine, healthy(data={"pool_in_use": observed, "pool_size": 2}), 0.0)  # type: ignore[dict-item]
    found = shown(engine, 1.0)
    assert value(found, "asgi_health_check_pool_in_use", check="db") is None
    assert value(found, "asgi_health_check_pool_size", check="db") == 2


def test_each_phase_is_a_state_and_draining_is_a_number() -> None:
    engine = Engine(lambda: 0.0, lambda: 0.5)
    lifespan = object()
    seen = []
    for enter in (
        lambda: engine.start(lifespan, 0.0),
        lambda: engine.serve(1.0),
        lambda: engine.drain(2.0),
        lambda: engine.stop(3.0),
    ):
        enter()
        found = shown(engine, 5.0)
        seen.append((state(found, "asgi_health_phase"), value(found, "asgi_health_draining")))
    assert seen == [("starting", 0), ("serving", 0), ("draining", 1), ("stopped", 0)]


def test_the_transitions_of_a_probe_are_counted_over_lifespans() -> None:
    engine = serving_engine()
    lifespan = object()
    for moment in (1.0, 2.0):
        engine.drain(moment)
        engine.stop(moment)
        engine.finish(lifespan)
        engine.start(lifespan := object(), moment)
        engine.serve(moment)
    found = shown(engine, 5.0, dropped=7)
    assert value(found, "asgi_health_probe_transitions_total", probe="readiness") == 1 + 2 * 4
    assert value(found, "asgi_health_probe_transitions_total", probe="liveness") == 0
    assert value(found, "asgi_health_transitions_dropped_total") == 7


def test_stalls_lag_and_connections_are_shown_where_they_are_known() -> None:
    engine = serving_engine()
    engine.record_stall(1.5)
    engine.record_stall(0.25)
    found = shown(engine, 1.0)
    assert value(found, "asgi_health_loop_stalls_total") == 2
    assert value(found, "asgi_health_loop_stalled_seconds_total") == 1.75
    assert not any("lag" in name or "listener" in name for name, _ in found)
    found = shown(engine, 1.0, loop_lag=0.125, connections=(3, 4))
    assert value(found, "asgi_health_loop_lag_seconds") == 0.125
    assert value(found, "asgi_health_listener_evicted_connections_total") == 3
    assert value(found, "asgi_health_listener_refused_connections_total") == 4


def test_each_present_maintenance_shows_the_seconds_until_its_end() -> None:
    engine = serving_engine(check("db"), check("cache"))
    name = "asgi_health_maintenance_remaining_seconds"
    engine.maintain("db", 600.0, "upgrade", 1.0)
    engine.maintain(None, 60.0, "", 1.0)
    found = shown(engine, 11.0)
    assert (value(found, name), value(found, name, check="db")) == (50.0, 590.0)
    assert value(found, name, check="cache") is None
    # It is over at its end, also while the blocked event loop has not noticed that.
    assert not any(each == name for each, _ in shown(engine, 601.0))


def test_a_stall_that_a_listener_sees_makes_a_probe_unhealthy_when_it_is_too_long() -> None:
    limits = {Probe.LIVENESS: Stall(6.0, 30.0), Probe.READINESS: Stall(6.0, 5.0)}
    found = shown(serving_engine(), 1.0, stall_of=limits.get)
    assert {probe.value: value(found, "asgi_health_probe_up", probe=probe.value) for probe in Probe} == {
        "liveness": 1,
        "readiness": 0,
        "startup": 1,
        "health": 1,
    }


def test_names_keep_the_conventions_of_prometheus() -> None:
    engine = serving_engine(check("db"))
    engine.record(start_run(engine, 0.0), healthy(data={"pool_in_use": 1, "pool_size": 2}), 0.1)
    engine.maintain(None, 60.0, "", 0.5)
    app = app_figures(engine, 1.0, loop_lag=0.0, dropped=0, connections=(0, 0))
    for family in families(app, [check_figures(engine.slots[0], 1.0, WALL)]):
        metric = family.metric
        assert list(family.points), metric.name
        assert metric.name.startswith("asgi_health_")
        assert not metric.name.endswith("_total")  # added where the format wants it
        assert metric.name.endswith(f"_{metric.unit}") == bool(metric.unit)
        assert not any(word in metric.name for word in ("milli", "minutes", "_ms")), "base units"
        assert bool(metric.states) == (metric.type == "stateset")
        assert metric.help.endswith(".")
        assert set(metric.labels) <= {"check", "group", "probe", "category"}, "no label without a bound"


def test_a_rendering_comes_in_parts_of_few_points() -> None:
    engine = serving_engine(*(check(f"c{number}") for number in range(500)))
    checks = [check_figures(slot, 0.0, WALL) for slot in engine.slots]
    parts = list(render(families(app_figures(engine, 0.0), checks), PROMETHEUS))
    assert max(part.count("\n") for part in parts) <= CHUNK * 13 + 2
    assert len(parts) > 500 * 12 / CHUNK  # points of each check


# A name with two underscores in front is reserved, and the name of a stateset is the name of a label too.
names = st.from_regex(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: not name.endswith(("_total", "_created", "_info", "_bucket", "_sum", "_count", "_seconds"))
)
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))
numbers = st.integers(-(2**53), 2**53) | st.floats()
label_names = names.filter(lambda name: name not in ("le", "quantile"))
label_lists = st.lists(label_names, unique=True, max_size=3)


@st.composite
def any_families(draw: st.DrawFn) -> list[Family]:
    found = []
    for name in draw(st.lists(names, unique=True, max_size=4)):
        kind = draw(st.sampled_from(["gauge", "counter", "stateset", "histogram"]))
        states = tuple(draw(st.lists(any_text, min_size=1, max_size=4, unique=True)))
        bounds = (*sorted(draw(st.lists(st.floats(0.001, 1e9), max_size=4, unique=True))), inf)
        labels = tuple(each for each in draw(label_lists) if each != name)
        values: st.SearchStrategy[object] = {
            "gauge": numbers,
            "counter": st.integers(0, 2**53) | st.floats(0, 1e300),
            "stateset": st.sampled_from(states),
            "histogram": st.builds(
                Distribution,
                st.tuples(*[st.integers(0, 1000)] * len(bounds)),
                st.floats(0, 1e12),
            ),
        }[kind]
        metric = Metric(
            name,
            kind,  # type: ignore[arg-type]
            draw(any_text),
            labels,
            states=states if kind == "stateset" else (),
            bounds=bounds if kind == "histogram" else (),
        )
        keys = st.tuples(*[any_text] * len(labels))
        points = draw(st.dictionaries(keys, values, min_size=1, max_size=3))
        found.append(Family(metric, list(points.items())))  # type: ignore[arg-type]
    # A series of one family must not have the name of another.
    taken = [f"{each.metric.name}{suffix}" for each in found for suffix in ("", "_total", "_bucket", "_sum", "_count")]
    return found if len(set(taken)) == len(taken) else []


def expected(shown: list[Family]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: Samples = {}
    for family in shown:
        metric = family.metric
        for values, point in family.points:
            pairs = [(name, text) for name, text in zip(metric.labels, values, strict=True) if text]
            if isinstance(point, Distribution):
                buckets = [*zip(metric.bounds, accumulate(point.buckets), strict=True)]
                for bound, number in buckets:
                    le = "+Inf" if bound == inf else repr(bound)
                    found[f"{metric.name}_bucket", frozenset([*pairs, ("le", le)])] = number
                found[f"{metric.name}_sum", frozenset(pairs)] = point.sum
                found[f"{metric.name}_count", frozenset(pairs)] = buckets[-1][1]
            elif isinstance(point, str):
                for each in metric.states:
                    found[metric.name, frozenset([*pairs, (metric.name, each)])] = each == point
            else:
                name = f"{metric.name}_total" if metric.type == "counter" else metric.name
                found[name, frozenset(pairs)] = float(point)
    return found


def equal(one: Samples, other: Samples) -> bool:
    return one.keys() == other.keys() and all(
        number == other[key] or (isnan(number) and isnan(other[key])) for key, number in one.items()
    )


@no_deadline
@given(any_families())
def test_any_names_and_values_come_back_from_the_parsers_of_prometheus(shown: list[Family]) -> None:
    for exposition in BOTH:
        parsed = read(text(shown, exposition).encode(), exposition.content_type.decode())
        assert equal(samples(parsed), expected(shown))
        types = {each.metric.name: each.metric.type for each in shown}
        for family in parsed:
            kind = types[family.name]
            assert family.type == ("gauge" if kind == "stateset" and exposition is PROMETHEUS else kind)


PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (f"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.6,{PROMETHEUS_3}", OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ('Application/OpenMetrics-Text; version="1.0.0" ; q=0.9, text/plain;q=0.8', OPENMETRICS),
        ("", PROMETHEUS),
        ("*/*", PROMETHEUS),  # curl
        ("text/html,application/xhtml+xml,*/*;q=0.8", PROMETHEUS),  # a browser
        ("text/plain;version=0.0.4", PROMETHEUS),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.8", PROMETHEUS),
        ("application/openmetrics-text;q=0", PROMETHEUS),
        ("application/openmetrics-text;version=2.0.0", PROMETHEUS),
        ("application/openmetrics-text;q=nan", PROMETHEUS),
        ("application/openmetrics-text;q=2", PROMETHEUS),
        ("application/openmetrics-text;q=high", PROMETHEUS),
        ("image/png", PROMETHEUS),  # a scrape must not fail
        (";;;,,,=;q", PROMETHEUS),
    ],
)
def test_the_format_is_the_one_that_the_client_prefers(accept: str, expected: Exposition) -> None:
    assert negotiate(accept) is expected


@given(st.text())
def test_any_accept_header_gets_a_format(accept: str) -> None:
    assert negotiate(accept) in BOTH


def test_a_check_has_no_more_series_than_it_has_names() -> None:
    """No message, no exception and no value of a check becomes a label."""
    engine = serving_engine(check("db", interval=10.0, retry_interval=10.0))
    before = shown(engine, 0.0)
    for number in range(50):
        run_check(engine, unhealthy(f"failure {number}", data={f"name {number}": number}), 20.0 * number)
    after = shown(engine, 1000.0)
    assert {name for name, _ in after} - {name for name, _ in before} == {
        "asgi_health_check_last_result_timestamp_seconds"
    }
    assert len(after) == len(before) + 1
