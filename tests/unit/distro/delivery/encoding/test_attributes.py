"""Attributes, resources and scopes as bytes: what comes again is kept, what cannot be sent takes no other with it."""

from __future__ import annotations

import math
import struct
from types import MappingProxyType

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as upstream_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from otel_chatbot.config import Settings
from otel_chatbot.distro.delivery.encoding.attributes import Attributes, BytesCache, ScopeGroups
from otel_chatbot.distro.delivery.encoding.traces import encode_spans
from otel_chatbot.logs.redaction import Redactor

SPAN_ATTRIBUTES = b"\x4a"
"""The tag of a span's attributes."""


def encoded(attributes: Attributes, given: object) -> dict[str, AnyValue]:
    out: list[bytes] = []
    attributes.encode(SPAN_ATTRIBUTES, given, out)  # type: ignore[arg-type]
    return {pair.key: pair.value for pair in Span.FromString(b"".join(out)).attributes}


def test_numbers_that_are_equal_in_python_stay_what_they_are() -> None:
    attributes = Attributes(None)
    for value in (1, True, 1.0, 0, False, 0.0, -0.0, (1,), (True,), (1.0,), "1"):
        made = ReadableSpan("n", SpanContext(1, 2, False), attributes={"k": value})
        sent = ExportTraceServiceRequest.FromString(encode_spans([made], attributes))
        assert sent == upstream_spans([made])
        found = sent.resource_spans[0].scope_spans[0].spans[0].attributes[0].value
        if value == 0 and isinstance(value, float):
            assert math.copysign(1, found.double_value) == math.copysign(1, value)


def test_each_number_of_an_attribute_and_each_tuple_of_texts_is_sent_as_itself() -> None:
    attributes = Attributes(None)
    for value in (0.5, -2.25, 0.5, math.inf, ("a", "b"), ("a", "c"), ("a", "b"), ("ab",), (), 1.5):
        made = ReadableSpan("n", SpanContext(1, 2, False), attributes={"k": value})
        assert ExportTraceServiceRequest.FromString(encode_spans([made], attributes)) == upstream_spans([made])
    assert math.isnan(encoded(attributes, {"k": math.nan})["k"].double_value)
    assert attributes._pairs[SPAN_ATTRIBUTES].before_number.keys() == {"k"}


def test_a_number_under_a_name_that_is_masked_stays_masked_whatever_its_bytes_are() -> None:
    attributes = Attributes(Redactor.from_settings(Settings()))
    masked = encoded(attributes, {"password": 0.25})["password"].string_value
    assert masked
    looks_like_the_mask = struct.unpack("<d", masked.encode()[-8:].rjust(8, b"x"))[0]
    for value in (looks_like_the_mask, 0.5, 0.25):
        assert encoded(attributes, {"password": value})["password"].string_value == masked
    assert not attributes._pairs[SPAN_ATTRIBUTES].before_number


def test_a_number_that_json_cannot_hold_is_text_as_ever_also_after_another_number_of_its_name() -> None:
    attributes = Attributes(Redactor.from_settings(Settings()))
    first = encoded(attributes, {"k": math.nan})
    assert encoded(attributes, {"k": 0.5})["k"].double_value == 0.5
    assert str(encoded(attributes, {"k": math.nan})) == str(first)


@pytest.mark.parametrize("bad", [2**64, object(), {1, 2}, "\ud800"])
def test_an_attribute_that_cannot_be_sent_is_left_out_and_takes_no_other_with_it(bad: object) -> None:
    made = ReadableSpan("n", SpanContext(1, 2, False), attributes=MappingProxyType({"a": 1, "bad": bad, "b": 2}))
    sent = ExportTraceServiceRequest.FromString(encode_spans([made], Attributes(None)))
    assert [pair.key for pair in sent.resource_spans[0].scope_spans[0].spans[0].attributes] == ["a", "b"]


def test_what_is_kept_stays_small_whatever_comes() -> None:
    attributes = Attributes(None)
    for number in range(30_000):
        attributes.encode(b"\x4a", {f"k{number}": f"v{number}", "long": "x" * 300 + str(number)}, [])
        attributes.text(b"\x2a", f"name {number}")
    assert len(attributes._pairs[b"\x4a"].found) <= 8192
    assert len(attributes._texts.found) <= 8192
    for number in range(10_000):
        attributes.encode(b"\x4a", {f"f{number}": 0.5, "texts": (str(number),), "long": ("x" * 300,)}, [])
    assert len(attributes._pairs[b"\x4a"].found) <= 8192
    assert len(attributes._pairs[b"\x4a"].before_number) <= 8192


def test_secrets_are_masked_and_what_is_kept_is_the_masked_one() -> None:
    attributes = Attributes(Redactor.from_settings(Settings()))
    for _ in range(2):
        found = encoded(attributes, {"password": "hunter2", "note": "mail ann@example.com", "n": 7})
        assert "hunter2" not in str(found)
        assert "ann@example.com" not in str(found)
        assert found["n"].int_value == 7
    assert "ann@example.com" not in attributes.text(b"\x2a", "mail ann@example.com").decode("latin-1")
    assert attributes.text(b"\x2a", "") == b""


def test_a_message_of_an_exception_is_redacted_by_the_type_beside_it_and_never_kept() -> None:
    attributes = Attributes(Redactor.from_settings(Settings()))
    database = encoded(attributes, {"exception.type": "pymongo.errors.WriteError", "exception.message": "doc: {name: 'Ann'}"})
    own = encoded(attributes, {"exception.type": "ValueError", "exception.message": "doc: {name: 'Ann'}"})
    assert "Ann" not in database["exception.message"].string_value
    assert own["exception.message"].string_value == "doc: {name: 'Ann'}"


def test_a_resource_is_encoded_once_as_the_operator_wrote_it() -> None:
    attributes = Attributes(Redactor.from_settings(Settings()))
    resource = Resource({"service.name": "chat", "owner": "ann@example.com"})
    first = attributes.resource(resource)
    assert attributes.resource(resource) is first
    message: ResourceMessage = ResourceSpans.FromString(first).resource
    assert {pair.key: pair.value.string_value for pair in message.attributes} == {
        "service.name": "chat",
        "owner": "ann@example.com",
    }


def test_resources_that_come_and_go_are_not_all_kept() -> None:
    attributes = Attributes(None)
    for number in range(1000):
        attributes.resource(Resource({"n": number}))
        attributes.scope(InstrumentationScope(str(number)))
    assert len(attributes._resources) <= 256
    assert len(attributes._scopes) <= 256


def test_equal_resources_and_scopes_are_one_group_and_other_schemas_another() -> None:
    groups = ScopeGroups(Attributes(None))
    scopes = [InstrumentationScope("s"), InstrumentationScope("s"), InstrumentationScope("s", None, "https://schema"), None]
    resources = [Resource({"a": 1}), Resource({"a": 1}), Resource({"a": 1}, "https://schema")]
    places = [[groups.of(resource, scope) for scope in scopes] for resource in resources]
    assert places[0][0] is places[0][1] is places[1][0]
    assert len({id(place) for row in places for place in row}) == 6
    places[0][0].append(b"\x12\x00")
    request = ExportTraceServiceRequest.FromString(groups.request())
    assert [len(group.scope_spans) for group in request.resource_spans] == [3, 3]
    assert [group.schema_url for group in request.resource_spans] == ["", "https://schema"]


def test_a_full_cache_starts_again_and_has_what_came_last() -> None:
    cache: BytesCache[int] = BytesCache(most=2)
    for number in range(3):
        assert cache.keep(number, bytes([number])) == bytes([number])
    assert cache.found == {2: b"\x02"}


def test_the_key_of_an_attribute_that_is_no_text_to_send_is_made_one() -> None:
    found = encoded(Attributes(Redactor.from_settings(Settings())), {"a\ud800": 1, "b": 2})
    assert len(found) == 2
    assert KeyValue(key="b", value=found["b"]).value.int_value == 2
