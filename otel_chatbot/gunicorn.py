"""Configuration for gunicorn: `gunicorn -c python:otel_chatbot.gunicorn app:app`.

Fed by gunicorn, which reads this module's names as settings; feeds `distro` and `health`. The application's own
`./gunicorn.conf.py` is loaded, again at each reload, and its hooks run beside ours. The other way round, an application's configuration may say
`from otel_chatbot.gunicorn import *` and define whatever else it wants after that line.

Everything is set up in the master, before it forks; threads and files begin in the workers, with their first figure.
"""

from __future__ import annotations

import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ._guard import never_raise
from .distro import instrument

__all__ = ["child_exit", "on_exit", "on_starting", "post_worker_init", "worker_exit"]

OWN_FILE: Final = "gunicorn.conf.py"
_SELF: Final = f"python:{__name__}"

Hook = Callable[..., Any]


@never_raise
def _drain() -> None:
    from .health import drain

    drain()


@never_raise
def _flush() -> None:
    from .distro.state import SETUP

    SETUP.shutdown.run()


def on_starting(server: Any) -> None:
    """Read the application's own configuration again at each reload: gunicorn imports a module once."""
    if _is_the_configuration():
        reload = server.app.reload

        def read_again() -> None:
            _settle()
            reload()

        server.app.reload = read_again


def post_worker_init(worker: Any) -> None:  # noqa: ARG001
    """Answer readiness with 503 from the moment the worker is told to end."""
    handler = signal.getsignal(signal.SIGTERM)

    def on_term(number: int, frame: FrameType | None) -> None:
        _drain()
        if callable(handler):
            handler(number, frame)

    if callable(handler):
        signal.signal(signal.SIGTERM, on_term)


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Send what the worker still holds, within its budget."""
    # The arbiter calls this too, for a worker that died before it could be signalled: then there is nothing to end.
    if worker.pid == os.getpid():
        _flush()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001
    """Keep a dead worker's figures and forget its files."""
    _fold()


def on_exit(server: Any) -> None:  # noqa: ARG001
    """Export a last time, for the whole app."""
    _flush()


@never_raise
def _fold() -> None:
    from .metrics.shared.compaction import READER

    READER.fold_many()


def _chained(first: Hook, second: Hook) -> Hook:
    """One hook made of two, with the signature that gunicorn expects."""

    def both(*arguments: Any) -> Any:
        first(*arguments)
        return second(*arguments)

    # gunicorn counts a hook's parameters by its signature.
    both.__signature__ = inspect.signature(second)  # type: ignore[attr-defined]
    return both


def own_settings(folder: Path) -> Mapping[str, Any]:
    """The settings of the application's own configuration file; empty when there is none."""
    path = folder / OWN_FILE
    if not path.is_file():
        return {}
    from gunicorn.config import KNOWN_SETTINGS

    known = {setting.name for setting in KNOWN_SETTINGS}
    return {name: value for name, value in runpy.run_path(str(path)).items() if name in known}


def merged(ours: Mapping[str, Hook], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Their settings; where both have a hook, theirs runs first and ours after it."""
    chained = {name: _chained(theirs[name], hook) for name, hook in ours.items() if callable(theirs.get(name))}
    return {**theirs, **chained}


def _settle() -> None:
    """Set this module's names to our hooks and the application's own configuration, as they are now."""
    settings = globals()
    for name in _settled:
        del settings[name]
    _settled.clear()
    found = {**_HOOKS, **merged(_HOOKS, own_settings(Path.cwd()))}
    _settled.update(found)
    settings.update(found)


def _is_the_configuration() -> bool:
    """Whether gunicorn was given this module, and not a file that imports it."""
    words = [*sys.argv, *os.environ.get("GUNICORN_CMD_ARGS", "").split()]
    return any(word.endswith(_SELF) for word in words)


_HOOKS: Final[Mapping[str, Hook]] = {name: globals()[name] for name in __all__}
_settled: Final[set[str]] = set()

instrument()
if _is_the_configuration():
    _settle()
