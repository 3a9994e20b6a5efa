"""The entry points that OpenTelemetry's loader calls: the distro, the configurator, the hook before the instrumentors.

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
    """The distro: it sets defaults in the environment, and does not load the upstream instrumentors that ours replace."""

    def _configure(self, **_: Any) -> None:
        set_defaults()

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Activate an installed instrumentation, as the stock distro does, unless ours replaces it."""
        if entry_point.name in REPLACED:
            return
        try:
            super().load_instrumentor(entry_point, **kwargs)
        except (ImportError, DependencyConflictError):
            raise  # the loader handles these itself
        except Exception as error:  # raised, it would stop the loader before the next instrumentations
            _logger.warning(
                "the instrumentation %s cannot be used (%s: %s); it is left out", entry_point.name, type(error).__name__, error
            )


class ChatbotConfigurator:
    """The configurator: our steps set everything up, OTEL_CONFIG_FILE included.

    OpenTelemetry's loader calls this one method. The class does not inherit from the SDK's configurator: the SDK may not be
    importable.
    """

    def configure(self, **kwargs: Any) -> None:
        """Set everything up; never raises."""
        instrument(str(kwargs.get("auto_instrumentation_version") or ""))


def pre_instrument() -> None:
    """Run before the instrumentors, under every distro: do what our configurator has not done."""
    instrument()
