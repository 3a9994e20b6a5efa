"""The distribution: what `opentelemetry-instrument` loads, what `otel_chatbot.instrument()` runs, and the private set-up.

Fed by OpenTelemetry's loader, by the facade and by servers' configuration; feeds the SDK. Every way in runs lists of the
same idempotent steps, so that it does not matter who comes first, or how often. The SDK is imported when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entry import ChatbotConfigurator, ChatbotDistro, pre_instrument

__all__ = ["ChatbotConfigurator", "ChatbotDistro", "configure", "instrument", "pre_instrument"]


def instrument() -> None:
    """Set everything up from inside an application, as `opentelemetry-instrument` does; a second call does nothing."""
    from .state import SETUP
    from .steps import AUTOMATIC

    SETUP.run(*AUTOMATIC)


def configure() -> None:
    """Set metrics and logs up for an application that only uses the public API: privately, without a global provider.

    Where nothing is to be exported there is nothing more to do: figures, log files and health need no SDK.
    """
    from .. import config
    from .environment import Plan

    if config.current().endpoint_port:
        from .process.endpoint_server import serve_apart

        serve_apart()

    if Plan.from_env().exports:
        from .state import SETUP
        from .steps import PRIVATE

        SETUP.run(*PRIVATE)


def __getattr__(name: str) -> Any:
    if name in ("ChatbotConfigurator", "ChatbotDistro", "pre_instrument"):
        from . import entry

        return getattr(entry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
