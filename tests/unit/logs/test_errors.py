"""What is told of an exception: never the application's data that a client put into it."""

from __future__ import annotations

import pytest
from bson.errors import InvalidDocument
from pymongo.errors import DuplicateKeyError, ServerSelectionTimeoutError
from redis.exceptions import ResponseError

from otel_chatbot.logs.errors import (
    encodable,
    is_private,
    is_told_apart,
    printable,
    safe_exception_message,
    safe_stack,
    safe_text,
)


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def endpoints_error(**members: object) -> Exception:
    base = type("APIError", (Exception,), {"__module__": "openai"})
    error: Exception = type("BadRequestError", (base,), {"__module__": "openai"})("the prompt")
    vars(error).update(members)
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("as it is"), "as it is"),
        (DuplicateKeyError("alice@example.com", 11000), "DuplicateKeyError (code 11000)"),
        (InvalidDocument("cannot encode {'a': 'secret'}"), "InvalidDocument"),
        (ServerSelectionTimeoutError("no server"), "no server"),
        (
            ResponseError("Command # 2 (SET user:1 text) of pipeline caused error: bad"),
            "Command # 2 of pipeline caused error: bad",
        ),
        (
            ResponseError("unknown command 'X', with args beginning with: 'secret' "),
            "unknown command 'X', with args beginning with: ****",
        ),
        (
            endpoints_error(status_code=400, code="context_length_exceeded"),
            "BadRequestError (status 400, code context_length_exceeded)",
        ),
        (endpoints_error(status_code=429, code="Your text was: x"), "BadRequestError (status 429)"),
        (UnprintableError(), "<unprintable UnprintableError: RuntimeError>"),
    ],
)
def test_a_message_is_told_without_the_applications_data(error: Exception, told: str) -> None:
    assert safe_exception_message(error) == told


def test_only_clients_whose_messages_repeat_data_are_told_apart() -> None:
    duplicate, response, other = DuplicateKeyError("x"), ResponseError("x"), ServerSelectionTimeoutError("x")
    assert [is_private(error) for error in (duplicate, response, other)] == [True, False, False]
    assert [is_told_apart(error) for error in (duplicate, response, other)] == [True, True, False]


def test_a_class_of_the_applications_own_with_a_clients_name_is_not_taken_for_it() -> None:
    assert safe_exception_message(type("OperationFailure", (Exception,), {})("mine")) == "mine"


def test_a_stack_has_the_safe_messages_of_causes_and_contexts_too() -> None:
    try:
        try:
            raise DuplicateKeyError(f"{2 + 3} alices")
        except DuplicateKeyError as error:
            raise ValueError("shown") from error
    except ValueError as error:
        stack = safe_stack(error)
    assert "5 alices" not in stack
    assert "pymongo.errors.DuplicateKeyError: DuplicateKeyError" in stack
    assert stack.endswith("ValueError: shown")


def test_a_long_stack_loses_its_middle_and_an_absent_error_has_none() -> None:
    stack = safe_stack(ValueError("x" * 40_000))
    assert stack.startswith("ValueError: xxx")
    assert "\n... 7244 characters left out ...\n" in stack
    assert safe_stack((None, None, None)) == ""


def test_a_stack_that_cannot_be_made_leaves_the_errors_name() -> None:
    error = ValueError("x")
    error.__notes__ = property()  # type: ignore[assignment]
    assert safe_stack(error).startswith("ValueError")
    assert safe_text(UnprintableError()) == "<unprintable UnprintableError: RuntimeError>"


@pytest.mark.parametrize(("text", "kept"), [("plain", "plain"), ("é", "é"), ("\ud83d", "\\ud83d")])
def test_a_text_can_be_encoded_afterwards(text: str, kept: str) -> None:
    assert encodable(text) == kept
    encodable(text).encode()


def test_a_number_that_python_refuses_to_print_is_described() -> None:
    assert printable(2**10_000 - 1) == 2**10_000 - 1
    assert printable(2**10_000) == "<number of 10001 bits>"
