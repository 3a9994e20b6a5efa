"""The id of the answer that is being given: asked for by the application, or told to the client in a header.

Fed by the running chat turn (through `_wiring`) and the settings FEEDBACK_KEY and FEEDBACK_HEADER; feeds the application and
`instrumentation.flask`, and through the ids `quality.feedback`. Hot path: each turn may ask.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from time import time
from typing import Final

from .. import _wiring, config
from .._guard import never_raise
from ..health.version import version
from ..metrics.shared.notes import NOTES, shared_key
from ..metrics.shared.run import RUN
from ..semconv.logs import PACKAGE_LOGGER
from .token import Answer, SigningKey, sign

IN_USE: Final = "feedback is in use"
"""The note that tells all processes of the run that there may be ratings to show."""
_KEY_FILE: Final = "feedback.key"
NO_SPAN: Final = 0x80
"""The flag of a token whose ids are made up: there was no span, and there is none to tie an event to."""

_logger = logging.getLogger(PACKAGE_LOGGER)


class _State:
    """What a process has found out once."""

    key: SigningKey | None = None
    hinted = False


@never_raise
def answer_id() -> str | None:
    """The id of the answer that the running request gives: a signed token, to be sent along and given back to `feedback`.

    It stands for the model's call that began last, also while its answer is still streamed, or for the request where no model
    was asked. It holds ids, the model, the release and the time: no text, no user. None outside of a request.
    """
    found = _wiring.ANSWER()
    if found is None:
        if not _State.hinted:
            _State.hinted = True
            _logger.warning(
                "answer_id() has no answer to name: it is for code that runs in a request of an app that is observed, as by "
                "opentelemetry-instrument"
            )
        return None
    context, model, response_id = found
    key = _State.key or signing_key()
    if context.is_valid:
        ids = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big"), context.trace_flags & 0x7F
    else:
        ids = secrets.token_bytes(16), secrets.token_bytes(8), NO_SPAN
    return sign(Answer(*ids, model, version(), response_id, int(time())), key)


def signing_key() -> SigningKey:
    """The key of the settings, else the one that the processes of this run share."""
    found = _State.key
    if found is None:
        settings = config.current()
        if settings.production and not settings.feedback_key:
            _logger.warning("ids of answers are valid until this run ends, and on this machine: set CHATBOT_OTEL_FEEDBACK_KEY")
        _State.key = found = SigningKey(settings.feedback_key.encode() if settings.feedback_key else _key_of_run())
        NOTES.put(IN_USE, "1")
    return found


def _key_of_run() -> bytes:
    directory = RUN.directory()
    if directory is not None:
        try:
            return shared_key(Path(directory.path), _KEY_FILE)
        except OSError as error:
            _logger.warning(
                "ids of answers are valid in process %d alone: %s cannot be written (%s); set CHATBOT_OTEL_FEEDBACK_KEY",
                os.getpid(), directory.path, error.strerror,
            )  # fmt: skip
    return secrets.token_bytes(32)
