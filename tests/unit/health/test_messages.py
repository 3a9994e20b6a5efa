"""The message of a failed check is one short line, without credentials and without a stack."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pymongo.errors import ServerSelectionTimeoutError
from support.health import fresh_health

from otel_chatbot.health import HealthChecker
from otel_chatbot.health.messages import known_secrets, redacted, redacted_details, safe_message


@pytest.fixture
def checker() -> Iterator[HealthChecker]:
    with fresh_health(CHATBOT_OTEL_HEALTH_TIMEOUT="0.3") as fresh:
        yield fresh


def test_a_raise_is_unhealthy_with_class_and_text_but_neither_credentials_nor_stack() -> None:
    uri = "mongodb://admin:pa%24%24w0rd@db.example/chat"
    with fresh_health(MONGODB_URI=uri, CHATBOT_OTEL_ENDPOINT_TOKEN="tok-1234567") as checker:
        texts = [
            "cannot reach redis://:s3cr3t-word@cache:6379/0",
            f"gave up on {uri}",
            "wrong password pa$$w0rd for admin",
            "api_key=sk-abcdefghijklmnopqrstuvwxyz0123",
            "sent tok-1234567",
        ]
        secrets = ["s3cr3t-word", "pa%24%24w0rd", "pa$$w0rd", "sk-abcdef", "tok-1234567"]

        for text in texts:

            def fail(text: str = text) -> None:
                raise RuntimeError(text)

            checker.register_check("database", fail)
            found = checker.readiness()["checks"]["database"]
            assert found["status"] == "unhealthy"
            assert found["message"].startswith("RuntimeError: ")
            assert not [secret for secret in secrets if secret in found["message"]]
            assert "Traceback" not in found["message"]
            assert __file__ not in found["message"]


def test_a_message_is_one_short_line(checker: HealthChecker) -> None:
    checker.register_check("own", lambda: (False, "first\n  second\x00" + "long " * 1000))
    message = checker.detailed()["checks"]["own"]["message"]
    assert message.startswith("first second")
    assert "\n" not in message
    assert len(message) <= 200


def test_an_error_is_told_of_by_class_and_text_in_one_line() -> None:
    with fresh_health():
        assert safe_message(OSError("no route\nto host")) == "OSError: no route to host"
        assert safe_message(KeyError()) == "KeyError"


def test_what_pymongo_adds_about_the_whole_cluster_is_left_out() -> None:
    error = ServerSelectionTimeoutError(
        "db:27017: refused (configured timeouts: connectTimeoutMS: 900.0ms), Timeout: 0.9s, Topology"
    )
    with fresh_health():
        assert safe_message(error) == "ServerSelectionTimeoutError: db:27017: refused"


def test_a_line_is_cut_at_200_characters_with_a_sign_that_it_was() -> None:
    with fresh_health():
        assert redacted("word " * 40) == ("word " * 40).strip()
        assert redacted("x" * 200) == "x" * 200
        assert redacted("x" * 201) == "x" * 199 + "…"


def test_secrets_are_known_by_settings_whole_and_by_password_longest_first_and_short_ones_would_mask_prose() -> None:
    uri = "mongodb://u:a%40cb@db/"
    with fresh_health(MONGODB_URI=uri, REDIS_URL="redis://:abc@r/0", OPENAI_API_KEY="key"):
        assert known_secrets() == [uri, "redis://:abc@r/0", "a%40cb", "a@cb"]


def test_details_are_strict_json_with_secrets_masked_deep() -> None:
    with fresh_health():
        found = redacted_details({"nested": {"password": "hunter22", "count": 2}, "ratio": float("inf")})
    assert "hunter22" not in json.dumps(found, allow_nan=False)
    assert found["nested"]["count"] == 2
