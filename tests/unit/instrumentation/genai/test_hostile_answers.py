"""Requests and answers that are broken, huge or hostile: every reader takes them without an exception, and the call ends once."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wires.gemini_messages import KINDS

from otel_chatbot.instrumentation.genai import content
from otel_chatbot.instrumentation.genai.call import Call
from otel_chatbot.instrumentation.genai.protocols import answer as answers
from otel_chatbot.instrumentation.genai.protocols.answer import Answer
from otel_chatbot.instrumentation.genai.protocols.protocol import Protocol, characters
from otel_chatbot.instrumentation.genai.recognise import PROTOCOLS, Found, Place
from otel_chatbot.instrumentation.genai.transports import grpc
from otel_chatbot.instrumentation.genai.wire_call import WireCall

SCALE = int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1"))
CASES = 8 if SCALE == 1 else 25 * SCALE
"""Per protocol and test. The tests of each protocol spoil every part of its answers besides, one after the other."""
MOST_PIECES = 500
"""A long body comes in pieces that are larger, or nearly all the time would go into handing them over."""
READERS = Path(answers.__file__).parent
WORDS = sorted({word for file in READERS.glob("*.py") for word in re.findall(r'"([A-Za-z_.!-]{2,40})"', file.read_text())})
"""What the readers look for, so that what is made up here gets far into them."""
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(WORDS)
    | st.just("x" * 70_000)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), JSON, max_size=6)
EACH = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
TYPES = (
    "application/json", "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream", "text/html", "",
)  # fmt: skip


def bounded(answer: Answer) -> bool:
    kept = sum(len(text) for parts in answer.parts.values() for text in parts)
    kept += sum(len(text) for tool in answer.tools.values() for text in tool.arguments)
    return kept <= answers.MOST_TEXT and all(
        len(held) <= answers.MOST_PARTS for held in (answer.tools, answer.finish, answer.parts)
    )


@EACH
@settings(max_examples=CASES)
@given(body=OBJECTS, path=st.text(max_size=40))
def test_no_request_is_too_strange_to_be_read(protocol: Protocol, body: dict[str, Any], path: str) -> None:
    asked = protocol.request(body, path)
    assert isinstance(asked.model, str)
    assert characters(asked.said) >= 0
    assert all(isinstance(value, str) for value in content.asked(body).values())


@EACH
@settings(max_examples=CASES)
@given(
    found=OBJECTS,
    events=st.lists(st.tuples(st.sampled_from(WORDS) | st.text(max_size=8), OBJECTS), max_size=4),
    keeps=st.booleans(),
)
def test_no_answer_is_too_strange_to_be_read(
    protocol: Protocol, found: dict[str, Any], events: list[tuple[str, dict[str, Any]]], keeps: bool
) -> None:
    whole, streamed = Answer(keeps=keeps), Answer(keeps=keeps)
    protocol.answer(found, whole)
    for name, event in events:
        protocol.chunk(name, event, streamed)
    for answer in (whole, streamed):
        assert bounded(answer)
        assert answer.written >= 0
        assert answer.usage is None or answer.usage.input >= 0 <= answer.usage.output
        assert answer.failure is None or 0 < len(answer.failure) <= answers.MOST_NAME
        content.answered(answer)


def begun(protocol: Protocol, *, streamed: bool) -> WireCall:
    asked = protocol.request({"model": "m", "stream": streamed}, "/v1")
    asked.streamed = streamed
    place = Place("127.0.0.1", 9, "/v1", "http")
    return WireCall(Call("openai", asked, place), Found(protocol, "openai", asked, {}, place, known=True), None)


@EACH
@settings(max_examples=CASES)
@given(
    body=st.binary(max_size=300) | OBJECTS.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
    kind=st.sampled_from(TYPES), encoding=st.sampled_from(["", "gzip", "br", "deflate", "nonsense"]), cut=st.integers(1, 99),
    streamed=st.booleans(), ends=st.sampled_from(["finish", "closed", "fail"]),
)  # fmt: skip
def test_any_bytes_end_the_call_once(
    protocol: Protocol, body: bytes, kind: str, encoding: str, cut: int, streamed: bool, ends: str
) -> None:
    wire_call = begun(protocol, streamed=streamed)
    headers = {"content-type": kind, "content-encoding": encoding}
    wire_call.responded(200, headers.get, decoded=False)
    size = max(cut, len(body) // MOST_PIECES)
    for start in range(0, len(body), size):
        wire_call.feed(body[start : start + size])
    wire_call.fail(ConnectionError()) if ends == "fail" else getattr(wire_call, ends)()
    wire_call.finish()
    wire_call.closed()
    assert wire_call.call.has_ended or wire_call.found.protocol.name == "openai_assistants"


MESSAGES = st.builds(
    KINDS.Answer,
    candidates=st.lists(
        st.fixed_dictionaries({}, optional={
            "content": st.fixed_dictionaries({"parts": st.lists(st.fixed_dictionaries({"text": st.text(max_size=9)}), max_size=3)}),
            "finish_reason": st.integers(-(2**31), 2**31 - 1),
        }),
        max_size=4,
    ),
    usage_metadata=st.fixed_dictionaries({"prompt_token_count": st.integers(-(2**31), 2**31 - 1)}),
    model_version=st.text(max_size=400),
).map(lambda message: message.SerializeToString())  # fmt: skip


@given(
    answers=st.lists(st.binary(max_size=60) | MESSAGES, max_size=5), status=st.integers(-1, 99), whole=st.booleans(),
    ends=st.sampled_from(["status", "thrown away"]),
)  # fmt: skip
def test_any_messages_of_grpc_end_the_call_once_and_the_app_gets_its_own_error(
    answers: list[bytes], status: int, whole: bool, ends: str
) -> None:
    gemini = next(protocol for protocol in PROTOCOLS if protocol.name == "gemini")
    wire_call = begun(gemini, streamed=not whole)
    reader = (grpc._LastReader if whole else grpc._Reader)(wire_call, KINDS.Answer.FromString)
    for data in answers:
        try:
            message = KINDS.Answer.FromString(data)
        except DecodeError:
            with pytest.raises(DecodeError):
                reader(data)
        else:
            assert reader(data) == message
    assert bounded(wire_call.answer)
    grpc._ended(wire_call, status) if ends == "status" else wire_call.call.abandon()
    grpc._ended(wire_call, 0)
    wire_call.closed()
    assert wire_call.call.has_ended
