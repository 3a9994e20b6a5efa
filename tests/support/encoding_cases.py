"""What the tests of the OTLP encoder encode: attributes of every kind, resources and scopes that are equal or not, contexts."""

from __future__ import annotations

import os

from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from .proofs import record_proof

SCALE = int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1"))
CASES = 50 if SCALE == 1 else 34_000
"""Per signal; `make proof` tries 100,000 in all."""

TEXT = st.text(max_size=20)
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT = st.floats(allow_nan=False)
SCALAR = st.one_of(TEXT, st.booleans(), INT64, FLOAT)
VALUE = st.recursive(
    st.one_of(SCALAR, st.binary(max_size=12), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUE, max_size=6)
TIME = st.integers(0, 2**63 - 1)
COUNT = st.integers(0, 2**32 - 1)
RESOURCES = [
    Resource({}),
    Resource({"service.name": "a", "n": 3, "f": 0.5, "l": ["x"]}, "https://schema/r"),
    Resource({"b": True}),
]
SCOPES = [
    None,
    InstrumentationScope("one"),
    InstrumentationScope("two", "1.0", "https://schema/s", {"a": 1}),
    InstrumentationScope("one"),
]

context = st.builds(
    SpanContext,
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    trace_state=st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "2")])]),
)


def prove(what: str, compared: int) -> None:
    """Say how many messages were compared."""
    record_proof(f"OTLP {what} of our encoder, read back, beside those of upstream's", compared=compared, differences=0)
