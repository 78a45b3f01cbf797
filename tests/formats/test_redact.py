"""No credential is shown, and all other text stays readable."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asgi_health import healthy, unhealthy
from asgi_health.core.result import MESSAGE_LIMIT, failure, interpret
from asgi_health.formats.health_json import health_json
from asgi_health.formats.redact import mask, redact, redact_lines
from asgi_health.formats.text import text
from benchmarks.redaction import UNITS

from ..support.core_cases import no_deadline
from ..support.format_cases import WALL, both, one
from .secrets import AROUND_PASSWORD, BARE, KEYS, LINES, QUOTED, READABLE, TOKENS

thorough = settings(no_deadline, max_examples=200)


def without(excluded: str) -> str:
    """Return the visible characters of ASCII without the `excluded` ones."""
    return "".join(char for char in string.punctuation + string.ascii_letters + string.digits if char not in excluded)


def secrets(alphabet: str) -> st.SearchStrategy[str]:
    """Return secrets that occur in no text by accident: long, and with a digit, which no name here has."""
    return st.text(alphabet, min_size=8, max_size=40).filter(
        lambda secret: len(set(secret)) > 3 and any(char.isdigit() for char in secret)
    )


# In a URL a password ends at the last @ of the word; quotes and angle brackets end the word.
in_url = secrets(without("'\"<>"))
in_word = secrets(without("'\",;&)}]"))  # behind `password=`, up to a character that ends a value
in_token = secrets(string.ascii_letters + string.digits + "-._~+/=")

users = st.text(string.ascii_lowercase, max_size=8)
before = st.sampled_from(["", "OperationalError: ", "could not connect to ", "x=1, ", "('", '"', "[Errno 111] <"])
after = st.sampled_from(["", " refused", ", retrying", "') from None", '"', ">", "\nHINT: none"])
schemes = st.sampled_from(["postgres", "postgresql+asyncpg", "redis", "amqp", "https", "mongodb+srv", "MYSQL"])
hosts = st.sampled_from(["db", "db:5432/app", "10.0.0.1:6379", "[::1]/0", "db.example/x?sslmode=require"])
keywords = st.sampled_from(
    ["password", "PGPASSWORD", "Passwd", "pwd", "passphrase", "secret", "client_secret", "token", "access_token"]
) | st.sampled_from(["api_key", "apiKey", "API-KEY", "aws_secret_access_key", "sasl_password", "credential"])
equals = st.sampled_from(["=", ":", ": ", " = "])


@thorough
@given(before, schemes, users, in_url, hosts, after)
@example("", "redis", "", "p@ss/w?rd#1", "db", "")
@example("", "redis", "", "://a@b://c", "db", "")
def test_no_password_of_a_url_is_shown(before: str, scheme: str, user: str, secret: str, host: str, after: str) -> None:
    assert secret not in redact(f"{before}{scheme}://{user}:{secret}@{host}{after}")


@thorough
@given(before, keywords, equals, in_word, after)
@example("", "password", ":", "*@A00000", "")
def test_no_value_behind_a_keyword_is_shown(before: str, keyword: str, equals: str, secret: str, after: str) -> None:
    assert secret not in redact(f"{before}{keyword}{equals}{secret}{after}")


@thorough
@given(before, keywords, st.sampled_from(["'", '"']), st.sampled_from([": ", ":", "="]), st.data())
def test_no_quoted_value_is_shown(before: str, keyword: str, quote: str, equals: str, data: st.DataObject) -> None:
    secret = data.draw(secrets(without(quote + "\\")))
    assert secret not in redact(
        f"{before}{{{quote}{keyword}{quote}{equals}{quote}{secret}{quote}, {quote}n{quote}: 1}}"
    )


@thorough
@given(st.sampled_from(["Bearer", "bearer", "Basic", "BEARER"]), in_token, before, after)
def test_no_bearer_token_is_shown(scheme: str, secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}Authorization: {scheme} {secret}{after}")


@thorough
@given(
    st.dictionaries(keywords, st.text(st.characters(codec="utf-8"), min_size=8).map(lambda s: "S3cr3t" + s), min_size=1)
)
def test_no_secret_in_the_repr_of_a_dict_is_shown(given: dict[str, str]) -> None:
    assert "S3cr3t" not in redact(repr(given))
    assert "S3cr3t" not in redact(f"KeyError: {given!r}")


def cut(text: str, seen: int) -> str:
    """Return a message whose end was cut off, with the first `seen` characters of `text`."""
    message = unhealthy("x" * (MESSAGE_LIMIT - 2 - min(seen, len(text))) + " " + text + "y" * 50).message
    assert len(message) == MESSAGE_LIMIT
    return message


# The tests search for digits: nothing but the secrets of these messages has any.
numbers = st.text("0123456789@/?#:%&=", min_size=8, max_size=40)


@thorough
@given(st.sampled_from(["postgres", "redis", "mongodb+srv"]), numbers, st.integers(0, 60))
@example("redis", "1234@5678@9", 20)
def test_no_part_of_a_password_of_a_cut_url_is_shown(scheme: str, secret: str, seen: int) -> None:
    message = cut(f"{scheme}://user:{secret}@host", seen)
    assert not any(char.isdigit() for char in redact(message))


@thorough
@given(keywords, st.sampled_from(["'", '"', ""]), st.text("0123456789@/?#:%!", min_size=8), st.integers(0, 60))
def test_no_part_of_a_cut_value_is_shown(keyword: str, quote: str, secret: str, seen: int) -> None:
    message = cut(f"{keyword}={quote}{secret}{quote}", seen)
    assert not any(char.isdigit() for char in redact(message))


@thorough
@given(st.text("0123456789\\'\" \n", min_size=8), st.integers(0, 60))
def test_no_part_of_a_quoted_value_is_shown_wherever_a_library_has_cut_it(secret: str, seen: int) -> None:
    text = repr({"password": secret})
    assert not any(char.isdigit() for char in redact(text[:seen]))
    assert not any(char.isdigit() for char in redact(repr(text)[:seen]))


class Pool:
    """A connection pool that a check returns by mistake. The message has the first characters of its repr."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown


@pytest.mark.parametrize("padding", range(0, 70, 3))
@pytest.mark.parametrize(
    "shape", ["postgres://app:{}@db/x", "password={}", "password='{}'", "{{'token': '{}'}}", "Bearer {}"]
)
def test_a_value_returned_by_mistake_shows_no_secret_where_it_is_cut(shape: str, padding: int) -> None:
    secret = "hunter2hunter2hunter2hunter2hunter2hunter2"
    message = interpret(Pool("<Pool " + "x" * padding + " " + shape.format(secret) + ">")).message
    assert "hunter" not in redact(message)


AWKWARD = [
    r'body: "{\"password\": \"hunter2\"}"',  # JSON inside of JSON
    r"{\'api_key\': \'hunter2\'}",
    "redis://:a<hunter2>@db",  # a URL in brackets or quotes is not escaped
    "redis://:it's-hunter2@db",
    'redis://:"hunter2@db',
    "connect(host='db', password='hunter2', port=5432)",
    "'authorization': b'bearer hunter2'",
    "curl -H 'Authorization: Basic aHVudGVyMg==hunter2'",
    "password='it\\'s hunter2'",
    "password='it's hunter2', port=1",
    "password='first line\\\nhunter2'",
    "password=DOMAIN\\hunter2",
    'password="""one\nhunter2"""',
    "password = r'hunter2'",
    "password=(hunter2",
    "PWD={a}}hunter2};",
    "user[password]=hunter2",
    "password[0]=hunter2",
]


@pytest.mark.parametrize("leak", AWKWARD)
def test_no_secret_in_an_awkward_notation_is_shown(leak: str) -> None:
    shown = redact(leak)
    assert "hunter2" not in shown
    assert "***" in shown


NAMES = [key for key in KEYS if " " not in key]
QUOTED_SECRETS = (
    "hunter2",
    "a hunter2,x;)&b",
    "hunter2 = x: y",
    "{hunter2} [x] (y)",
    "ünïcödé hunter2",
    "//x?y=hunter2@z",
)
BARE_SECRETS = ("hunter2", "a,;)'&hunter2", "hunter2,;)'&z", "a=b:hunter2", "[hunter2", "ü#hunter2", "$!hunter2%")
LINE_SECRETS = ("hunter2", "correct horse hunter2 battery", "a, b; c) d' e & hunter2")


@pytest.mark.parametrize("key", NAMES)
def test_no_value_behind_any_name_in_any_notation_is_shown(key: str) -> None:
    for shapes, values in ((QUOTED, QUOTED_SECRETS), (BARE, BARE_SECRETS), (LINES, LINE_SECRETS)):
        for shape in shapes:
            for value in values:
                if key.lower() in ("cookie", "set-cookie") and shape.startswith("Server=") and ";" in value:
                    continue
                leak = shape.format(key=key, secret=value)
                assert "hunter2" not in redact(leak), leak


FIRST = string.ascii_letters + string.digits


def behind(last: str, without_: str = "") -> st.SearchStrategy[str]:
    """Return secrets with all characters of a value, and `last`; no word of a message begins as they do."""
    return st.builds(str.__add__, st.sampled_from("QX"), secrets(without("'\"\\`<>{}" + without_) + last))


def parts_of(secret: str, shown: str) -> list[str]:
    """Return the words of a secret that are shown and are too long to be there by accident."""
    return [word for word in secret.split() if len(word) > 5 and any(map(str.isdigit, word)) and word in shown]


@thorough
@given(st.sampled_from(NAMES), st.sampled_from(QUOTED), behind(" "))
def test_no_secret_in_quotes_is_shown(key: str, shape: str, secret: str) -> None:
    assert not parts_of(secret, redact(shape.format(key=key, secret=secret)))


@thorough
@given(st.sampled_from(NAMES), st.sampled_from(BARE), behind("'"))
def test_no_secret_that_is_one_word_is_shown(key: str, shape: str, secret: str) -> None:
    assert not parts_of(secret, redact(shape.format(key=key, secret=secret)))


@thorough
@given(st.sampled_from(NAMES), st.sampled_from(LINES), behind(" ", ";"))
def test_no_secret_that_is_the_rest_of_its_line_is_shown(key: str, shape: str, secret: str) -> None:
    assert not parts_of(secret, redact(shape.format(key=key, secret=secret)))


@thorough
@given(st.sampled_from(AROUND_PASSWORD), st.text(FIRST, min_size=8, max_size=30))
def test_no_generated_secret_in_a_special_shape_is_shown(shape: str, word: str) -> None:
    secret = f"x{word}9"
    assert secret not in redact(shape.format(secret=secret))


@pytest.mark.parametrize("key", [key for key in KEYS if " " in key])
def test_the_value_behind_a_name_of_two_words_is_masked(key: str) -> None:
    for shape in ("{key}={secret}", "{key}: {secret}", '{{"{key}": "{secret}"}}', "('{key}', '{secret}')"):
        assert "hunter2" not in redact(shape.format(key=key, secret="hunter2"))


@pytest.mark.parametrize("shape", AROUND_PASSWORD)
def test_a_secret_in_a_special_shape_is_masked(shape: str) -> None:
    leak = shape.format(secret="hunter2")
    shown = redact(leak)
    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["{}", "the server refused {} at 10:00", "got '{}'", "({})", "[1, {}]"])
def test_a_token_with_a_known_prefix_is_masked_without_a_name(token: str, around: str) -> None:
    assert redact(around.format(token)) == around.format("***")


@pytest.mark.parametrize("message", READABLE)
def test_text_that_only_resembles_a_credential_stays_readable(message: str) -> None:
    assert redact(message) == message
    assert redact(f"ExceptionGroup: {message}") == f"ExceptionGroup: {message}"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("OperationalError: postgres://app:pw@db:5432/x refused", "OperationalError: postgres://***@db:5432/x refused"),
        ("connect(host='db', password='pw', port=1)", "connect(host='db', password=***, port=1)"),
        ("https://api.example/v1?token=abc&page=2 said 401", "https://api.example/v1?*** said 401"),
        ("url='https://api.example/v1?page=2', status=503", "url='https://api.example/v1?***', status=503"),
        ('{"url":"https://a.example/v1?page=2","status":503}', '{"url":"https://a.example/v1?***","status":503}'),
        ('{"password":"pw","status":503}', '{"password":***,"status":503}'),
        ("no primary in mongodb://a,b,c/?replicaSet=rs0", "no primary in mongodb://a,b,c/?***"),
        ("Authorization: Bearer abcdef.ghi was refused", "Authorization: Bearer *** was refused"),
        ("host=db password=pw dbname=x", "host=db password=*** dbname=x"),
        ("Server=db;Password=a b;Encrypt=yes", "Server=db;Password=***;Encrypt=yes"),
        ("mysql --password pw -u app", "mysql --password *** -u app"),
        ("[('host', 'db'), ('password', 'x')]", "[('host', 'db'), ('password', ***)]"),
        ("key AKIAIOSFODNN7EXAMPLE is revoked", "key *** is revoked"),
        ("app:pw@db:5432/x refused", "***@db:5432/x refused"),
        ('"Env": ["A=1", "DB_PASSWORD=a b", "C=2"]', '"Env": ["A=1", "DB_PASSWORD=***", "C=2"]'),
        ("{'password': None, 'token': 123456, 'port': 1}", "{'password': None, 'token': ***, 'port': 1}"),
    ],
)
def test_the_text_around_a_credential_stays_readable(message: str, shown: str) -> None:
    assert redact(message) == shown


@pytest.mark.parametrize(
    "hidden",
    [
        "pass\0word",
        "pass\x1b[31mword",
        "pass\x1b]0;title\x07word",
        "\x1b[1mpassword\x1b[0m",
        "pass\u200bword",
        "pass\u202eword",
        "password\0",
        "password\x7f",
        "pass\xadword",
        "password\ud800"[:-1],
        "pass\x9b1mword",
        "pass\u034fword",
        "pass\ufe0fword",
    ],
)
def test_invisible_characters_hide_no_name(hidden: str) -> None:
    for sign in ("=", ": ", "\x1b[0m=\0"):
        assert "hunter2" not in redact(f"{hidden}{sign}hunter2")


@no_deadline
@given(
    st.lists(st.sampled_from(["connect", "refused", "10.0.0.1", "after", "2.0", "s", "Error:", "(111)"]), min_size=1)
)
def test_plain_words_are_not_changed(words: list[str]) -> None:
    message = " ".join(words)
    assert redact(message) == message


@no_deadline
@given(st.text(st.characters()))
def test_every_text_becomes_one_printable_line_of_utf8(message: str) -> None:
    shown = redact(message)
    shown.encode()
    assert shown.isprintable()
    assert "  " not in shown


@no_deadline
@given(st.text(st.characters()))
def test_redacting_again_changes_nothing(message: str) -> None:
    assert redact(redact(message)) == redact(message)


ATOMS = (
    st.sampled_from(
        [
            *KEYS,
            *TOKENS[:3],
            "=",
            ": ",
            ":",
            "'",
            '"',
            "\\",
            "\\'",
            ",",
            ", ",
            ";",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            " ",
            "\n",
            "://",
            "@",
        ]
    )
    | st.sampled_from(
        ["?", "&", "…", "***", "--", "-", "value", "name", "Bearer ", "basic ", "Authorization: ", "-----BEGIN X-----"]
    )
    | st.sampled_from(
        ["-----END X-----", "x", "hunter2", "db:5432", "http", "<", ">", "not found", "None", "5", "\0", "\x1b[1m"]
    )
)
texts = st.lists(ATOMS, max_size=25).map("".join)


@thorough
@given(texts)
@example("-----BEGIN X-----basic password-----BEGIN X----------END X-----")
def test_redacting_a_text_of_hostile_parts_again_changes_nothing(message: str) -> None:
    assert redact(redact(message)) == redact(message)


@thorough
@given(texts | st.text(st.characters(), max_size=3000), st.integers(10, 2000))
def test_the_result_is_no_longer_than_the_limit(message: str, limit: int) -> None:
    assert len(redact(message, limit)) <= limit


def test_the_lines_of_a_block_are_masked_together_and_keep_their_indentation() -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nhunter2\n-----END RSA PRIVATE KEY-----"
    block = f"  File x\n    key = {pem}\n\tpassword='a\nhunter2'"
    assert redact_lines(block) == [
        "  File x",
        "    key = -----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
        " password=***",
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", UNITS)
def test_hostile_texts_of_any_length_take_little_time(unit: str) -> None:
    """Masking with quadratic time would not end here; benchmarks/redaction.py measures that the time is linear."""
    mask(unit * (100_000 // len(unit)))


@pytest.mark.parametrize("place", ["message", "value", "name", "unit"])
def test_every_text_of_a_result_is_redacted(place: str) -> None:
    leak = "redis://:hunter2@db"
    texts = {"message": "m", "value": "v", "name": "n", "unit": "u"} | {place: leak}
    for result in (
        unhealthy(texts["message"], data={texts["name"]: (texts["value"], texts["unit"])}),
        healthy(texts["message"], data={texts["name"]: (texts["value"], texts["unit"])}),
        failure(ConnectionError(leak)),
    ):
        for answer in both(one(result)):
            assert b"hunter2" not in answer.body


def test_the_message_of_an_exception_is_redacted_in_both_formats() -> None:
    report = one(failure(ConnectionError("cannot reach postgres://app:hunter2@db/x")))
    assert b"ConnectionError: cannot reach postgres://***@db/x" in health_json(report, None, wall=WALL).body
    assert b"[-]a failed: ConnectionError: cannot reach postgres://***@db/x\n" in text(report).body
