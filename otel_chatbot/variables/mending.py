"""Takes bad values out of the process's environment before OpenTelemetry reads them, and tells of each once.

Fed by `variables.table`; run by the facade before a room is imported, by `distro` when it is imported and by its set-up. With
the value gone, OpenTelemetry uses its default, here and in processes that are started from here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import MutableMapping
from typing import Final

from .._guard import report
from .table import Fault, blanks, faults

_logger = logging.getLogger("otel_chatbot")


class Mending:
    """What was found and changed in an environment."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environ = environ
        self._given: dict[str, str] = {}
        self._absent: set[str] = set()
        self._waiting: list[Fault] = []
        self._seen: set[str] = set()
        self._looked_for_sdk: bool | None = None

    def mend(self, *, sdk: bool = False) -> None:
        """Replace bad values; a second call does nothing unless it asks for the SDK's as well."""
        if self._looked_for_sdk is None or (sdk and not self._looked_for_sdk):
            self._looked_for_sdk = sdk
            try:
                self._mend(sdk=sdk)
            except Exception as error:
                report("looking at OTEL_* variables", error)

    def _mend(self, *, sdk: bool) -> None:
        if not any(name.startswith("OTEL_") for name in self._environ):
            return
        for name in blanks(self._environ, sdk=sdk):
            self._change(name, None)
        for fault in faults(self._environ, sdk=sdk):  # one after the other: a later check may import OpenTelemetry
            for name, value in fault.changes.items():
                self._change(name, value)
            if fault.name not in self._seen:
                self._seen.add(fault.name)
                self._waiting.append(fault)

    def _change(self, name: str, value: str | None) -> None:
        if name in self._environ:
            self._given.setdefault(name, self._environ[name])
        elif name not in self._given:
            self._absent.add(name)
        if value is None:
            self._environ.pop(name, None)
        else:
            self._environ[name] = value

    def tell(self) -> None:
        """Log what was found and not told yet, one line each."""
        waiting, self._waiting = self._waiting, []
        for fault in waiting:
            _logger.warning("%s", fault)

    def given(self) -> dict[str, str]:
        """The environment as the user gave it."""
        return {**{name: value for name, value in self._environ.items() if name not in self._absent}, **self._given}


MENDING: Final = Mending(os.environ)
"""The process's environment."""
