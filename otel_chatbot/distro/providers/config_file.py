"""OTEL_CONFIG_FILE: declarative configuration sets the providers up; our exporters are added to them later.

Fed by the environment; feeds the global providers before `distro.steps` looks at them.
"""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec

_logger = logging.getLogger("otel_chatbot")


def apply_config_file(path: str) -> None:
    """Let the SDK configure itself from a file, if one is given; after a fault, one clear line says so and the defaults hold."""
    if not path:
        return
    if find_spec("opentelemetry.configuration") is None:
        _logger.error("OTEL_CONFIG_FILE=%s is not used: it needs pip install opentelemetry-configuration", path)
        return
    try:
        from opentelemetry.configuration import configure_sdk, load_config_file

        given = load_config_file(path)
        if given.disabled:
            os.environ["OTEL_SDK_DISABLED"] = "true"  # ours, and what is started from here, are switched off too
            return
        configure_sdk(given)
    except Exception as error:
        _logger.error("OTEL_CONFIG_FILE=%s is not used: %s: %s", path, type(error).__name__, error)  # noqa: TRY400 - the line says it
