"""What the client gets for a request: its status, its bytes, and what went wrong on the way.

Fed by `start_response`, by the app's exceptions and by the followed body; read by the figures, the span and the access record.
"""

from __future__ import annotations

from typing import Final

from ..._guard import never_raise
from . import upgrade
from .upgrade import Upgrade

_EMPTY_BODY: Final = frozenset({204, 304})


class Answer:
    """The answer to one request, from its first header to its last byte."""

    __slots__ = (
        "closes", "disconnected", "error", "expected", "method", "raised", "sent", "status", "streamed", "upgrade",
    )  # fmt: skip

    def __init__(self, method: str, upgraded: Upgrade) -> None:
        self.method = method
        self.upgrade = upgraded
        self.status: int | None = None
        """As the client gets it; None as long as nothing has been answered."""
        self.error: BaseException | None = None
        """What ended the answer: no server can send the rest of it."""
        self.raised: BaseException | None = None
        """What was raised on the way to the answer, which may be any answer nevertheless."""
        self.sent = 0
        """Bytes of the body so far."""
        self.expected: int | None = None
        """The answer's Content-Length, where it has one."""
        self.streamed: bool | None = None
        """Whether Flask's answer has no known end; None when no answer of Flask was seen."""
        self.closes = False
        """Whether the app wants to be called when the answer is closed."""
        self.disconnected = False
        """Whether the client went away before the last byte."""

    @never_raise
    def begin(self, status: str, headers: list[tuple[str, str]]) -> None:
        """The app's `start_response`: the status line and the headers."""
        self.status = int(status[:3])
        for name, value in headers:
            if name.lower() == "content-length" and value.isdecimal():
                self.expected = int(value)

    def has_body(self) -> bool:
        """Whether an answer with this method and status may have a body at all."""
        return self.method != "HEAD" and self.status not in _EMPTY_BODY

    def note_exception(self, error: BaseException) -> None:
        """An exception that Flask was told of. It is a failure only where the client gets a failure. The first exception counts."""
        if self.raised is None:
            self.raised = error

    def fail(self, error: BaseException) -> None:
        """An exception that ended the answer; the first one counts."""
        if self.error is None:
            self.error = error

    def fail_unsent(self, error: BaseException) -> None:
        """The body has raised instead of its first chunk: the status had not been sent, and servers answer 500."""
        self.fail(error)
        self.status = 500

    def leave_app(self, error: BaseException) -> None:
        """An exception has left the app before a byte was sent: servers answer 500, whatever the app had begun to answer."""
        if self.raised is None and upgrade.says_the_end(self.upgrade, self.status, error):
            return
        first = self.raised if self.status is None or self.status >= 500 else None
        self.fail_unsent(first or error)

    @property
    def error_type(self) -> str | None:
        """The kind of failure: an exception's class, else a 5xx status; None when there was none."""
        if self.error is not None:
            return type(self.error).__qualname__
        status = self.status
        return str(status) if status is not None and status >= 500 else None

    def end(self) -> int:
        """Nothing more will come: the status that the client got, with its error where that is one."""
        if self.error is None:
            if self.upgrade is not Upgrade.NONE and self.raised is None and upgrade.switched(self.upgrade, self.status):
                self.status = upgrade.SWITCHED
            elif self.status is None or self.status >= 500:
                self.error = self.raised
        if self.status is None:
            self.status = 500  # what servers answer for an application that raises
        return self.status
