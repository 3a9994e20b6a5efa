"""Reading along on a response whose class is replaced: the app sees its own class, and a reader holds nothing."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from otel_chatbot.instrumentation.genai.transports.reading import Reader, read_along, reader_of


class Heard:
    """A wire call that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def feed(self, data: bytes) -> None:
        self.told.append(data)

    def fail(self, error: BaseException) -> None:
        self.told.append(type(error).__name__)

    def closed(self) -> None:
        self.told.append("closed")

    def abandon(self) -> None:
        self.told.append("abandoned")


class Response:
    """A body in one piece."""

    def __init__(self, body: bytes = b"hello") -> None:
        self.body = body

    def read(self) -> bytes:
        """Read it."""
        return self.body

    def close(self) -> None:
        if self.body == b"":
            raise OSError


def methods(kind: Any) -> dict[str, Any]:
    original = kind.read

    def read(self: Any) -> bytes:
        reader = reader_of(self)
        with reader:
            data: bytes = original(self)
        reader.wire_call.feed(data)
        return data

    return {"read": read}


def followed(body: bytes = b"hello", kind: type[Response] = Response) -> tuple[Any, Heard]:
    heard, response = Heard(), kind(body)
    read_along(response, Reader(heard), methods)  # type: ignore[arg-type]
    return response, heard


def test_the_class_is_one_of_the_same_name_below_the_one_it_was() -> None:
    class Nested(Response):
        """One with another name than its place."""

    response, _ = followed(kind=Nested)
    assert isinstance(response, Nested)
    assert type(response) is not Nested
    assert (type(response).__name__, type(response).__qualname__, type(response).__module__) == (
        Nested.__name__, Nested.__qualname__, Nested.__module__,
    )  # fmt: skip
    assert type(followed(kind=Nested)[0]) is type(response), "made once per class"
    assert type(Response()) is Response, "other responses keep theirs"


def test_what_is_read_is_heard_and_the_end_by_closing_too() -> None:
    response, heard = followed()
    assert response.read() == b"hello"
    response.close()
    assert heard.told == [b"hello", "closed"]


def test_closing_inside_of_a_method_that_reads_is_not_told_and_an_error_of_closing_is_the_apps() -> None:
    response, heard = followed()
    with reader_of(response):
        response.close()
    assert heard.told == []
    response, heard = followed(b"")
    with pytest.raises(OSError):
        response.close()
    assert heard.told == ["closed"]


def test_an_error_of_reading_ends_the_answer_and_reaches_the_app() -> None:
    class Broken(Response):
        def read(self) -> bytes:
            raise ConnectionResetError

    response, heard = followed(kind=Broken)
    with pytest.raises(ConnectionResetError):
        response.read()
    assert heard.told == ["ConnectionResetError"]
    assert reader_of(response).inside is False


def test_a_response_that_is_thrown_away_goes_at_once_and_tells_it() -> None:
    response, heard = followed()
    gone = weakref.ref(response)
    gc.disable()
    try:
        del response
        assert gone() is None
    finally:
        gc.enable()
    assert heard.told == ["abandoned"]
