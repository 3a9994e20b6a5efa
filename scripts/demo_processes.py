"""The processes of the demo: start with output to a file, wait, end. `demo.py` decides which ones, and their order."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".demo"
WINDOWS = os.name == "nt"
LAST_LINES = 15


class DemoError(Exception):
    """The demo cannot go on; the message is for the person who started it."""


class Child:
    """A process of the demo, with its output in .demo/output/."""

    def __init__(self, name: str, command: list[str | Path], env: dict[str, str]) -> None:
        """Start it in its own process group: so Ctrl-C only reaches this script, which ends the children in order."""
        self.name = name
        self.output = HOME / "output" / f"{name.lower().replace(' ', '-')}.txt"
        self.output.parent.mkdir(parents=True, exist_ok=True)
        if WINDOWS:
            own_group = {"creationflags": 0x00000200}  # CREATE_NEW_PROCESS_GROUP
        else:
            own_group = {"start_new_session": True, "preexec_fn": end_with_parent if sys.platform == "linux" else None}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **own_group,
            )

    def check(self) -> None:
        """Raise DemoError with its last lines of output if it has ended."""
        code = self.process.poll()
        if code is not None:
            lines = self.output.read_text(errors="replace").splitlines()[-LAST_LINES:]
            said = "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"
            raise DemoError(f"{self.name} ended with code {code}. Its last lines, of {shown(self.output)}:\n{said}")

    def wait_for(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until it is ready; DemoError if it ends before that or takes too long."""
        end = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > end:
                raise DemoError(f"{self.name} was not ready within {seconds:.0f} s; see {shown(self.output)}")
            time.sleep(0.2)

    def end(self) -> None:
        """Ask it to end, and kill it if it has not ended after ten seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.CTRL_BREAK_EVENT if WINDOWS else signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def end_with_parent() -> None:
    """Tell Linux to end this process if the demo is killed, since a killed demo cannot end it."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def shown(path: Path) -> str:
    """Return a path as one types it in the project's folder."""
    return str(path.relative_to(ROOT))


def free_port() -> str:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def listens(port: int | str) -> bool:
    """Return whether something listens on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=1):
            return True
    except OSError:
        return False


def answers(port: int) -> bool:
    """Return whether the app on this port answers that it is alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
