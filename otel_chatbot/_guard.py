"""Keeps a fault of the telemetry away from the application: it is logged once, then swallowed.

Every hook that runs inside the application's calls uses it.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])
_logger = logging.getLogger("otel_chatbot")
_seen: set[str] = set()


class Guard:
    """Whether guarded faults are raised: the project's own tests set `strict` to see them."""

    strict = False


def report(where: str, error: BaseException) -> None:
    """Log a fault of the telemetry once per place and kind of error; raise it in strict mode."""
    if Guard.strict:
        raise error
    key = f"{where}:{type(error).__name__}"
    if key in _seen:
        return
    _seen.add(key)
    _logger.warning(
        "telemetry fault in %s: %s at %s; the application is not affected, further ones like it are not shown",
        where,
        type(error).__name__,
        _place(error),
        exc_info=sys.exc_info() if _logger.isEnabledFor(logging.DEBUG) else None,
    )


def _place(error: BaseException) -> str:
    """File and line where an error was raised; its text is left out, because it may quote the application's data."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "an unknown place"


def never_raise(function: _F) -> _F:
    """Decorate a hook: an `Exception` in it is reported once and the hook returns None. Never wrap the app's own call in it."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            # Most hooks are called with positions only: passing on empty keywords would cost a fourth of the call.
            return function(*args, **kwargs) if kwargs else function(*args)
        except Exception as error:
            report(function.__qualname__, error)
            return None

    return guarded  # type: ignore[return-value]
