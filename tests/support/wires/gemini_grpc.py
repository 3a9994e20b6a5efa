"""Gemini over gRPC, as google-generativeai speaks it: GenerateContent and StreamGenerateContent, into the same ledger.

https://github.com/googleapis/googleapis/blob/master/google/ai/generativelanguage/v1beta/generative_service.proto
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import grpc

from .ask import TEXT, WORDS, Ask, Tokens
from .ledger import Ledger, Record
from .openai_other import VECTOR
from .protobuf import fields, integer, nested
from .server import HOLD, PACE

SERVICE = "google.ai.generativelanguage.v1beta.GenerativeService"
VERTEX = "google.cloud.aiplatform.v1.PredictionService"
"""The first fields of its requests and answers have the same numbers."""
STATUS = {"refused": grpc.StatusCode.UNAVAILABLE, "unavailable": grpc.StatusCode.UNAVAILABLE, "fails": grpc.StatusCode.INTERNAL}


def start(ledger: Ledger) -> str:
    """Serve on a free loopback port; the address."""
    server = grpc.server(ThreadPoolExecutor(8))
    service = Service(ledger)
    methods = {
        "GenerateContent": grpc.unary_unary_rpc_method_handler(service.generate),
        "StreamGenerateContent": grpc.unary_stream_rpc_method_handler(service.stream),
        "EmbedContent": grpc.unary_unary_rpc_method_handler(service.embed),
    }
    for name in (SERVICE, VERTEX):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    KEPT.append(server)
    return f"127.0.0.1:{port}"


KEPT: list[Any] = []
"""Servers that run: gRPC stops one that nobody holds."""


class Service:
    """The two methods, on bytes."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def generate(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        ask, record = self._begin(request, "GenerateContent", streamed=False)
        told = ask.tokens.only("input", "output", "cached")
        try:
            self._spoil(ask, record, context)
            if ask.mode == "closed":
                record.outcome = "closed"
                context.abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2")
            if ask.mode in ("garbage", "html"):
                record.outcome = "garbage"
                return b"\xff\xff<html>"
            time.sleep(PACE)
            record.outcome = "ok"
            tell(record, told)
            return response(TEXT, told, finish=True)
        finally:
            record.done = True

    def stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        ask, record = self._begin(request, "StreamGenerateContent", streamed=True)
        told = ask.tokens.only("input", "output", "cached")
        began = time.monotonic()
        try:
            self._spoil(ask, record, context)
            time.sleep(PACE)
            for index, word in enumerate(WORDS):
                if index == len(WORDS) // 2 and ask.mode == "left":
                    record.outcome = "left"
                    wait_until_gone(context)
                    return
                if index == len(WORDS) // 2 and ask.mode == "closed":
                    record.outcome = "closed"
                    context.abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2")
                if index == len(WORDS) // 2 and ask.mode == "garbage":
                    record.outcome = "garbage"
                    yield b"\xff\xff<html>"
                    return
                last = index == len(WORDS) - 1
                so_far = told if last else Tokens(told.input, index + 1, told.cached)
                yield response(word, so_far, finish=last)
                tell(record, so_far)
                record.waited = record.waited or time.monotonic() - began
                record.chunks += 1
                time.sleep(PACE / 4)
            record.outcome = "ok"
        finally:
            record.done = True

    def embed(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        ask, record = self._begin(request, "EmbedContent", streamed=False)
        try:
            self._spoil(ask, record, context)
            record.outcome = "ok"
            return nested(1, nested(1, b"".join(struct.pack("<f", value) for value in VECTOR)))
        finally:
            record.done = True

    def _begin(self, request: bytes, method: str, *, streamed: bool) -> tuple[Ask, Record]:
        model = next(value for field, value in fields(request) if field == 1)
        name = model.decode().removeprefix("models/") if isinstance(model, bytes) else ""
        ask = Ask.read("POST", f"/{SERVICE}/{method}", {}, request)
        record = self._ledger.add(
            wire="gemini", operation="chat", path=ask.path, model=name, call=ask.call_of_bytes(), mode=ask.mode, counts=True,
            attempt=self._ledger.attempt(ask.call_of_bytes()), streamed=streamed,
        )  # fmt: skip
        return ask, record

    def _spoil(self, ask: Ask, record: Record, context: grpc.ServicerContext) -> None:
        refused = ask.mode in ("refused", "unavailable") and record.attempt == 1
        if refused or ask.mode == "fails":
            record.outcome, record.status = "refused" if refused else "failed", 503 if refused else 500
            context.abort(STATUS[ask.mode], "Told to fail")
        if ask.mode == "late":
            record.outcome = "late"
            wait_until_gone(context)
            context.abort(grpc.StatusCode.CANCELLED, "The client has gone")
        record.status = record.status or 200


def wait_until_gone(context: grpc.ServicerContext, most: float = HOLD) -> None:
    end = time.monotonic() + most
    active: Callable[[], bool] = context.is_active
    while active() and time.monotonic() < end:
        time.sleep(0.02)


def tell(record: Record, told: Tokens) -> None:
    for part, number in asdict(told).items():
        setattr(record, part, number)


def response(text: str, told: Tokens, *, finish: bool) -> bytes:
    """A GenerateContentResponse: candidates = 1, usage_metadata = 3, model_version = 4."""
    content = nested(1, nested(2, text)) + nested(2, "model")
    candidate = nested(1, content) + (integer(2, 1) if finish else b"")
    usage = integer(1, told.input) + integer(2, told.output) + integer(3, told.input + told.output) + integer(4, told.cached)
    return nested(1, candidate) + nested(3, usage) + nested(4, "gemini-1.5-flash-001")
