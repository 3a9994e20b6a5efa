"""What OpenTelemetry's loader calls: the distro, the configurator, the hook before the instrumentors.

Fed by `opentelemetry-instrument`; feeds `distro.steps`.
"""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry.instrumentation.dependencies import DependencyConflictError
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.util._importlib_metadata import EntryPoint

from . import instrument
from .environment import set_defaults
from .instrumentations import REPLACED

_logger = logging.getLogger("otel_chatbot")


class ChatbotDistro(BaseDistro):  # type: ignore[misc]
    """The distro: defaults for the environment; upstream instrumentors that ours replace stay away."""

    def _configure(self, **_: Any) -> None:
        set_defaults()

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Activate an installed instrumentation, as stock does, unless ours stands in its place."""
        if entry_point.name in REPLACED:
            return
        try:
            super().load_instrumentor(entry_point, **kwargs)
        except (ImportError, DependencyConflictError):
            raise  # the loader has words for these
        except Exception as error:  # the loader would leave out all that come after it
            _logger.warning(
                "the instrumentation %s cannot be used (%s: %s); it is left out", entry_point.name, type(error).__name__, error
            )


class ChatbotConfigurator:
    """The configurator: everything by our steps, OTEL_CONFIG_FILE included.

    OpenTelemetry's loader calls this one method. The class does not inherit the SDK's of this name, which may not be importable.
    """

    def configure(self, **kwargs: Any) -> None:
        """Set everything up; never raises."""
        instrument(str(kwargs.get("auto_instrumentation_version") or ""))


def pre_instrument() -> None:
    """Run before the instrumentors under every distro: what ours has not done is done here."""
    instrument()
