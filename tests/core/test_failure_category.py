"""Why a run failed: from the classes and error numbers of a chain of exceptions, and else from their texts.

tests/checks/test_matrix.py shows it for the exceptions of each driver against its real server.
"""

import errno
import socket
import ssl
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_health import Result, Status, healthy, unhealthy
from asgi_health.core.engine import Engine
from asgi_health.core.failure_category import CATEGORIES, Category, categorize
from asgi_health.core.result import describe

from ..support.core_cases import check, no_deadline, serving_engine, start_run


class OperationalError(Exception):
    """A driver's error that says nothing by its class."""

    orig: BaseException | None = None


class ServerSelectionTimeoutError(Exception):
    """The error of a driver that has tried again and again, until its own deadline."""


def category(error: BaseException) -> Category:
    return categorize(describe(error), error)


def caused(cause: BaseException, error: BaseException | None = None) -> BaseException:
    error = error or OperationalError("the connection failed")
    error.__cause__ = cause
    return error


def with_context(context: BaseException) -> BaseException:
    error = OperationalError("the connection failed")
    error.__context__ = context
    return error


def with_orig(orig: BaseException) -> BaseException:
    error = OperationalError("the connection failed")
    error.orig = orig
    return error


ERRORS: list[tuple[BaseException, Category]] = [
    (TimeoutError(), "timeout"),
    (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "timeout"),
    (ServerSelectionTimeoutError("no server"), "timeout"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "refused"),
    (OSError(errno.EHOSTUNREACH, "No route to host"), "refused"),
    (OSError(errno.ENETUNREACH, "Network is unreachable"), "refused"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns"),
    (ssl.SSLCertVerificationError("certificate verify failed"), "tls"),
    (ssl.SSLError(1, "wrong version number"), "tls"),  # the number 1 is EPERM elsewhere
    (PermissionError(errno.EACCES, "Permission denied"), "auth"),
    (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "other"),
    (ValueError("a wrong answer"), "other"),
    (KeyError(), "other"),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS, ids=lambda each: type(each).__name__)
def test_an_exception_has_the_category_of_its_class_or_error_number(error: BaseException, expected: Category) -> None:
    assert category(error) == expected


WRAPPERS: list[Callable[[BaseException], BaseException]] = [
    caused,
    with_context,
    with_orig,
    lambda error: ExceptionGroup("attempts", [error]) if isinstance(error, Exception) else error,
    lambda error: caused(BaseExceptionGroup("attempts", [OperationalError("one"), caused(error)])),
]


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_the_reason_is_found_behind_an_error_of_a_driver(wrap: Callable[[BaseException], BaseException]) -> None:
    for error, expected in ERRORS:
        assert category(wrap(error)) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error 111 connecting to localhost:1. Connect call failed.", "refused"),
        ("connection to server at 127.0.0.1, port 5 failed: Connection refused", "refused"),
        ("Multiple exceptions: [Errno 111] Connect call failed ('::1', 5), [Errno 111] Connect call failed", "refused"),
        ('failed: FATAL:  password authentication failed for user "app"', "auth"),
        ("(1045, \"Access denied for user 'app'@'localhost' (using password: YES)\")", "auth"),
        ("the broker has refused: Connection Refused: not authorised.", "auth"),
        ("HEAD was answered by 401, expected 200 or 204", "auth"),
        ("HEAD was answered by 500, expected 200 or 204", "other"),
        ("could not translate host name to address: Temporary failure in name resolution", "dns"),
        ("UNAVAILABLE: DNS resolution failed for nowhere:1", "dns"),
        ("SSL_ERROR_SSL: error:1000007d: CERTIFICATE_VERIFY_FAILED", "tls"),
        ("the certificate has expired", "tls"),
        ("localhost:1: Connection refused (configured timeouts: connectTimeoutMS: 20000.0ms)", "refused"),
        ("the server did not answer: timed out", "timeout"),
        ("DEADLINE_EXCEEDED", "timeout"),
        ("returned False", "other"),
        ("", "other"),
    ],
)
def test_without_more_the_text_decides(message: str, expected: Category) -> None:
    assert categorize(message, None) == expected
    assert category(OperationalError(message)) == expected


def test_a_reason_counts_before_the_deadline_that_ended_the_attempts() -> None:
    assert category(caused(ConnectionRefusedError(), ServerSelectionTimeoutError("gave up"))) == "refused"
    assert category(caused(TimeoutError(), OperationalError("certificate verify failed"))) == "tls"


def test_the_nearest_reason_counts() -> None:
    class AuthenticationError(Exception):
        pass

    assert category(caused(ConnectionRefusedError(), AuthenticationError())) == "auth"


def test_a_context_that_the_driver_suppressed_does_not_count() -> None:
    error = with_context(ConnectionRefusedError())
    error.__suppress_context__ = True
    assert category(error) == "other"


def test_exceptions_that_cause_each_other_end() -> None:
    first, second = OperationalError("one"), OperationalError("two")
    first.__cause__, second.__cause__ = second, first
    assert category(first) == "other"


def test_an_exception_with_broken_attributes_and_text_is_other() -> None:
    class Hostile(Exception):
        @property
        def errno(self) -> int:
            raise RuntimeError("no")

        def __str__(self) -> str:
            raise RuntimeError("no")

    assert category(caused(Hostile())) == "other"


@no_deadline
@given(st.text(), st.recursive(st.builds(OSError, st.text()), lambda each: st.builds(caused, each), max_leaves=40))
def test_every_failure_has_one_of_the_categories(message: str, error: BaseException) -> None:
    assert categorize(message, error) in CATEGORIES


def failures(engine: Engine, name: str = "a") -> dict[str, int]:
    (slot,) = (each for each in engine.slots if each.check.name == name)
    return {category: number for category, number in slot.counts.failures.items() if number}


def test_a_run_past_its_deadline_is_a_timeout_and_each_run_that_was_due_meanwhile_an_overrun() -> None:
    engine = serving_engine(check(timeout=2.0, interval=10.0, retry_interval=1.0))
    start_run(engine, 0.0)
    engine.due(2.0)
    assert failures(engine) == {"timeout": 1}
    engine.due(3.0)
    assert failures(engine) == {"timeout": 1, "overrun": 1}


def test_a_result_after_the_deadline_is_a_timeout_whatever_it_says() -> None:
    for result in (healthy(), unhealthy("Connection refused")):
        engine = serving_engine(check(timeout=2.0))
        engine.record(start_run(engine, 0.0), result, 2.5)
        assert failures(engine) == {"timeout": 1}


def test_a_failure_has_the_category_of_its_exception_and_a_pass_has_none() -> None:
    engine = serving_engine(check(interval=10.0))
    engine.record(start_run(engine, 0.0), healthy("Connection refused, as it should be"), 0.1)
    assert failures(engine) == {}
    error = caused(socket.gaierror())
    engine.record(start_run(engine, 20.0), Result(Status.UNHEALTHY, describe(error)), 20.1, error)
    assert failures(engine) == {"dns": 1}
