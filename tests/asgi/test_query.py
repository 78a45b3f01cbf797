"""The options in a query: which there are, and what is said about the others."""

from dataclasses import replace

import pytest

from asgi_health.asgi.query import (
    FORMATS,
    KNOWN,
    MAX_COMPARED,
    MAX_QUERY,
    NO_OPTIONS,
    Options,
    parse_options,
    public_option,
)

CACHE_BYPASSES = (
    *(
        b"_",
        b"t",
        b"ts",
        b"v",
        b"r",
        b"cb",
        b"x",
        b"id",
        b"rand",
        b"random",
        b"time",
        b"timestamp",
        b"nocache",
        b"nonce",
    ),
    *(b"no-cache", b"cachebuster", b"cache_bust", b"version", b"uuid", b"1732785000", b"0.8231", b"seed", b"probe"),
)


@pytest.mark.parametrize("query", [None, "verbose", 5, b""])
def test_without_a_query_there_are_no_options(query: object) -> None:
    assert parse_options(query) is NO_OPTIONS


def test_every_option_is_read() -> None:
    query = b"verbose&format=text&explain&strict&exclude=a&exclude=b&group=payments&group=the%20shop"
    assert parse_options(query) == Options(
        verbose=True,
        format="text",
        explain=True,
        strict=True,
        exclude=frozenset({"a", "b"}),
        groups=frozenset({"payments", "the shop"}),
    )


@pytest.mark.parametrize("option", ["verbose", "explain", "strict"])
def test_of_a_flag_only_the_presence_counts_as_in_kubernetes(option: str) -> None:
    for query in (option, f"{option}=", f"{option}=1", f"{option}=0", f"{option}=false", f"t=1&{option}"):
        assert getattr(parse_options(query.encode()), option) is True


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_read_and_asks_for_details(format_: str) -> None:
    options = parse_options(b"format=" + format_.encode())
    assert (options.format, options.verbose, options.problems()) == (format_, True, [])


def test_the_last_of_several_formats_counts() -> None:
    assert parse_options(b"format=yaml&format=json&format=text").format == "text"
    assert parse_options(b"format=yaml&format=json&format=text").problems() == []


def test_an_empty_value_as_a_form_sends_it_is_none_given() -> None:
    options = parse_options(b"exclude=&group=&format=")
    assert (options.exclude, options.groups, options.format, options.problems()) == (frozenset(), frozenset(), None, [])


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *((b"verbos", "verbose"), (b"verbsoe", "verbose"), (b"VERBOSE", "verbose"), (b"explan", "explain")),
        *((b"explained", "explain"), (b"formatt", "format"), (b"exclud", "exclude"), (b"excl", "exclude")),
        *((b"exclude[]", "exclude"), (b"groups", "group"), (b"Group", "group"), (b"strickt", "strict")),
    ],
)
def test_a_misspelt_option_is_a_problem_that_says_what_is_meant(key: bytes, meant: str) -> None:
    (problem,) = parse_options(key + b"=x").problems()
    assert f"did you mean {meant}?" in problem
    assert all(option in problem for option in KNOWN)


@pytest.mark.parametrize("key", CACHE_BYPASSES)
def test_an_option_that_resembles_none_is_ignored_because_clients_add_one_to_bypass_caches(key: bytes) -> None:
    for query in (key, key + b"=17"):
        options = parse_options(query)
        assert replace(options, unknown=()) == NO_OPTIONS
        assert options.problems() == []


@pytest.mark.parametrize(("value", "hint"), [(b"txt", "text"), (b"HTML", "html"), (b"yaml", None), (b"xml", None)])
def test_an_unknown_format_is_a_problem_that_lists_the_known_ones(value: bytes, hint: str | None) -> None:
    (problem,) = parse_options(b"format=" + value).problems()
    assert all(known in problem for known in FORMATS)
    assert (f"did you mean {hint}?" in problem) if hint else ("did you mean" not in problem)


def test_no_problem_repeats_what_is_in_the_query() -> None:
    options = parse_options(b"verbos%3Cb%3E=wzmarkzw&format=wzmarkzw&%1Bexplai=1")
    assert len(options.problems()) == 3
    for problem in options.problems():
        assert "wzmarkzw" not in problem
        assert "<" not in problem
        assert problem.isprintable()


def test_a_query_that_is_too_long_is_a_problem_and_nothing_else() -> None:
    options = parse_options(b"verbose&exclude=" + b"x" * MAX_QUERY)
    assert (options.verbose, options.exclude) == (False, frozenset())
    assert options.problems() == ["the query has more than 4096 bytes"]


def test_of_hundreds_of_unknown_options_a_few_are_compared_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def compare(found: str, *_: object) -> list[str]:
        compared.append(found)
        return []

    monkeypatch.setattr("difflib.get_close_matches", compare)
    query = "&".join(["z" * 200, *(f"verb{number:03}" for number in range(400))]).encode()
    assert len(query) <= MAX_QUERY
    assert parse_options(query).problems() == []
    assert compared == [f"verb{number:03}" for number in range(MAX_COMPARED - 1)]


@pytest.mark.parametrize(
    ("query", "option"),
    [
        *((b"format=badge", "badge"), (b"t=1&format=badge", "badge"), (b"signin", "signin"), (b"signin=", "signin")),
        *((b"", None), (None, None), (b"format=json", None), (b"format=badges", None), (b"xformat=badge", None)),
        *((b"signing", None), (b"exclude=signin", None), (b"x" * 300 + b"&signin", None)),
    ],
)
def test_strangers_have_two_options(query: object, option: str | None) -> None:
    assert public_option(query) == option
