"""Each rule of the policy masks what it is for, and leaves alone what only looks like it."""

# ruff: noqa: SIM905 - lists of words read best as words
from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytest
from bson.errors import InvalidDocument
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.errors import BulkWriteError, DuplicateKeyError, ServerSelectionTimeoutError
from redis.exceptions import ResponseError

from otel_chatbot.config import MASK, Settings
from otel_chatbot.logs.errors import safe_exception_message, safe_stack
from otel_chatbot.logs.patterns import RULES
from otel_chatbot.logs.redaction import Redactor

REDACTOR = Redactor()

MASKED = {
    "connection string of a database": [
        ("mongodb://ann:p@ss/w0rd@db1:27017,db2/chat", "mongodb://****@db1:27017,db2/chat"),
        ("redis://:hunter2@cache:6379/0", "redis://****@cache:6379/0"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://****@h/d"),
    ],
    "credentials in a URL": [("GET https://ann:pw@example.org/x", "GET https://****@example.org/x")],
    "e-mail address": [
        ("mail to alice.b+c@mail.example.com now", "mail to **** now"),
        ("?email=alice%40example.com&x=1", "?email=****&x=1"),
        ("ünal@exämple.de", "****"),
    ],
    "JSON web token": [("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmN", "jwt ****")],
    "bearer token": [("sent Bearer abc.def-123456 on", "sent Bearer **** on"), ("bearer CANARY-token-x", "bearer ****")],
    "key in a URL": [
        ("POST http://a/v1:generate?key=abc&alt=sse", "POST http://a/v1:generate?key=****&alt=sse"),
        ("http://a/v1?alt=sse&subscription-key=abc 200", "http://a/v1?alt=sse&subscription-key=**** 200"),
        ("http://a/v1?cache_key=abc", "http://a/v1?cache_key=abc"),
    ],
    "API key": [
        ("key sk-proj-abcdef123456", "key ****"),
        ("AKIAIOSFODNN7EXAMPLE", "****"),
        ("ghp_" + "a1" * 18, "****"),
        ("xoxb-123456789012-abc", "****"),
        ("AIza" + "Sy" * 18, "****"),
        ("hf_" + "abcd" * 8, "****"),
        ("sk_live_" + "a1b2c3d4e5", "****"),
        ("glpat-" + "abcde12345fghij", "****"),
    ],
    "IBAN": [
        ("to DE89 3704 0044 0532 0130 00 PLEASE", "to **** PLEASE"),
        ("GB82WEST12345698765432", "****"),
        ("MT84MALT011000012345MTLCAST001S", "****"),
    ],
    "payment card": [
        ("card 4111 1111 1111 1111.", "card ****."),
        ("5555555555554444", "****"),
        ("3782-822463-10005", "****"),
        ("card-4111111111111111,", "card-****,"),
    ],
    "international phone number": [
        ("call +49 170 1234567", "call ****"),
        ("+15551234567", "****"),
        ("+1 (555) 123-4567", "****"),
    ],
    "national phone number": [
        ("(555) 123-4567", "****"),
        ("212-555-0187 x", "**** x"),
        ("0170 1234567", "****"),
        ("020 7946 0958", "****"),
    ],
    "value in a database's error": [
        ('E11000 dup key: { email: "x" }, full error: {"keyValue": 1}', "E11000 dup key: ****"),
        (
            "Command # 2 (SET user:1 hello) of pipeline caused error: WRONGTYPE",
            "Command # 2 of pipeline caused error: WRONGTYPE",
        ),
        ("unknown command 'X', with args beginning with: 'hello' 'you'", "unknown command 'X', with args beginning with: ****"),
    ],
    "message of a model's endpoint": [
        ("it said: Error code: 400 - refused: {'role': 'user'}", "it said: Error code: 400 - ****"),
        ("Error code: 429 - too many\nnext line", "Error code: 429 - ****\nnext line"),
    ],
    "key and value": [
        ("password=hunter2, n=1", "password=****, n=1"),
        ("serve --token=abc -password='x y' --no-cache=1", "serve --token=**** -password='****' --no-cache=1"),
        ("{'api_key': 'a b', 'n': 1}", "{'api_key': '****', 'n': 1}"),
        ('{"access_token":"abc","n":1}', '{"access_token":"****","n":1}'),
        ("/x?q=1&token=abc&page=2", "/x?q=1&token=****&page=2"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: ****"),
        ("Cookie: session=abc; theme=dark", "Cookie: ****"),
        ("User(name='ann', password='x y')", "User(name='ann', password='****')"),
        ("OPENAI_API_KEY=abcdef", "OPENAI_API_KEY=****"),
    ],
}

LEFT_ALONE = [
    "Error code: 429",
    "Error code: 0x80070057 - no access",
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    "00000000000000000000000000000001",
    "12345678901234567890123456789012",
    "2026-11-23T18:04:05.123456Z",
    "2026-11-23 18:04:05,123 +0000",
    "20261123180405",
    "1700000000",
    "1700000000.123456",
    "1700000000000",
    "1700000000000000",
    "1700000000000000000",
    "12,345,678.90 EUR",
    "$1234.56",
    "0.4111111111111111",
    "550e8400-e29b-41d4-a716-446655440000",
    "12345678-1234-4234-8234-123456789012",
    "01234567-0123-4123-8123-012345678901",
    "507f1f77bcf86cd799439011",
    "42 of 1000000 in 3.5 ms",
    "4111111111111112",
    "order 9876543210",
    "version 1.2.3.4, 10.0.19045.3693",
    "npm react@18.2.0",
    "/usr/lib/python3.11/site-packages/flask/app.py:1511",
    "C:\\Users\\app\\logs",
    "192.168.100.200:8080",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "tokens=12 max_tokens: 500 token_count=9",
    "prompt_tokens=5, completion_tokens=7, total_tokens=12",
    "cache_key=answer:17 key=value monkey: 5",
    "https://example.org:8080/a?page=2#top",
    "redis://cache:6379/0",
    "bearer authentication is needed",
    "scikit is sk-learn",
    "the password was wrong",
    "1e+10 2e+1234567",
    "DE89 3704 0044 0532 0130 01",
    "SELECT * FROM t WHERE a = 5",
    "eyJ is a prefix",
    "gpt-4o-mini-2024-07-18",
    "HTTP/1.1 200 OK",
]


@pytest.mark.parametrize(("text", "masked"), [case for cases in MASKED.values() for case in cases])
def test_a_rule_masks_what_it_is_for(text: str, masked: str) -> None:
    assert REDACTOR.text(text) == masked
    assert REDACTOR.text(f"before {text}") == f"before {masked}"


def test_every_rule_has_a_case() -> None:
    assert {rule.name for rule in RULES} | {"key and value"} == MASKED.keys()


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_looks_personal_is_left_alone(text: str) -> None:
    assert REDACTOR.text(text) == text
    assert REDACTOR.text(f"at {text} end") == f"at {text} end"


@pytest.mark.parametrize(
    "key",
    "password db_password passwd X-Api-Key apiKey OPENAI_API_KEY secret client_secret SecretKey token accessToken refresh_token "
    "Authorization http.request.header.authorization Set-Cookie cookies credentials private_key iban card_number session_key".split(),
)
def test_a_sensitive_key_masks_its_value(key: str) -> None:
    assert REDACTOR.value(key, "anything") == "****"
    assert REDACTOR.mapping({"a": [{key: {"deep": 1}}]}) == {"a": [{key: "****"}]}


@pytest.mark.parametrize(
    "key",
    "tokens token_count gen_ai.token.type gen_ai.usage.input_tokens cache_key key keyboard author user_id session_id conversation_id "
    "trace_id secretary passenger monkey password_length".split(),
)
def test_an_ordinary_key_keeps_its_value(key: str) -> None:
    assert REDACTOR.value(key, "anything") == "anything"


def test_a_missing_secret_stays_visible_as_missing() -> None:
    assert REDACTOR.mapping({"password": None, "token": False}) == {"password": None, "token": False}


def test_keys_that_are_personal_are_masked_too() -> None:
    assert REDACTOR.mapping({"alice@example.com": 3}) == {"****": 3}


def test_the_settings_add_keys_and_patterns_and_a_bad_pattern_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="otel_chatbot"):
        redactor = Redactor.from_settings(Settings(redact_keys=("favourite-colour",), redact_patterns=(r"EMP\d+", "(")))
    assert redactor.mapping({"favouriteColour": "red", "other": "EMP12 here"}) == {
        "favouriteColour": "****",
        "other": "**** here",
    }
    assert redactor.text("favourite_colour=red") == "favourite_colour=****"
    assert "'('" in caplog.text


HOSTILE = [
    "a" * 100_000 + "@",
    "@" * 100_000,
    "a@" * 50_000,
    "a.@" * 33_000,
    "x@" + "a." * 50_000,
    "mongodb://" * 10_000 + "@",
    "http://" + "a" * 100_000 + "@",
    "eyJ" * 33_000,
    "eyJaaaaa." * 11_000,
    "bearer " * 14_000,
    "Bearer" + " " * 100_000,
    "sk-" * 33_000,
    "1" * 100_000,
    "1 " * 50_000,
    "+1 " * 33_000,
    "4111 " * 20_000,
    "DE89 " * 20_000,
    "AB12" + "C " * 50_000,
    "0" * 50_000 + "/" * 50_000,
    "(" * 50_000 + "555",
    "password=" * 11_000,
    "password='" + "\\" * 100_000,
    'password="' + "a" * 100_000,
    "token:" + " " * 100_000,
    "a" * 100_000 + "=password",
    "dup key: {" * 10_000,
    "Command # 1 (" * 7_000 + "of pipeline",
    "Cookie:" * 14_000,
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_text_makes_a_rule_slow(number: int) -> None:
    def cost(text: str) -> float:
        begin = time.process_time()
        REDACTOR.text(text)
        return time.process_time() - begin

    text = HOSTILE[number]
    # Not a speed limit but a shape: a rule that backtracks badly needs minutes for these.
    assert cost(text) < 5


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aA1 @.:=/+-_'\"{}()skeyJ%40DE", max_size=80))
def test_masking_twice_is_masking_once_for_what_remains(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once).count("****") >= once.count("****") - once.count("********")


@pytest.fixture
def duplicate() -> DuplicateKeyError:
    details = {"code": 11000, "keyValue": {"name": "Canary Smith"}, "errmsg": "E11000 dup key: { name: Canary Smith }"}
    return DuplicateKeyError("E11000 duplicate key error index: name_1 Canary Smith", 11000, details)


def test_a_database_error_keeps_class_and_code(duplicate: DuplicateKeyError) -> None:
    assert safe_exception_message(duplicate) == "DuplicateKeyError (code 11000)"
    bulk = BulkWriteError({"writeErrors": [{"op": {"text": "Canary Smith"}}]})
    assert safe_exception_message(bulk) == "BulkWriteError (code 65)"
    assert safe_exception_message(InvalidDocument("cannot encode object: Canary Smith")) == "InvalidDocument"


def test_an_applications_own_subclass_is_a_database_error_too() -> None:
    class TakenNameError(DuplicateKeyError):
        pass

    assert safe_exception_message(TakenNameError("Canary Smith", 11000)) == "TakenNameError (code 11000)"


def test_other_errors_keep_their_message() -> None:
    assert safe_exception_message(ServerSelectionTimeoutError("db:27017: refused")) == "db:27017: refused"
    assert safe_exception_message(ValueError("too long")) == "too long"


def test_a_redis_error_loses_the_arguments() -> None:
    message = safe_exception_message(ResponseError("Command # 1 (SET user:1 Canary) of pipeline caused error: WRONGTYPE"))
    assert message == "Command # 1 of pipeline caused error: WRONGTYPE"


def test_a_stack_keeps_its_frames_and_loses_database_messages_in_every_link(duplicate: DuplicateKeyError) -> None:
    try:
        try:
            raise duplicate
        except DuplicateKeyError as error:
            raise RuntimeError("could not save") from error
    except RuntimeError:
        stack = safe_stack(sys.exc_info())  # type: ignore[arg-type]
    assert "Canary" not in stack
    assert "pymongo.errors.DuplicateKeyError: DuplicateKeyError (code 11000)" in stack
    assert "RuntimeError: could not save" in stack
    assert "raise duplicate" in stack


def test_a_group_of_errors_loses_the_messages_inside(duplicate: DuplicateKeyError) -> None:
    if sys.version_info < (3, 11):  # there are no groups
        return
    stack = safe_stack(ExceptionGroup("two", [ValueError("kept"), ExceptionGroup("inner", [duplicate])]))  # noqa: F821
    assert "Canary" not in stack
    assert "kept" in stack


def test_a_cycle_of_causes_and_a_hostile_text_are_no_trouble() -> None:
    class Hostile(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("no")

    first, second = ValueError("first"), Hostile()
    first.__cause__, second.__cause__ = second, first
    assert "ValueError: first" in safe_stack(first)
    assert safe_exception_message(second) == "<unprintable Hostile: RuntimeError>"


def test_a_very_long_stack_is_cut_in_the_middle() -> None:
    stack = safe_stack(ValueError("x" * 100_000))
    assert len(stack) < 40_000
    assert "characters left out" in stack


def stack_text(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def test_an_exported_stack_loses_the_text_of_database_errors(duplicate: DuplicateKeyError) -> None:
    try:
        try:
            raise duplicate
        except DuplicateKeyError as error:
            raise RuntimeError("could not save") from error
    except RuntimeError as error:
        raw = stack_text(error)
    clean = REDACTOR.attribute("exception.stacktrace", raw, "RuntimeError")
    assert "Canary" in raw
    assert "Canary" not in clean
    assert "RuntimeError: could not save" in clean
    assert "raise duplicate" in clean


@pytest.mark.parametrize(
    "kind", ["pymongo.errors.DuplicateKeyError", "pymongo.errors.BulkWriteError", "bson.errors.InvalidDocument"]
)
def test_an_exported_message_of_a_database_error_is_its_class(kind: str) -> None:
    assert REDACTOR.attribute("exception.message", "Canary Smith", kind) == kind.rpartition(".")[2]


def test_other_attributes_are_redacted_by_key_and_pattern() -> None:
    assert REDACTOR.attribute("exception.message", "too long", "ValueError") == "too long"
    assert REDACTOR.attribute("http.request.header.authorization", ["Bearer x"]) == "****"
    assert REDACTOR.attribute("url.query", "a=1&token=x") == "a=1&token=****"
    values: list[Any] = [1, 2.5, True, "trace"]
    assert REDACTOR.attribute("app.values", values) == values


def test_a_short_text_in_which_nothing_was_found_is_searched_once_and_of_many_the_first_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor, searched = Redactor(), []
    monkeypatch.setattr(redactor, "suspicious", lambda text: searched.append(text) or True)
    identity = "674812345678901234567890"
    assert [redactor.text(identity) for _ in range(3)] == [identity] * 3
    assert searched == [identity]
    assert [redactor.text("call +49 170 1234567") for _ in range(2)] == [f"call {MASK}"] * 2
    assert len(searched) == 3, "what is masked is searched each time"
    for number in range(600):
        redactor.text(f"conversation {number}")
    assert redactor.text(identity) == identity
    assert searched[-1] == identity
