"""Content that clients put into errors and debug records, and applications into names of fields: none of it is written."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx2
import openai
import pytest
from opentelemetry.sdk.resources import Resource

from otel_chatbot import config
from otel_chatbot.distro.environment import SignalPlan
from otel_chatbot.distro.providers.resource import adopted_resource, process_resource
from otel_chatbot.logs.errors import safe_exception_message, safe_stack
from otel_chatbot.logs.formatters import JsonFormatter, TextFormatter
from otel_chatbot.logs.records import export_copy
from otel_chatbot.logs.redaction import Redactor

PROMPT = "tell me about my illness"


def refusal(**fields: str) -> openai.APIStatusError:
    """What the openai client raises for an endpoint's 400."""
    request = httpx2.Request("POST", "http://model.example/v1/chat/completions")
    response = httpx2.Response(400, request=request)
    body = {"message": f"refused: {PROMPT}", "type": "invalid_request_error", **fields}
    return openai.BadRequestError(f"Error code: 400 - refused: {PROMPT}", response=response, body=body)


def record(name: str, level: int, message: Any, *args: Any, **extra: Any) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, level, __file__, 1, message, args, None, "f", extra)


def test_an_error_of_a_models_endpoint_keeps_class_status_and_code() -> None:
    error = refusal(code="content_filter")
    assert safe_exception_message(error) == "BadRequestError (status 400, code content_filter)"
    assert safe_exception_message(refusal(code=f"said {PROMPT}")) == "BadRequestError (status 400)"
    with pytest.raises(openai.APIError) as raised:
        raise error
    assert PROMPT not in safe_stack(raised.value)
    line = JsonFormatter().format(record("app", logging.ERROR, "it said %s", raised.value))
    assert json.loads(line)["message"] == "it said BadRequestError (status 400, code content_filter)"
    text = str(error)
    assert json.loads(JsonFormatter().format(record("app", logging.ERROR, f"it said {text}")))["message"] == (
        "it said Error code: 400 - ****"
    )
    assert Redactor().attribute("exception.message", text, "openai.BadRequestError") == "BadRequestError"


def test_a_fields_name_is_redacted_like_its_value() -> None:
    one = record("app", logging.INFO, "hello", **{"jane@example.org": 1, "mails": ["jane@example.org"]})
    for written in (JsonFormatter().format(one), TextFormatter().format(one), str(vars(export_copy(one, Redactor())))):
        assert "jane" not in written
        assert "****" in written
    assert json.loads(JsonFormatter().format(one))["****"] == 1


@pytest.mark.parametrize("name", ["pymongo.command", "openai._base_client"])
def test_a_clients_debug_records_lose_the_content_unless_it_is_wanted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    debug = record(name, logging.DEBUG, "Request options: %s", {"messages": [PROMPT]})
    for formatter in (JsonFormatter(), TextFormatter()):
        assert PROMPT not in formatter.format(debug)
        assert "CHATBOT_OTEL_CAPTURE_CONTENT" in formatter.format(debug)
    assert "a warning" in JsonFormatter().format(record(name, logging.WARNING, "a warning"))
    monkeypatch.setattr(config, "current", lambda: config.Settings(capture_content=True))
    assert PROMPT in JsonFormatter().format(debug)


def test_a_resource_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "mongodb://me:hunter2@db.example/x"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"app.password=hunter2,app.db={uri},team=chat")
    found = dict(process_resource(SignalPlan.from_env()).attributes)
    assert (found["app.password"], found["app.db"], found["team"]) == ("****", "mongodb://****@db.example/x", "chat")
    assert found["process.pid"]
    assert adopted_resource(Resource({"service.name": "mine"})).attributes["service.name"] == "mine"
