"""Bodies of OTLP that are broken in some way, the same ones for the same seed: protobuf, JSON, gzip, and what claims to be one.

Feeds the test that posts them to the viewer.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from .viewer import BEGIN, chat, log_request, pairs, trace_request

PROTOBUF, JSON = "application/x-protobuf", "application/json"
PATHS = ("/v1/traces", "/v1/logs", "/v1/metrics")
BOMB = gzip.compress(bytes(40 * 1024 * 1024), 9)
"""40 KiB that become 40 MiB."""
_KINDS = (PROTOBUF, JSON, "", "text/plain", "application/json; charset=utf-16", "application/x-protobuf;", "\tapplication/json")
_ENCODINGS = ("gzip", "br", "deflate", "identity", "GZIP", "gzip, gzip")
_ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 2**31, 2**63, 2**64, 2**70, -(2**70), 1e308, -1e308, "", "x", "\u0000", "\ud800", "é" * 3000, "<script>",
    "NaN", "Infinity", "-1", "1e5", [], {}, [[]], [None], {"": None}, {"stringValue": 7}, {"intValue": "9" * 40},
    {"doubleValue": "NaN"}, {"bytesValue": "!"}, {"arrayValue": {"values": [{}] * 50}}, {"kvlistValue": {"values": [{"key": 1}]}},
)  # fmt: skip


@dataclass(frozen=True)
class Broken:
    """A body, where it is posted to, and what is said of it."""

    path: str
    body: bytes
    headers: dict[str, str]


def broken(count: int, seed: int) -> Iterator[Broken]:
    """So many bodies."""
    dice = random.Random(seed)
    real = [_real(number) for number in range(1, 9)]
    for _ in range(count):
        path, message = dice.choice(dice.choice(real))
        as_json = dice.random() < 0.5
        body = _spoiled_json(dice, message) if as_json else message.SerializeToString()
        if not as_json or dice.random() < 0.2:
            for _ in range(dice.randrange(4)):
                body = _spoiled(dice, body)
        headers = {"Content-Type": JSON if as_json else PROTOBUF}
        if dice.random() < 0.1:
            path = dice.choice(PATHS)
        if dice.random() < 0.08:
            headers["Content-Type"] = dice.choice(_KINDS)
        if dice.random() < 0.4:
            body, headers["Content-Encoding"] = _packed(dice, body)
        yield Broken(path, body, headers)


def _real(number: int) -> list[tuple[str, Any]]:
    return [
        ("/v1/traces", trace_request(*chat(1_000_000 + number, number, failed=number % 2 == 0))),
        (
            "/v1/logs",
            log_request({"body": "a line", "trace": number, "span": 1, "level": 17, "attributes": {"a": [1, "b", 0.5]}}),
        ),
        ("/v1/metrics", _metrics()),
    ]


def _metrics() -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    group.resource.attributes.extend(pairs({"service.name": "broken", "service.instance.id": "broken-1"}))
    scope = group.scope_metrics.add()
    times = {"start_time_unix_nano": BEGIN, "time_unix_nano": BEGIN + 1}
    scope.metrics.add(name="broken.sum").sum.data_points.add(as_int=3, attributes=pairs({"a": "b"}), **times)
    scope.metrics.add(name="broken.gauge").gauge.data_points.add(as_double=0.5, **times)
    histogram = scope.metrics.add(name="broken.histogram").histogram
    point = histogram.data_points.add(count=3, sum=4.0, bucket_counts=[1, 2], explicit_bounds=[1.0], **times)
    point.exemplars.add(as_double=1.0, trace_id=b"t" * 16, time_unix_nano=BEGIN)
    scope.metrics.add(name="broken.exponential").exponential_histogram.data_points.add(count=1, sum=1.0, scale=2, **times)
    scope.metrics.add(name="broken.summary").summary.data_points.add(count=1, sum=1.0, **times)
    return message


def _spoiled(dice: random.Random, body: bytes) -> bytes:
    """Bytes of it changed, put in, left out, or said twice."""
    at, size = dice.randrange(len(body) + 1), dice.randrange(1, 9)
    noise = dice.randbytes(size)
    return dice.choice((
        body[:at] + noise + body[at + size :], body[:at] + noise + body[at:], body[:at] + body[at + size :], body[:at],
        body[:at] + body[max(0, at - 50) :], noise * 40,
    ))  # fmt: skip


def _spoiled_json(dice: random.Random, message: Any) -> bytes:
    """Some of its values replaced by odd ones, or nested deeply."""
    found = _with_hexadecimal_ids(json_format.MessageToDict(message))
    for _ in range(dice.randrange(4)):
        holder, key = dice.choice(list(_places(found)))
        holder[key] = copy.deepcopy(dice.choice(_ODD))
    text = json.dumps(found)
    if dice.random() < 0.02:
        text = text.replace('"a line"', "[" * 3000 + "]" * 3000)
    return text.encode("utf-8", "surrogatepass")


def _with_hexadecimal_ids(found: Any) -> Any:
    if isinstance(found, dict):
        return {
            name: base64.b64decode(inner).hex()
            if name in ("traceId", "spanId", "parentSpanId")
            else _with_hexadecimal_ids(inner)
            for name, inner in found.items()
        }
    return [_with_hexadecimal_ids(inner) for inner in found] if isinstance(found, list) else found


def _places(found: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(found) if isinstance(found, dict) else range(len(found)):
        yield found, key
        if isinstance(found[key], (dict, list)):
            yield from _places(found[key])


def _packed(dice: random.Random, body: bytes) -> tuple[bytes, str]:
    """Packed rightly, wrongly, twice, or not at all; sometimes a bomb."""
    way = dice.random()
    if way < 0.02:
        return BOMB, "gzip"
    if way < 0.03:
        return gzip.compress(BOMB), "gzip"
    if way < 0.6:
        return gzip.compress(body, 1), "gzip"
    if way < 0.7:
        return zlib.compress(body, 1), "gzip"
    if way < 0.8:
        packed = gzip.compress(body, 1)
        return packed[: dice.randrange(len(packed))], "gzip"
    if way < 0.9:
        return gzip.compress(body, 1) + _spoiled(dice, body), "gzip"
    return body, dice.choice(_ENCODINGS)
