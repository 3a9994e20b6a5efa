"""The hook by which the lower rooms ask for set-up at first use, without importing the room that does it.

Fed by the facade (`otel_chatbot/__init__.py`), which sets the hook; called by `metrics`, `logs` and `health`.
"""

from __future__ import annotations

from collections.abc import Callable

from ._guard import report


class Hook:
    """What sets the package up; None while nothing has been set."""

    configure: Callable[[], None] | None = None


def ensure_configured() -> None:
    """Set the package up unless that has happened; importing it never does. A fault in it is reported, never raised."""
    if Hook.configure is not None:
        try:
            Hook.configure()
        except Exception as error:
            report("set-up", error)
