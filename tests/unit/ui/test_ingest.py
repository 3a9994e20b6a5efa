from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from support.viewer import chat, log_request, store, trace_request

from otel_chatbot.ui import ingest
from otel_chatbot.ui.figures import Recorder
from otel_chatbot.ui.ingest import JSON, PROTOBUF, Ingest, RefusedError
from otel_chatbot.ui.store import Store

PATHS = ("/v1/traces", "/v1/logs", "/v1/metrics")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    one = store(tmp_path_factory.mktemp("ingest"))
    yield one
    one.close()


@pytest.fixture(scope="module")
def taking(kept: Store) -> Ingest:
    return Ingest(kept, Recorder())


def refused(taking: Ingest, path: str, body: bytes, kind: str = PROTOBUF, encoding: str = "") -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        taking.take(path, body, kind, encoding)
    return caught.value.status, caught.value.reason


def spans(kept: Store, trace: int) -> list[Any]:
    with kept.reading() as db:
        query = "SELECT name, conversation, tokens_in, cost FROM span WHERE trace = ? ORDER BY span"
        return db.execute(query, (trace.to_bytes(16, "big"),)).fetchall()


CHAT = [("POST /chat", "talk", None, None), ("shop.find", None, None, None), ("chat gpt-4o-mini", "talk", 30, 0.001)]


def test_protobuf_and_json_packed_and_not_say_the_same(taking: Ingest, kept: Store) -> None:
    for number, (kind, encoding) in enumerate([(PROTOBUF, ""), (PROTOBUF, "gzip"), (JSON, ""), (JSON, "gzip")], 1):
        message = trace_request(*chat(number))
        body = message.SerializeToString() if kind == PROTOBUF else json.dumps(as_otlp_json(message)).encode()
        answer, answered = taking.take(
            "/v1/traces", gzip.compress(body) if encoding else body, f"{kind}; charset=utf-8", encoding
        )
        assert (answer, answered) == (b"{}" if kind == JSON else b"", kind)
        assert spans(kept, number) == CHAT


def as_otlp_json(message: Any) -> Any:
    """OTLP's JSON: as protobuf's, but for ids, which are hexadecimal."""
    found = json_format.MessageToDict(message)
    for group in found["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = ingest.base64.b64decode(span[name]).hex()
    return found


def test_what_packs_into_more_than_the_limit_is_refused_before_it_is_unpacked(taking: Ingest) -> None:
    bomb = gzip.compress(bytes(ingest.LIMIT + 1))
    assert refused(taking, "/v1/traces", bomb, encoding="gzip")[0] == 413
    many = gzip.compress(bytes(ingest.LIMIT // 2 + 1))
    assert refused(taking, "/v1/traces", many + many, encoding="gzip")[0] == 413


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "status", "words"),
    [
        (b"\xff\xff\xff", PROTOBUF, "", 400, "is not the protobuf of ExportTraceServiceRequest"),
        (b"{", JSON, "", 400, "is not the JSON of"),
        (b"[]", JSON, "", 400, "is not the JSON of"),
        (b'{"resourceSpans": 7}', JSON, "", 400, "is not the JSON of"),
        (b'{"resourceSpans": ' + b"[" * 5000, JSON, "", 400, "is not the JSON of"),
        (b"", "text/plain", "", 415, "text/plain is not OTLP over HTTP"),
        (b"", "", "", 415, "no content type"),
        (b"", PROTOBUF, "br", 415, "br is not supported"),
        (b"no gzip", PROTOBUF, "gzip", 400, "is not gzip"),
        (gzip.compress(b"cut short" * 100, mtime=0)[:-20], PROTOBUF, "gzip", 400, "ends too early"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body_is_said(
    taking: Ingest, body: bytes, kind: str, encoding: str, status: int, words: str
) -> None:
    found, reason = refused(taking, "/v1/traces", body, kind, encoding)
    assert found == status
    assert words in reason


def test_deep_and_long_values_are_cut_and_the_span_is_kept(taking: Ingest, kept: Store) -> None:
    message = trace_request({"trace": 77, "span": 1, "name": "n" * 100_000, "attributes": {"long": "v" * 100_000}})
    value = message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="deep").value
    for _ in range(40):
        value = value.array_value.values.add()
    taking.take("/v1/traces", message.SerializeToString(), PROTOBUF, "")
    with kept.reading() as db:
        name, more = db.execute("SELECT name, more FROM span WHERE trace = ?", ((77).to_bytes(16, "big"),)).fetchone()
    assert name.endswith("characters more)")
    assert json.loads(more)["a"]["long"].endswith("(67232 characters more)")


def test_numbers_beyond_what_sqlite_takes_are_kept_as_the_largest(taking: Ingest, kept: Store) -> None:
    message = trace_request({"trace": 78, "span": 1, "name": "from the far future"})
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.start_time_unix_nano, span.end_time_unix_nano = 2**64 - 1, 5
    taking.take("/v1/traces", message.SerializeToString(), PROTOBUF, "")
    with kept.reading() as db:
        start, end = db.execute("SELECT start, end FROM span WHERE trace = ?", ((78).to_bytes(16, "big"),)).fetchone()
    assert start == end == 2**63 - 1


def bodies() -> st.SearchStrategy[bytes]:
    """Noise, and real bodies with some bytes of noise in them."""
    real = [
        trace_request(*chat(5)).SerializeToString(),
        log_request({"body": "x", "trace": 5}).SerializeToString(),
        b'{"resourceLogs":[{"scopeLogs":[{}]}]}',
    ]

    def spoiled(body: bytes, at: int, noise: bytes) -> bytes:
        place = at % len(body)
        return body[:place] + noise + body[place + len(noise) :]

    return st.one_of(
        st.binary(max_size=200), st.builds(spoiled, st.sampled_from(real), st.integers(0, 10_000), st.binary(max_size=8))
    )


def test_whatever_is_posted_is_taken_or_refused_with_a_reason_and_never_raises(taking: Ingest, scale: int) -> None:
    @settings(max_examples=50 * scale)
    @given(st.sampled_from(PATHS), bodies(), st.sampled_from([PROTOBUF, JSON]), st.sampled_from(["", "gzip", "raw"]))
    def post(path: str, body: bytes, kind: str, encoding: str) -> None:
        if encoding == "raw":
            body, encoding = zlib.compress(body), "gzip"
        elif encoding == "gzip":
            body = gzip.compress(body)
        try:
            status = 200
            taking.take(path, body, kind, encoding)
        except RefusedError as error:
            status = error.status if error.reason else 0
        assert status in (200, 400, 413, 415)

    post()
