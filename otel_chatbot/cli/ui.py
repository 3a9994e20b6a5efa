"""`otel-chatbot ui`: the viewer, until it is ended by Ctrl-C.

Fed by the command line; starts the rooms of `ui`, and tells them what the doctor finds.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from ..ui.api import Api
from ..ui.figures import Recorder
from ..ui.guard import Guard, is_loopback
from ..ui.ingest import Ingest
from ..ui.server import Server
from ..ui.sources import Sources
from ..ui.store import Store

_MIB = 1024 * 1024
_DAY = 86_400
_DOCTOR_SECONDS = 120


@dataclass(frozen=True)
class ViewerOptions:
    """What to look at, where to listen, and what to keep."""

    folder: str = ""
    host: str = "127.0.0.1"
    port: int = 4390
    token: str = ""
    data: str = ""
    max_mib: int = 512
    max_days: float = 7.0


def ui(asked: ViewerOptions) -> int:
    """Serve until ended; 1 when that cannot be, with the reason."""
    token = asked.token or ("" if is_loopback(asked.host) else secrets.token_urlsafe(24))
    path = asked.data or default_path()
    try:
        store = Store(path, asked.max_mib * _MIB, asked.max_days * _DAY, _say)
    except Exception as error:
        _say(f"{path} cannot be used: {error}; name another file with --data")
        return 1
    recorder = Recorder()
    sources = Sources(store, recorder, asked.folder, asked.port, _say)
    api = Api(store, sources.about, _doctor)
    try:
        server = Server((asked.host, asked.port), api, Ingest(store, recorder), Guard(token))
    except OSError as error:
        store.close()
        _say(f"{asked.host}:{asked.port} cannot be had ({error.strerror}); choose another one with --port")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):  # the second also where a shell has started this with Ctrl-C ignored
        signal.signal(number, _end)
    sources.start()
    address = f"http://{f'[{asked.host}]' if ':' in asked.host else asked.host}:{server.server_address[1]}"
    print(f"{address}/{f'?token={token}' if token else ''}", flush=True)
    print(
        f"Apps send here with OTEL_EXPORTER_OTLP_ENDPOINT={address}. Ctrl-C ends the viewer; what it knows is kept in {path}.",
        flush=True,
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        sources.close()
        server.server_close()
        store.close()
    return 0


def default_path() -> str:
    """Where what was seen is kept: in this user's folder of such things."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "otel-chatbot", "ui.sqlite")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _doctor() -> dict[str, Any]:
    """What `otel-chatbot doctor` finds, in a process of its own."""
    command = [sys.executable, "-c", "import sys; from otel_chatbot.cli import main; sys.exit(main(['doctor', '--json']))"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOCTOR_SECONDS, check=False)  # noqa: S603 - our own
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    except (subprocess.TimeoutExpired, ValueError) as error:
        return {
            "well": False,
            "findings": [],
            "not_looked_at": [],
            "failure": f"the doctor did not answer: {type(error).__name__}",
        }
