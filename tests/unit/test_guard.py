"""A fault of the telemetry is told of once, without the application's data, and never reaches the application."""

from __future__ import annotations

import logging

import pytest

from otel_chatbot import _guard
from otel_chatbot._guard import never_raise, report


@pytest.fixture(autouse=True)
def in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are swallowed, as in an app, and none has been told of yet."""
    monkeypatch.setattr(_guard.Guard, "strict", False)
    monkeypatch.setattr(_guard, "_seen", set())


@never_raise
def hook(value: object) -> str:
    """Says a value."""
    if isinstance(value, BaseException):
        raise value
    return f"said {value}"


def test_a_hook_answers_as_it_is_and_keeps_its_name_and_text() -> None:
    assert hook("this") == "said this"
    assert hook(value=1) == "said 1"
    assert (hook.__name__, hook.__doc__) == ("hook", "Says a value.")


def test_an_exception_in_a_hook_becomes_none_and_one_line_per_place_and_kind(caplog: pytest.LogCaptureFixture) -> None:
    for error in (ValueError("first"), ValueError("second"), KeyError("third")):
        assert hook(error) is None
    report("another place", ValueError())
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(" at ")[0] for line in lines] == [
        "telemetry fault in hook: ValueError",
        "telemetry fault in hook: KeyError",
        "telemetry fault in another place: ValueError",
    ]
    assert {(record.name, record.levelno) for record in caplog.records} == {("otel_chatbot", logging.WARNING)}


def test_the_line_names_file_and_line_and_not_the_text_which_may_quote_the_users_data(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook(ValueError("the user's question"))
    [line] = caplog.messages
    raising = hook.__wrapped__.__code__.co_firstlineno + 4  # type: ignore[attr-defined]
    assert f"{__file__}:{raising}; the application is not affected" in line
    assert "question" not in caplog.text
    assert caplog.records[0].exc_info is None


def test_an_error_that_was_never_raised_has_an_unknown_place(caplog: pytest.LogCaptureFixture) -> None:
    report("start", OSError())
    assert "telemetry fault in start: OSError at an unknown place" in caplog.text


def test_who_debugs_sees_the_stack_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "otel_chatbot"):
        hook(ValueError("for who debugs"))
    assert "for who debugs" in caplog.text


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_process_or_a_generator_passes(kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        hook(kind())


def test_the_projects_own_tests_see_every_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_guard.Guard, "strict", True)
    with pytest.raises(ValueError, match="seen"):
        hook(ValueError("seen"))
