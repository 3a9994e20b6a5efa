"""What OpenTelemetry's loader calls: the distro, the configurator, the hook before the instrumentors.

Fed by `opentelemetry-instrument`; feeds `distro.steps`.
"""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.util._importlib_metadata import EntryPoint

from .environment import set_defaults
from .instrumentations import REPLACED
from .providers.config_file import apply_config_file
from .state import SETUP
from .steps import AUTOMATIC


class ChatbotDistro(BaseDistro):  # type: ignore[misc]
    """The distro: defaults for the environment; upstream instrumentors that ours replace stay away."""

    def _configure(self, **_: Any) -> None:
        set_defaults()

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:
        """Activate an installed instrumentation, as stock does, unless ours stands in its place."""
        if entry_point.name not in REPLACED:
            super().load_instrumentor(entry_point, **kwargs)


class ChatbotConfigurator(_OTelSDKConfigurator):
    """The configurator: OTEL_CONFIG_FILE as stock has it; providers, exporters and all the rest by our steps."""

    def _configure(self, **kwargs: Any) -> None:
        SETUP.auto_version = kwargs.get("auto_instrumentation_version") or ""
        apply_config_file(os.environ.get("OTEL_CONFIG_FILE", ""), super()._configure)
        SETUP.run(*AUTOMATIC)


def pre_instrument() -> None:
    """Run before the instrumentors under every distro: what ours has not done is done here."""
    SETUP.run(*AUTOMATIC)
