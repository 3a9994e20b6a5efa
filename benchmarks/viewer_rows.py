"""Data for the measurement of the viewer: spans and log records as an exporter packs them, 500 per body, 8 spans per turn.

Feeds `viewer.py`. Every question of the benchmark has a full page of answers already at the smallest size. So an answer is
not longer at a larger size: only the size of the tables differs.
"""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

BODY = 500
SPANS = 8
"""Spans per trace."""
START = 1_800_000_000_000_000_000
_SPREAD = 0x9E3779B97F4A7C15


def trace_of(turn: int) -> bytes:
    """The id of a trace; the ids are spread like random ones."""
    return (turn * _SPREAD % 2**64 + 1).to_bytes(16, "big")


def attributes(**values: object) -> list[KeyValue]:
    def value(one: object) -> AnyValue:
        return AnyValue(int_value=one) if isinstance(one, int) else AnyValue(string_value=str(one))

    return [KeyValue(key=key.replace("__", "."), value=value(one)) for key, one in values.items()]


def trace_body(first: int) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(attributes(service__name="bench", service__instance__id="bench-1"))
    scope = group.scope_spans.add()
    for number in range(first, first + BODY):
        turn, place = divmod(number, SPANS)
        span = scope.spans.add(
            trace_id=trace_of(turn), span_id=(number + 1).to_bytes(8, "big"),
            start_time_unix_nano=START + number * 1000, end_time_unix_nano=START + number * 1000 + (number % 997) * 1_000_000,
        )  # fmt: skip
        failed = turn % 10 == 0
        if place == 0:
            route = f"/chat/{turn % 10}"
            span.name, span.kind = f"POST {route}", 2
            span.attributes.extend(attributes(
                http__request__method="POST", http__route=route, http__response__status_code=500 if failed else 200,
                url__path=route, url__scheme="http", server__address="127.0.0.1", server__port=5000,
                gen_ai__conversation__id=f"conversation-{turn // 5}", user__hash=f"user-{turn // 5 % 5}",
            ))  # fmt: skip
            span.status.code = 2 if failed else 0
        elif place == 1:
            span.name, span.kind = "chat gpt-4o-mini", 3
            span.attributes.extend(attributes(
                gen_ai__operation__name="chat", gen_ai__request__model="gpt-4o-mini", gen_ai__usage__input_tokens=100,
                gen_ai__usage__output_tokens=50, gen_ai__conversation__id=f"conversation-{turn // 5}",
                topic=f"topic{turn % 10}", order=f"order{turn}",
            ))  # fmt: skip
        else:
            span.name, span.kind = "shop.find", 3
            span.attributes.extend(attributes(
                db__system__name="mongodb", db__namespace="shop", db__operation__name="find", db__collection__name="messages",
                server__address="127.0.0.1", server__port=27017,
            ))  # fmt: skip
        if place:
            span.parent_span_id = (number - place + 1).to_bytes(8, "big")
    return message


def log_body(first: int) -> ExportLogsServiceRequest:
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    group.resource.attributes.extend(attributes(service__name="bench"))
    scope = group.scope_logs.add()
    scope.scope.name = "bench.views"
    for number in range(first, first + BODY):
        words = f"topic{number % 20} line{number}" if number % 2 else f"topic{number % 20}"
        scope.log_records.add(
            time_unix_nano=START + number * 1000, severity_number=17 if number % 20 == 0 else 9,
            body=AnyValue(string_value=f"Answered a question about {words} in {number % 800} ms"),
            trace_id=trace_of(number // SPANS), span_id=(number + 1).to_bytes(8, "big"),
            attributes=attributes(user="ada", cached=number % 2),
        )  # fmt: skip
    return message


def bodies(first: int, last: int) -> Iterator[tuple[str, bytes]]:
    """The bodies of so many spans and as many records, each with the path that it is posted to."""
    for number in range(first, last, BODY):
        yield "/v1/traces", trace_body(number).SerializeToString()
        yield "/v1/logs", log_body(number).SerializeToString()


QUESTIONS: dict[str, str] = {
    "traces": "traces?",
    "failed traces": "traces?failed=1",
    "traces of a route": "traces?route=/chat/{digit}",
    "slow traces": "traces?slow=900",
    "traces by attribute": "traces?attribute=topic&value=topic{digit}",
    "traces by text, of many": "traces?text=topic{digit}",
    "traces by text, of one": "traces?text=order{turn}",
    "a trace": "traces/{trace}",
    "conversations": "conversations?",
    "failed conversations": "conversations?failed=1",
    "conversations of a user": "conversations?user=user-{five}",
    "conversations by text": "conversations?text=topic{digit}",
    "a conversation": "conversations/conversation-{talk}",
    "log records": "logs?",
    "errors in the log": "logs?level=17",
    "log records of a trace": "logs?trace={trace}",
    "log records by text, of many": "logs?text=answered topic{digit}",
    "log records by text, of one": "logs?text=line{odd}",
    "log records by the beginning of a word": "logs?text=lin",
    "errors": "errors?",
    "the last turns": "turns?",
}
"""Questions of the pages, by name. The values in braces change with each question."""


def question(name: str, number: int, size: int) -> str:
    """A question to a viewer that has so many spans, as an address."""
    turn = number * 7919 % (size // SPANS)
    return (
        QUESTIONS[name]
        .format(digit=number % 10, five=number % 5, turn=turn, talk=turn // 5, trace=trace_of(turn).hex(), odd=turn * SPANS + 1)
        .replace(" ", "+")
    )
