"""Processes by their recorded id. The recorded start time shows whether the id was reused by another process.

Fed by the operating system; feeds `service`. No process is ever searched by its command line.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from layout import WINDOWS, OperateError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]


def birth(pid: int) -> str:
    """The start time of a process, as the system writes it; empty if there is no such process or it has ended."""
    with suppress(OSError):  # one of our own children: it stays a zombie until it is waited for
        if not WINDOWS:
            os.waitpid(pid, os.WNOHANG)
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        # If only the first thread has ended, the state is zombie too, but other threads still hold files and ports.
        return "" if fields[0] in "ZX" and fields[17] in "01" else fields[19]
    if WINDOWS:
        return _windows_birth(pid)
    asked = subprocess.run(["ps", "-p", str(pid), "-o", "stat=,lstart="], capture_output=True, text=True, check=False)
    state, _, began = asked.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()


def _windows_birth(pid: int) -> str:
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return ""
    try:
        times = [ctypes.c_ulonglong() for _ in range(4)]
        code = ctypes.c_ulong()
        kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        return str(times[0].value) if code.value == 259 else ""  # STILL_ACTIVE
    finally:
        kernel.CloseHandle(handle)


def start(command: list[str], cwd: Path, env: dict[str, str], output: Path) -> int:
    """Start a process that outlives this one and appends its output to a file; return its id."""
    output.parent.mkdir(parents=True, exist_ok=True)
    apart = {"creationflags": 0x00000208} if WINDOWS else {"start_new_session": True}  # own group, detached
    try:
        with output.open("ab") as file:
            started = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                **apart,  # type: ignore[call-overload]
            )  # fmt: skip
    except OSError as error:
        raise OperateError(f"{command[0]} cannot be started: {error.strerror}", "Check the service's command.") from error
    started.returncode = 0  # this script never waits for it; so Python gives no warning at the end
    return started.pid


@contextmanager
def undisturbed() -> Iterator[None]:
    """Delay signals that ask this script to end until the body is done: so a started process is also recorded."""
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [(number, signal.signal(number, lambda number, _: came.append(number))) for number in numbers]
    try:
        yield
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def end(pid: int, began: str, grace: float) -> None:
    """Ask a process to end, and kill it after `grace` seconds; a different process with the same id is left alone."""
    for number, seconds in ((signal.SIGTERM, grace), (getattr(signal, "SIGKILL", signal.SIGTERM), 5.0)):
        if birth(pid) != began:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        limit = time.monotonic() + seconds
        while birth(pid) == began and time.monotonic() < limit:
            time.sleep(0.05)
    if birth(pid) == began:
        raise OperateError(f"Process {pid} does not end.", "End it by hand and try again.")


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file; OperateError when another script works on the same service."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            raise OperateError(f"Another deployment or rollback works on {path.parent}.", "Wait until it has ended.") from None
        yield
