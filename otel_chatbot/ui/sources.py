"""Looks for runs of apps on this machine and reads their files and figures, beside what apps send to the viewer.

Fed by `ui.runs`, `ui.files` and `ui.spooled`; feeds `ui.store`. One thread looks, twice per second.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from ..config import Settings
from ..semconv import attributes as a
from .figures import Recorder, add_families
from .files import Follower, Place
from .rows import Batch
from .runs import Figures, Run, environment, runs
from .spooled import Spooled
from .store import BusyError, Say, Store

_ROUND_SECONDS: Final = 0.5
_MOST_AT_ONCE: Final = 50
"""While old lines are read: rounds over the files until the figures are read again."""
_NICE: Final = 10
_ENDPOINT: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SERVICE: Final = "OTEL_SERVICE_NAME"


class Sources:
    """Follows the apps of this machine, or only those that write to `folder`. `own` is this viewer's own port."""

    def __init__(self, store: Store, recorder: Recorder, folder: str, own: int, say: Say) -> None:
        self._store = store
        self._recorder = recorder
        self._folder = os.path.abspath(folder) if folder else ""
        self._own = own
        self._say = say
        self._said = ""
        self._follower = Follower(store)
        self._spooled = Spooled(store)
        self._figures: dict[str, Figures] = {}
        self._places: list[Place] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="viewer-sources", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def about(self) -> dict[str, Any]:
        """The apps and files that are followed, for the page."""
        return {
            "folders": sorted({place.folder for place in self._places}),
            "runs": sorted(figures.run.path for figures in self._figures.values()),
            "broken": self._follower.broken,
        }

    def _run(self) -> None:
        _let_others_go_first()
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # apps' folders may hold anything: the viewer goes on
                self._complain(f"looking at the apps of this machine: {type(error).__name__}: {error}")
            self._stop.wait(_ROUND_SECONDS)

    def look(self) -> None:
        """Find the apps, and read their new lines and figures."""
        self._find()
        for _ in range(_MOST_AT_ONCE):
            if self._stop.is_set() or not self._follower.round(self._places):
                break
        self._spooled.round(self._places)
        for figures in self._figures.values():
            self._sample(figures)

    def _find(self) -> None:
        places = [Place(self._folder)] if self._folder else []
        kept: dict[str, Figures] = {}
        for run in runs():
            found = environment(run)
            environ, cwd = found or ({}, "")
            settings = Settings.from_env(environ)
            place = _place(settings, environ, cwd, run)
            if _sends_here(environ, self._own) or (self._folder and (place is None or place.folder != self._folder)):
                continue
            known = self._figures.get(run.instance)
            kept[run.instance] = known if known is not None and known.run == run else Figures(run, settings)
            if place is not None:
                places = [one for one in places if one.folder != place.folder]
                places.append(place)
        self._figures, self._places = kept, places

    def _sample(self, figures: Figures) -> None:
        families = figures.read()
        if families is None:
            return
        batch = Batch()
        found = environment(figures.run)
        resource = batch.resource(_resource(figures.run, found[0] if found else {}))
        at = time.time_ns()
        add_families(families, figures.run.start, at, resource, self._recorder, batch)
        if len(batch):
            try:
                self._store.write(batch)
            except BusyError as error:
                self._complain(str(error))

    def _complain(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._say(text)


def _let_others_go_first() -> None:
    """Lower this thread's priority: on a busy machine the apps go first."""
    with contextlib.suppress(OSError, AttributeError):  # only on Linux a thread has its own priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _resource(run: Run, environ: Mapping[str, str]) -> dict[str, str]:
    """The resource of a run's app as far as it is known without its spans, which hold its name."""
    return {a.SERVICE_NAME: environ.get(_SERVICE, ""), a.SERVICE_INSTANCE_ID: run.instance}


def _place(settings: Settings, environ: Mapping[str, str], cwd: str, run: Run) -> Place | None:
    """The place where a run's app writes."""
    if not cwd:
        return None
    folder = os.path.normpath(os.path.join(cwd, settings.log_dir))
    trace_file, spool = (os.path.normpath(os.path.join(cwd, path)) for path in (settings.trace_path, settings.spool_path))
    return Place(folder, environ.get(_SERVICE, ""), trace_file, run.instance, spool, settings.log_files)


def _sends_here(environ: Mapping[str, str], port: int) -> bool:
    """Whether an app sends its telemetry to this viewer: then its files would bring everything a second time."""
    return any(
        f"127.0.0.1:{port}" in environ.get(name, "") or f"localhost:{port}" in environ.get(name, "") for name in _ENDPOINT
    )
