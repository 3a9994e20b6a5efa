"""Real subprocesses for the tests: started, waited for by condition, ended by their process id."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from typing_extensions import Self

BIN = Path(sys.executable).parent
COMPILED_ONCE = {"PYTHONDONTWRITEBYTECODE": ""}
"""For programs of environments that were installed without compiling: the first start keeps what it compiles, for all others."""


def free_port() -> int:
    """A loopback port that was free a moment ago, below those that the system gives to connections of other tests."""
    for port in random.SystemRandom().sample(range(12_000, 32_000), 100):  # the other generator is seeded alike in all tests
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 12000 and 32000")


def program(name: str, remedy: str) -> str:
    """The path of a program, beside this Python or on the PATH; its absence is an error that says the remedy."""
    beside = BIN / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is needed by the tests and was not found: {remedy}")
    return found


def wait_for(condition: Callable[[], object], what: str, timeout: float = 20.0, every: float = 0.02) -> None:
    """Wait until a condition, asked every so often, holds; AssertionError naming `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(every)
    raise AssertionError(f"{what}: not within {timeout:g} s")


def port_open(port: int) -> bool:
    """Whether something listens on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without any setting of OpenTelemetry or of the package, and `extra` on top."""
    dropped = ("OTEL_", "CHATBOT_OTEL_", "WERKZEUG_", "FLASK_", "GUNICORN_", "COV_", "PYTEST_")
    names = {"MONGODB_URI", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "ENVIRONMENT", "PYTHONPATH", "PORT"}
    env = {k: v for k, v in os.environ.items() if not k.startswith(dropped) and k not in names}
    env["PATH"] = f"{BIN}{os.pathsep}{env.get('PATH', '')}"
    env["PYTHONUNBUFFERED"] = "1"
    if "OPENAI_BASE_URL" in (extra or {}):  # a server of ours, which tells the tokens of streams as OpenAI does
        env["CHATBOT_OTEL_AI_ADDRESSES"] = "127.0.0.1=openai"
    env.update(extra or {})
    return env


class Process:
    """A subprocess with its output in files; a context manager that ends it, and kills it when it does not end."""

    def __init__(self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, name: str = "process") -> None:
        cwd.mkdir(parents=True, exist_ok=True)
        self.stdout_path = cwd / f"{name}.stdout"
        self.stderr_path = cwd / f"{name}.stderr"
        with self.stdout_path.open("ab") as out, self.stderr_path.open("ab") as err:
            self.popen = subprocess.Popen(
                list(command),
                cwd=cwd,
                env=clean_env(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def wait(self, condition: Callable[[], object], what: str, timeout: float = 30.0) -> None:
        """Wait for a condition while the process lives; its output is in the error when it does not come."""

        def holds() -> bool:
            if condition():
                return True
            code = self.popen.poll()
            if code is not None:
                raise AssertionError(f"{what}: ended with {code}\n{self.stdout[-4000:]}\n{self.stderr[-4000:]}")
            return False

        try:
            wait_for(holds, what, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.stdout[-4000:]}\n{self.stderr[-4000:]}") from None

    def end(self, number: int = signal.SIGTERM, timeout: float = 15.0) -> int:
        """Send a signal and wait; past the time its whole process group (its own session) is killed."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            return self.popen.wait(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        try:  # children that outlived it: the group is ours, it was made with the process
            os.killpg(self.popen.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def get(url: str, headers: Mapping[str, str] | None = None, timeout: float = 10.0) -> tuple[int, str]:
    """Status and text of a GET; any HTTP status is an answer, 0 means no connection."""
    return fetch(Request(url, headers=dict(headers or {})), timeout)


def fetch(request: Request, timeout: float = 10.0) -> tuple[int, str]:
    try:
        with urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (URLError, ConnectionError, TimeoutError) as error:
        return 0, str(error)
