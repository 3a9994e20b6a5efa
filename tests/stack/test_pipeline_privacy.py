"""What apps that are less careful than ours send: the collector passes on neither what was said nor a secret, and keeps the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from support.otlp import pairs, resource, send, span, traces, value
from support.pipeline import Collector
from support.process import wait_for

from otel_chatbot.testing import OtlpSink, attributes

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector

SECRETS = {
    "mail": "ada.lovelace@planted.example",
    "encoded": "ada%40planted.example",
    "key": "sk-planted0123456789abcdef",
    "bearer": "planted.bearer-0123456789",
    "token": "eyJwbGFudGVk.eyJwbGFudGVk.c2lnbmF0dXJl",
    "login": "planted:password",
    "cloud": "AKIAPLANTED012345678",
}
PROMPT = "planted words of a person"
PLAIN = {"http.route": "/chat", "http.response.status_code": 200, "words": ["one", "two"], "map": {"inner": "kept", "n": 7}}
TRACE = bytes(range(1, 17))


def planted(text: str = "before {} after") -> str:
    found = [
        SECRETS["mail"],
        f"/x?mail={SECRETS['encoded']}",
        SECRETS["key"],
        f"Bearer {SECRETS['bearer']}",
        SECRETS["token"],
        f"mongodb://{SECRETS['login']}@db/chat",
        SECRETS["cloud"],
    ]
    return text.format(" ".join(found))


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Collector, OtlpSink]]:
    with OtlpSink() as store, Collector(tmp_path_factory.mktemp("privacy") / "collector", store.endpoint) as collector:
        yield collector, store


def secrets_in(*bodies: bytes) -> list[str]:
    return [name for name, secret in {**SECRETS, "prompt": PROMPT}.items() for body in bodies if secret.encode() in body]


def test_spans_lose_secrets_and_content_and_nothing_else(collector: tuple[Collector, OtlpSink]) -> None:
    process, store = collector
    one = span(
        TRACE,
        TRACE[:8],
        f"GET /users/{SECRETS['mail']}",
        status=Status(code=Status.STATUS_CODE_ERROR, message=f"no Bearer {SECRETS['bearer']} for {SECRETS['key']}"),
        attributes=pairs(
            {
                **PLAIN,
                "url.query": planted(),
                "list": [planted(), "rest"],
                "nested": {"inner": [planted()]},
                "http.request.header.authorization": "Basic cGxhbnRlZA==",
                "api_key": "anything",
                "gen_ai.input.messages": [{"role": "user", "content": PROMPT}],
                "gen_ai.output.messages": PROMPT,
                "gen_ai.system_instructions": PROMPT,
                "gen_ai.tool.call.arguments": PROMPT,
                "gen_ai.prompt.0.content": PROMPT,
                "gen_ai.request.model": "gpt-4o-mini",
            }
        ),
        events=[
            {"name": "exception", "attributes": pairs({"exception.message": planted()})},
            {"name": "gen_ai.content.prompt", "attributes": pairs({"gen_ai.prompt": PROMPT})},
        ],
    )
    assert send(process.ports["otlp_http"], traces([one], resource(service_name="careless", owner=SECRETS["mail"])))
    assert store.wait(lambda sink: sink.spans()), "the span"
    [(of, found)] = store.spans_with_resource()
    assert secrets_in(*store.bodies) == []
    kept = attributes(found.attributes)
    assert {"http.route": "/chat", "http.response.status_code": 200}.items() <= kept.items()
    assert kept["words"] == list(value(["one", "two"]).array_value.values)
    assert kept["map"] == value({"inner": "kept", "n": 7}).kvlist_value
    assert kept["gen_ai.request.model"] == "gpt-4o-mini"
    assert kept["url.query"].startswith("before ****")
    assert kept["url.query"].endswith(" after")
    assert (kept["http.request.header.authorization"], kept["api_key"]) == ("****", "****")
    assert [name for name in kept if name.startswith("gen_ai.")] == ["gen_ai.request.model"]
    assert (of["service.name"], of["owner"]) == ("careless", "****")
    assert found.name == "GET /users/****"
    assert found.status.message == "no **** for ****"


def test_log_records_lose_secrets_and_content_and_nothing_else(collector: tuple[Collector, OtlpSink]) -> None:
    process, store = collector
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add(resource=resource(service_name="careless")).scope_logs.add().log_records
    records.add(body=value(planted()), attributes=pairs({**PLAIN, "user": SECRETS["mail"]}))
    records.add(body=value({"text": planted(), "n": 7}))
    records.add(body=value(PROMPT), event_name="gen_ai.user.message")
    records.add(body=value({"content": PROMPT}), attributes=pairs({"event.name": "gen_ai.choice"}))
    records.add(body=value("ordinary"), attributes=pairs({"gen_ai.input.messages": PROMPT}))
    assert send(process.ports["otlp_http"], request)
    assert store.wait(lambda sink: len(sink.logs()) == 5), "the records"
    assert secrets_in(*store.bodies) == []
    text, mapping, by_name, by_attribute, ordinary = store.logs()
    assert text.body.string_value.startswith("before ****")
    assert attributes(text.attributes)["http.response.status_code"] == 200
    assert {pair.key: pair.value for pair in mapping.body.kvlist_value.values}["n"] == value(7)
    assert by_name.body.string_value == by_attribute.body.string_value == "[content removed]"
    assert (ordinary.body.string_value, attributes(ordinary.attributes)) == ("ordinary", {})


def test_labels_of_metrics_lose_secrets(collector: tuple[Collector, OtlpSink]) -> None:
    process, _ = collector
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add(resource=resource(service_name="careless")).scope_metrics.add().metrics
    points = metrics.add(name="careless.users", unit="{user}").gauge.data_points
    points.add(as_int=3, attributes=pairs({"user": SECRETS["mail"], "note": planted(), "route": "/chat"}))
    assert send(process.ports["otlp_http"], request)
    wait_for(lambda: "careless_users" in process.metrics(), "the gauge")
    assert secrets_in(process.metrics().encode()) == []
    assert 'route="/chat"' in process.metrics()
