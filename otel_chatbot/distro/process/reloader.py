"""Flask's reloader: the parent only watches, so it exports nothing and writes no file; the child does everything.

Fed by the command line and by werkzeug, when it starts to watch; calls the function with which `distro.steps` goes quiet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wrapt import when_imported, wrap_function_wrapper

_CHILD = "WERKZEUG_RUN_MAIN"


def is_child(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the one that the reloader started to serve."""
    return environ.get(_CHILD) == "true"


def will_watch(arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether the command line shows that this process will be the watching parent: `flask run --debug`."""
    words = list(arguments)
    if is_child(environ) or "run" not in words or not any(word.endswith("flask") for word in words[: words.index("run")]):
        return False
    if "--no-reload" in words:
        return False
    debug = "--debug" in words or environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no")
    return "--reload" in words or (debug and "--no-debug" not in words)


def watch_reloader(go_quiet: Callable[[], None]) -> None:
    """Call `go_quiet` when this process begins to watch."""

    def hook(module: Any) -> None:
        def run_with_reloader(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
            if not is_child():
                go_quiet()
            return wrapped(*args, **kwargs)

        wrap_function_wrapper(module, "run_with_reloader", run_with_reloader)

    when_imported("werkzeug._reloader")(hook)
