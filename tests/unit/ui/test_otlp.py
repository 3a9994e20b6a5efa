from __future__ import annotations

import json
from typing import Any

from support.viewer import log_request, trace_request

from otel_chatbot.ui.otlp import add_logs, add_traces
from otel_chatbot.ui.rows import MORE_LIMIT, Batch, number, packed, plain
from otel_chatbot.ui.schema import LOG_COLUMNS, SPAN_COLUMNS


def span(**told: Any) -> dict[str, Any]:
    batch = Batch()
    add_traces(trace_request({"trace": 1, "span": 1, "name": "work", **told}), batch)
    [row] = batch.spans
    return dict(zip(SPAN_COLUMNS, row, strict=True))


def record(**told: Any) -> dict[str, Any]:
    batch = Batch()
    add_logs(log_request({"body": "said", **told}), batch)
    [row] = batch.logs
    return dict(zip(LOG_COLUMNS, row, strict=True))


def test_a_failed_span_is_called_by_its_exception_else_by_its_error_type_else_by_its_message() -> None:
    raised = [("exception", {"exception.type": "KeyError", "exception.message": "x"})]
    assert span(failed=True, events=raised, attributes={"error.type": "500"})["error"] == "KeyError"
    assert span(failed=True, attributes={"error.type": "500"})["error"] == "500"
    assert span(failed=True)["error"] == "error"
    assert span(events=raised)["error"] is None, "an exception that was handled is no failure"


def test_spans_begin_a_service_when_nothing_called_them_or_when_they_serve() -> None:
    assert span(kind=1)["entry"] == 1
    assert span(kind=2, parent=9)["entry"] == 1
    assert span(kind=3, parent=9)["entry"] == 0


def test_tokens_and_cost_are_those_of_calls_of_a_model_and_not_of_the_request_around_them() -> None:
    told = {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5, "chatbot.ai.cost": 0.5}
    call = span(attributes={**told, "gen_ai.operation.name": "chat"})
    assert (call["model"], call["tokens_in"], call["cost"]) == ("m", 5, 0.5)
    request = span(attributes=told)
    assert (request["model"], request["tokens_in"], request["cost"]) == (None, None, None)


def test_a_span_that_ends_before_it_begins_took_no_time() -> None:
    found = span(ms=-50)
    assert found["end"] == found["start"]


def test_a_span_without_ids_is_left_out() -> None:
    message = trace_request({"trace": 1, "span": 1, "name": "work"})
    message.resource_spans[0].scope_spans[0].spans[0].trace_id = b""
    batch = Batch()
    add_traces(message, batch)
    assert batch.spans == []


def test_records_have_a_level_a_place_and_an_error_from_error_on() -> None:
    assert (record(level=9)["severity"], record(level=9)["error"]) == ("INFO", None)
    assert (record(level=17)["severity"], record(level=17)["error"]) == ("ERROR", "error")
    assert record(level=17, attributes={"exception.type": "KeyError"})["error"] == "KeyError"
    placed = record(attributes={"code.function.name": "views.chat", "code.line.number": 7})
    assert placed["place"] == "shop.views · views.chat:7"


def test_what_would_be_too_much_is_left_out_and_said() -> None:
    text = packed({"a": {f"name {n}": "v" * 10_000 for n in range(40)}})
    assert len(text) < 200 < MORE_LIMIT
    assert "bytes of attributes, more than" in json.loads(text)["a"]["left out"]


def test_values_are_shown_as_they_are() -> None:
    assert plain({"a": [1, True, None, 2.5], "big": 2**60}) == {"a": [1, True, None, 2.5], "big": str(2**60)}
    assert packed({"half": "\ud800"}) == '{"half":"\\ud800"}' or json.loads(packed({"half": "\ud800"}))
    assert number("one") == number("one") != number("two")
