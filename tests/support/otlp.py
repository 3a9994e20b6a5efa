"""A sender of raw OTLP over HTTP: spans and log records with ids of the test's own, and whether they were acknowledged.

Feeds the tests that play an app of any kind in front of the collector.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATHS = {
    ExportTraceServiceRequest: "/v1/traces",
    ExportLogsServiceRequest: "/v1/logs",
    ExportMetricsServiceRequest: "/v1/metrics",
}


def value(found: Any) -> AnyValue:
    """A plain value, a list or a mapping as OTLP has it."""
    if isinstance(found, str):
        return AnyValue(string_value=found)
    if isinstance(found, int):
        return AnyValue(int_value=found)
    if isinstance(found, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(found)))
    return AnyValue(array_value=ArrayValue(values=[value(one) for one in found]))


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Attributes as OTLP has them."""
    return [KeyValue(key=key, value=value(found)) for key, found in attributes.items()]


def resource(**attributes: Any) -> Resource:
    """A resource; underscores in the names become dots."""
    return Resource(attributes=pairs({key.replace("_", "."): found for key, found in attributes.items()}))


def span(trace_id: bytes, span_id: bytes, name: str = "work", **more: Any) -> Span:
    """A span of a millisecond that ends now."""
    now = time.time_ns()
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        name=name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
        **more,
    )


def traces(spans: Iterable[Span], of: Resource | None = None) -> ExportTraceServiceRequest:
    """A request with spans of one resource."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=of or resource(service_name="sender"))
    group.scope_spans.add().spans.extend(spans)
    return request


def send(port: int, request: Any, timeout: float = 10.0, headers: Mapping[str, str] | None = None) -> bool:
    """Send a request to a loopback port; True when it was acknowledged, False when it was refused or the connection broke."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        content = {"Content-Type": "application/x-protobuf", **(headers or {})}
        connection.request("POST", PATHS[type(request)], request.SerializeToString(), content)
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
