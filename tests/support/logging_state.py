"""Logging as it was before a test: sink, set-up, levels and handlers, for tests that run in this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otel_chatbot import config
from otel_chatbot._wiring import Configured
from otel_chatbot.logs import setup, sink


@contextmanager
def sink_into(folder: Path, level: int = logging.DEBUG) -> Iterator[sink.Sink]:
    """The sink of this process writing into `folder`; everything as before afterwards."""
    root = logging.getLogger()
    before = (Configured.done, root.level, list(root.handlers), setup.ChatbotLogger._done, set(setup.ChatbotLogger._levelled))
    state = sink.SINK
    sink_before = (state.listeners, state.takers, state.replaces_request_lines, state.on_dropped, state.level, sink.installed())
    Configured.done = True
    sink.uninstall()
    state.listeners, state.takers, state.replaces_request_lines, state.on_dropped = (), (), False, None
    sink.install(config.Settings(log_dir=str(folder)))
    state.level = level
    try:
        yield state
    finally:
        sink.uninstall()
        Configured.done, root_level, handlers, setup.ChatbotLogger._done, levelled = before
        for name in setup.ChatbotLogger._levelled - levelled:
            logging.getLogger(name).setLevel(logging.NOTSET)
        setup.ChatbotLogger._levelled = levelled
        root.setLevel(root_level)
        root.handlers[:] = handlers
        state.listeners, state.takers, state.replaces_request_lines, state.on_dropped, state.level, was_installed = sink_before
        if was_installed:
            sink.install(config.current())
