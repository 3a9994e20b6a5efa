"""One request to a model and its answer, as a transport sees them: begins or joins a `Call`, reads the answer along, tells its end.

Fed by `genai.transports` with bytes that pass; feeds `genai.call`. Nothing of a request or an answer is changed, and what is
kept of it is bounded: of an answer that is larger than `MOST` and comes as one value, the tokens stay unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final

import orjson

from ..._guard import never_raise, report
from ...metrics import record
from . import blocks, boundaries, decoding, others, runs, spans, unseen
from .call import Call
from .framing import Framing, Splitter, framing_of, splitter
from .protocols.answer import Answer, dict_of
from .protocols.openai_assistants import RUNS
from .protocols.protocol import Body
from .recognise import Found, Place, candidates, recognise

MOST: Final = 16 * 1024 * 1024
"""Bytes of an answer that is one value."""
_DONE: Final = b"[DONE]"
"""What ends a stream of OpenAI's: this event is no JSON."""

Headers = Callable[[str], "str | None"]
"""Gives a header of an answer by its name in small letters."""


def begin(place: Place, body: Callable[[], bytes | Body | None]) -> WireCall | None:
    """Begin or join the call that a POST may be; None where it asks no model, or where somebody outside reads it already."""
    protocols = candidates(place)
    if not protocols:
        unseen.look(place, body)
        return None
    if record.is_own_traffic() or (blocks.entered() is not None and blocks.current() is not None):
        return None
    boundary = boundaries.current()
    hint = None
    if boundary is not None:
        if boundary.client.ignored:
            return None
        if boundary.call is not None:
            # A further attempt; a client that falls back on another provider asks in another way.
            same = boundary.found is not None and boundary.found.protocol in protocols
            again = boundary.found if same else find(place, body, boundary)
            return None if again is None else WireCall(boundary.call, again, boundary)
        hint = boundary.client.provider
    data = body()
    found = None if data is None else recognise(place, protocols, data, hint)
    if found is None:
        unseen.look(place, body)
        return None
    return WireCall(begin_call(found, boundary), found, boundary)


def find(place: Place, body: Callable[[], bytes | Body | None], boundary: boundaries.Boundary) -> Found | None:
    """The call that a request is; None where it asks no model."""
    protocols = candidates(place)
    data = body() if protocols else None
    return None if data is None else recognise(place, protocols, data, boundary.client.provider)


def begin_call(found: Found, boundary: boundaries.Boundary | None) -> Call:
    """The call that a request begins."""
    if spans.captures_content():
        found.asked.body = found.body
    started = 0.0 if boundary is None else boundary.started
    theirs = boundary is not None and others.tell(boundary.client.library)
    call = Call(found.provider, found.asked, found.place, started, spans=not theirs)
    if boundary is not None:
        boundary.call, boundary.found = call, found
    return call


class WireCall:
    """One attempt. Used as a block around the sending: in it, the call's span is the current one."""

    error: type[BaseException] | None = None
    """The kind of what has ended it: the error itself holds frames, and with them the application's objects."""
    over = False
    judged = False
    """Whether the client's own stream is read by us too: what it raises is what the application gets."""
    status = 0
    _headers: Headers | None = None
    _decoder: decoding.Decoder | None = None
    _splitter: Splitter | None = None
    _size = 0

    def __init__(self, call: Call, found: Found, boundary: boundaries.Boundary | None) -> None:
        self.call = call
        self.found = found
        self.boundary = boundary
        self.answer = call.answer = Answer(keeps=spans.captures_content())
        call.failure = None
        self._buffer: list[bytes] = []
        if boundary is not None:
            boundary.wire_call = self

    def __enter__(self) -> None:
        self.call.enter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.call.leave_block()
        if error is not None:
            self.fail(error)

    def responded(self, status: int, headers: Headers, *, decoded: bool) -> bool:
        """The head of the answer is there. True if its body is to be read along. `decoded`: the body comes without compression.

        Each transport's hook around it is guarded.
        """
        self.status = status
        if status >= 400:
            self.call.failure = str(status)
            self._finish(None)
            return False
        if status >= 300:
            self._finish(None)
            return False
        self._headers = headers
        protocol = self.found.protocol
        framing = framing_of(headers("content-type") or "", protocol.framing, streamed=self.found.asked.streamed)
        if framing is not Framing.WHOLE:
            self._splitter = splitter(framing)
            self.found.asked.streamed = True
        if not decoded:
            try:
                self._decoder = decoding.decoder(headers("content-encoding") or "")
            except decoding.UnreadableError:
                self._size = MOST + 1
        return True

    def answered(self, status: int, headers: Headers, body: bytes) -> None:
        """The head and the whole body are there, without compression."""
        found = self.found
        if 200 <= status < 300 and body[:1] == b"{" and found.protocol.framing is Framing.SSE and not found.asked.streamed:
            # One value of JSON, whatever it is called: some clients take longer to look up a header than we to read all of it.
            self.status, self._headers = status, headers
            self.whole(body)
        elif self.responded(status, headers, decoded=True):
            self.whole(body)

    def whole(self, body: bytes) -> None:
        """The whole body is there, without compression."""
        if self._splitter is None and self._decoder is None and len(body) <= MOST:
            self._buffer = [body]
        else:
            self.feed(body)
        self.finish()

    @never_raise
    def feed(self, data: bytes, *, decoded: bool = False) -> None:
        """A piece of the body."""
        if self.over or self._size > MOST:
            return
        if self._decoder is not None and not decoded:
            try:
                data = self._decoder.decode(data)
            except decoding.UnreadableError:
                self._size = MOST + 1
                return
        if self._splitter is None:
            self._size += len(data)
            if self._size > MOST:
                self._buffer.clear()
            else:
                self._buffer.append(data)
            return
        for name, event in self._splitter.feed(data):
            self._event(name, event)

    def _event(self, name: str, event: bytes) -> None:
        answer = self.answer
        if event == _DONE:
            answer.done = True
            return
        try:
            found = orjson.loads(event)
        except ValueError:
            answer.broken = True
            return
        if isinstance(found, dict):
            self._chunk(name, found)

    def _chunk(self, name: str, found: Body) -> None:
        answer = self.answer
        self.found.protocol.chunk(name, dict_of(found), answer)
        if answer.written:
            self.call.chunk(answer.written)
            answer.written = 0

    @never_raise
    def message(self, found: Body, *, whole: bool = False) -> None:
        """A message, of a transport that gives objects and no bytes: the whole answer, or a piece of a stream."""
        if self.over:
            return
        if whole:
            self.found.protocol.answer(dict_of(found), self.answer)
            self.answer.written = 0
        else:
            self._chunk("", found)

    @never_raise
    def refused(self, kind: str) -> None:
        """The attempt has ended with a status that says so, other than HTTP's."""
        if not self.over:
            if self.boundary is None or self.boundary.wire_call is self:
                self.call.failure = kind
            self._finish(None)

    def finish(self) -> None:
        """The body has ended."""
        if not self.over:
            self._finish(None)

    def fail(self, error: BaseException) -> None:
        """The body, or the sending, has ended with this."""
        if not self.over:
            self._finish(error)

    def closed(self) -> None:
        """The answer was closed, whether read or not: before its end, that means that nobody wants the rest."""
        if not self.over:
            self._finish(None if self.answer.done else GeneratorExit())

    def abandon(self) -> None:
        """Nobody will read the rest. Runs in a finalizer."""
        if not self.over:
            self.over = True
            self.call.abandon()

    def _finish(self, error: BaseException | None) -> None:
        self.error = None if error is None else type(error)
        self.over = True
        if error is None and 0 < self.status < 300:
            try:
                self._last()
            except Exception as fault:
                report("reading the answer of a model", fault)
        boundary = self.boundary
        if boundary is not None and (boundary.inside or boundary.wire_call is not self):
            return  # the boundary tells the end, or a later attempt does
        if self.judged and isinstance(error, Exception):
            return  # whoever reads the client's stream tells it
        self.settle(error)

    def settle(self, error: BaseException | type[BaseException] | None) -> None:
        """End the call, unless it goes on elsewhere: a run goes on until somebody asks for its result."""
        if (
            error is None
            and self.found.protocol is RUNS
            and self.call.failure is None
            and not self.answer.done
            and self.answer.id
        ):
            runs.pending(self.answer.id, self.call)
            return
        self.call.end(error)

    def _last(self) -> None:
        answer = self.answer
        if self._size > MOST:
            return
        if self._splitter is not None:
            for name, event in self._splitter.end():
                self._event(name, event)
        else:
            read_whole(b"".join(self._buffer), self.found, answer)
        self._buffer.clear()
        names = self.found.protocol.token_headers
        if names is not None and answer.usage is None and self._headers is not None:
            asked, answered = (self._headers(name) for name in names)
            if asked is not None and asked.isdecimal():
                answer.used(int(asked), int(answered) if answered is not None and answered.isdecimal() else 0)


def read_whole(body: bytes, found: Found, answer: Answer) -> None:
    """Read an answer that is one JSON value; an array of objects is read one by one."""
    try:
        parsed = orjson.loads(body) if body else {}
    except ValueError:
        answer.broken = True
        return
    for item in parsed if isinstance(parsed, list) else (parsed,):
        found.protocol.answer(dict_of(item), answer)
    answer.written = 0
