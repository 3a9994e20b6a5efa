"""Folders and ports: where files go, whether they can be written, what waits in the spool, whether ports are free.

Fed by the settings; feeds `doctor.command`. Nothing is left behind: a folder that is not there is not made.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ... import config
from ...distro.delivery.sender_lock import SenderLock
from ...distro.delivery.spool import Spool
from ...distro.environment import SignalPlan
from ...distro.process.endpoint_server import PROMETHEUS_PORT
from ...semconv.attributes import Signal
from .findings import Finding, failed, warning, well

_NEARLY = 0.9
_WAITING = 300.0
"""Seconds after which what waits in the spool is worth a word: several times the sender's longest pause."""


def places(port: int) -> Iterator[Finding]:
    """The log directory, the spool, and the ports that will be needed."""
    settings, plan = config.current(), SignalPlan.from_env()
    if settings.log_files:
        yield _writable("log-dir", "the log directory", Path(settings.log_dir), "CHATBOT_OTEL_LOG_DIR")
    if plan.trace_file and os.path.dirname(settings.trace_path) != settings.log_dir:
        yield _writable("trace-file", "the trace file's folder", Path(settings.trace_path).parent, "CHATBOT_OTEL_TRACE_FILE")
    if settings.multiproc_dir:
        yield _writable("multiproc-dir", "the workers' folder", Path(settings.multiproc_dir), "CHATBOT_OTEL_MULTIPROC_DIR")
    if any(plan.over_otlp(signal) for signal in Signal):
        yield _writable("spool", "the spool", Path(settings.spool_path), "CHATBOT_OTEL_SPOOL_DIR")
    yield from _waiting(Spool(Path(settings.spool_path), settings.spool_max_bytes, lambda _: None), settings.spool_max_bytes)
    if port:
        yield _free(port, "127.0.0.1", "the app", "end the program that listens there, or choose another port")
    if "prometheus" in plan.exporters[Signal.METRICS]:
        own = int(os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT") or PROMETHEUS_PORT)
        host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or "localhost"
        yield _free(
            own, host, "OTEL_METRICS_EXPORTER=prometheus", "set OTEL_EXPORTER_PROMETHEUS_PORT, or scrape /metrics instead"
        )


def _writable(name: str, what: str, folder: Path, variable: str) -> Finding:
    """Whether files can be made in a folder, or the folder in its nearest parent."""
    shown = folder.absolute()
    nearest = next(path for path in (shown, *shown.parents) if path.exists())
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(20, "is not a folder", str(nearest))
        if nearest == shown:
            with tempfile.TemporaryFile(dir=shown):
                pass
        elif not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(13, "may not be written to", str(nearest))
    except OSError as error:
        return failed(
            name,
            f"{what} {shown} cannot be written: {error.filename or nearest}: {error.strerror}",
            f"set {variable} elsewhere",
        )
    return well(name, f"{what} {shown} {'can be written' if nearest == shown else 'will be made'}")


def _waiting(spool: Spool, limit: int) -> Iterator[Finding]:
    scanned = spool.scan() if spool.folder.is_dir() else []
    files, size = [path for path, _ in scanned], sum(size for _, size in scanned)
    if size > limit * _NEARLY:
        yield failed(
            "spool-full", f"the spool holds {size} of {limit} bytes: the oldest telemetry is being dropped",
            "see why the endpoint takes none (signals, below); CHATBOT_OTEL_SPOOL_MAX_BYTES gives more time",
        )  # fmt: skip
    age = time.time() - int(files[0].name.partition("-")[0]) / 1e9 if files else 0.0
    if age > _WAITING:
        held = _sender_is_there(spool.folder)
        why = "a process holds the sender's lock and does not deliver" if held else "no process is there to send it"
        remedy = "see its log, and the signals below" if held else "start the app, or run: otel-chatbot spool replay"
        yield failed(
            "spool-waiting", f"{len(files)} payloads wait in the spool, the oldest for {age / 60:.0f} minutes: {why}", remedy
        )
    elif files:
        yield well("spool-waiting", f"{len(files)} payloads wait in the spool")
    aside = spool.folder / "corrupt"
    if aside.is_dir() and any(aside.iterdir()):
        yield warning(
            "spool-corrupt", f"{len(list(aside.iterdir()))} unreadable payloads were set aside in {aside}", "look at the disk"
        )


def _sender_is_there(folder: Path) -> bool:
    lock = SenderLock(folder)
    try:
        if lock.take():
            lock.release()
            return False
    except OSError:
        return False
    return True


def _free(port: int, host: str, who: str, remedy: str) -> Finding:
    try:
        with socket.socket() as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return failed("port", f"port {port} for {who} cannot be had: {error.strerror or error}", remedy)
    return well("port", f"port {port} for {who} is free")
