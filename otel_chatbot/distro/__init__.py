"""The distribution: what `opentelemetry-instrument` loads, what `otel_chatbot.instrument()` runs, and the private set-up.

Fed by OpenTelemetry's loader, by the facade and by servers' configuration; feeds the SDK. Every way in runs a list of the
same steps, and each step runs once. So it does not matter which way comes first, or how often one is used. The SDK is
imported when it is needed; if that fails, everything that needs no SDK is set up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..variables.mending import MENDING

if TYPE_CHECKING:
    from .entry import ChatbotConfigurator, ChatbotDistro, pre_instrument

__all__ = ["ChatbotConfigurator", "ChatbotDistro", "configure", "instrument", "pre_instrument"]

MENDING.mend()  # before anything here imports OpenTelemetry


def instrument(auto_version: str = "") -> None:
    """Set everything up from inside an application, as `opentelemetry-instrument` does; a second call does nothing.

    `auto_version` is the version of OpenTelemetry's loader, if the loader calls.
    """
    MENDING.mend(sdk=True)  # before the SDK is imported
    try:
        from .state import SETUP
        from .steps import AUTOMATIC
    except Exception as error:
        from .without_sdk import observe

        observe(error)
        return
    SETUP.auto_version = SETUP.auto_version or auto_version
    SETUP.run(*AUTOMATIC)


def configure() -> None:
    """Set metrics and logs up for an application that only uses the public API: privately, without a global provider.

    If nothing is to be exported, the SDK is not imported: figures, log files and health need none.
    """
    from .. import config
    from .environment import SignalPlan
    from .warnings import warn_of_failed_start, warn_of_settings

    if config.current().endpoint_port:
        from .process.endpoint_server import serve_apart

        serve_apart()

    if SignalPlan.from_env().exports:
        MENDING.mend(sdk=True)
        try:
            from .state import SETUP
            from .steps import PRIVATE
        except Exception as error:
            from .without_sdk import say

            say(error)
        else:
            SETUP.run(*PRIVATE)
    warn_of_settings()
    warn_of_failed_start()


def __getattr__(name: str) -> Any:
    if name in ("ChatbotConfigurator", "ChatbotDistro", "pre_instrument"):
        from . import entry

        return getattr(entry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
