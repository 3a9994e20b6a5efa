"""The health room as a process finds it at its start: no check run, no client known, settings of the test's own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pymongo
import pytest

from otel_chatbot import _access, _wiring, config
from otel_chatbot.health import checker, clients, messages, version
from otel_chatbot.health.checker import HealthChecker


@contextmanager
def fresh_health(**environ: str) -> Iterator[HealthChecker]:
    """A checker as at the start of a process whose environment is `environ`; everything is put back at the end."""
    with pytest.MonkeyPatch.context() as patch:
        settings = config.Settings.from_env(environ)
        assert not settings.warnings
        patch.setattr(config, "current", lambda: settings)
        patch.setattr(_wiring.Configured, "done", True)
        patch.setattr(checker._State, "checker", None)
        patch.setattr(checker._State, "draining", False)
        patch.setattr(_access._Told, "once", False)
        patch.setattr(version._App, "module", "__main__")
        patch.setattr(version._App, "folder", "")
        for kind in (pymongo.MongoClient, pymongo.AsyncMongoClient):  # clients that other tests have left
            patch.setattr(kind, "_clients", weakref.WeakValueDictionary())
        _forget()
        yield HealthChecker()
    _forget()


def _forget() -> None:
    clients.forget_all()
    messages._redactor.cache_clear()
    version.version.cache_clear()


class Gate:
    """A check that hangs until it is let go, and counts its runs and its threads."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.runs = 0

    def __call__(self) -> bool:
        self.runs += 1
        return self.open.wait(30)
