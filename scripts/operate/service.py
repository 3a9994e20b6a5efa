"""Starts and stops the service, by its recorded process id or its systemd unit, and runs a candidate beside it.

Fed by a release and the configuration; feeds `switch` and `deploy`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import configuration
import processes
from layout import Home, OperateError, Release, python_of, write

GRACE = 30.0
"""Seconds that a service has to end."""
_FIND = """
from importlib.util import find_spec
print(find_spec("opentelemetry.instrumentation.auto_instrumentation").submodule_search_locations[0])
"""


class Process:
    """The service as a process of this machine."""

    def __init__(self, home: Home, grace: float = GRACE) -> None:
        self._home = home
        self._grace = grace

    def running(self) -> bool:
        """Whether the recorded process runs; a different process with the same id does not count."""
        record = self._record()
        return record is not None and processes.birth(record["pid"]) == record["began"]

    def start(self, release: Release) -> None:
        """Start the release; it outlives this script."""
        config = configuration.read(self._home.part("service.env"))
        env = environment(self._home, release, config, release.port, self._home.part("data"), self._home.part("logs"))
        command = command_of(self._home, release, release.port, self._home.part("data"))
        self._home.run.parent.mkdir(exist_ok=True)
        with processes.undisturbed():
            pid = processes.start(command, self._home.part("app"), env, self._home.output)
            record = {"pid": pid, "began": processes.birth(pid), "port": release.port, "version": release.version}
            write(self._home.run, json.dumps(record) + "\n")

    def stop(self) -> None:
        """End the recorded process; a different one with its id is left alone."""
        record = self._record()
        if record:
            processes.end(record["pid"], record["began"], self._grace)
            self._home.run.unlink(missing_ok=True)

    def said(self) -> str:
        """The last lines of its output."""
        return last_lines(self._home.output)

    def _record(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._home.run.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found.get("pid"), int) and found.get("began") else None


class Unit:
    """The service as a systemd unit, whose ExecStart is `python scripts/operate/run.py --home HOME`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def running(self) -> bool:
        """Whether the unit is active for systemd."""
        return self._ask("is-active", "--quiet").returncode == 0

    def start(self, release: Release) -> None:  # noqa: ARG002 - run.py reads it
        """Start it through systemd."""
        self._must("start")

    def stop(self) -> None:
        """Stop it through systemd."""
        self._must("stop")

    def said(self) -> str:
        """Say where its output is."""
        return f"see: journalctl --unit {self._name}"

    def _must(self, verb: str) -> None:
        done = self._ask(verb)
        if done.returncode:
            raise OperateError(
                f"systemctl {verb} {self._name} failed: {done.stderr.strip()}", f"See systemctl status {self._name}."
            )

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which("systemctl")
        if program is None:
            raise OperateError("There is no systemctl on this machine.", "Leave --unit out: the process is then started here.")
        return subprocess.run([program, *words, self._name], capture_output=True, text=True, check=False)


class Candidate:
    """An instance of the parts in `new`, beside the running service.

    It works on a copy of the data, has its own logs and exports nothing, so that the service's figures stay right.
    """

    def __init__(self, home: Home, new: Path, release: Release) -> None:
        self._home, self._new, self._release = home, new, release
        self._record = home.run.with_name("candidate.json")
        self._pid, self._began = 0, ""
        self.port = free_port()
        self.config: dict[str, str] = {}

    def __enter__(self) -> Candidate:  # noqa: PYI034 - typing.Self is not in Python 3.10
        self._folder = tempfile.TemporaryDirectory(prefix="candidate-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        data, logs = folder / "data", folder / "logs"
        self._output = folder / "output"
        try:
            if self._home.part("data").is_dir():
                shutil.copytree(self._home.part("data"), data, symlinks=True)
            data.mkdir(exist_ok=True)
            quiet = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "none")
            config = {**configuration.read(self._new / "service.env"), **quiet, "CHATBOT_OTEL_LOG_DIR": str(logs)}
            env = environment(self._home, self._release, config, self.port, data, logs)
            env["DATA_DIR"] = str(data)
            if config.get("CHATBOT_OTEL_ENDPOINT_PORT"):
                env["CHATBOT_OTEL_ENDPOINT_PORT"] = str(free_port())
            self.config = env
            command = command_of(self._home, self._release, self.port, data)
            self._record.parent.mkdir(exist_ok=True)
            with processes.undisturbed():
                self._pid = processes.start(command, self._new / "app", env, self._output)
                self._began = processes.birth(self._pid)
                write(self._record, json.dumps({"pid": self._pid, "began": self._began}) + "\n")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._folder.cleanup()

    def alive(self) -> bool:
        """Whether its process runs."""
        return bool(self._began) and processes.birth(self._pid) == self._began

    def said(self) -> str:
        """The last lines of its output."""
        return last_lines(self._output)

    def end(self) -> None:
        """End it."""
        if self._began:
            processes.end(self._pid, self._began, 10.0)
        self._record.unlink(missing_ok=True)


def environment(home: Home, release: Release, config: dict[str, str], port: int, data: Path, logs: Path) -> dict[str, str]:
    """The environment of a release's process. PYTHONPATH is set here: `opentelemetry-instrument` loses the id on Windows."""
    env = configuration.environment(config)
    python = python_of(home.venvs / release.venv)
    found = subprocess.run([str(python), "-c", _FIND], capture_output=True, text=True, check=False)
    if found.returncode:
        raise OperateError(
            "otel-chatbot is not in the service's virtual environment.",
            "Name it in the lock, or give its wheel with --package.",
        )
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [found.stdout.strip(), config.get("PYTHONPATH")]))
    env["PATH"] = f"{python.parent}{os.pathsep}{env.get('PATH', '')}"
    env["PORT"] = str(port)
    env.setdefault("DATA_DIR", str(data))
    env.setdefault("CHATBOT_OTEL_LOG_DIR", str(logs))
    env["OTEL_RESOURCE_ATTRIBUTES"] = configuration.with_version(env.get("OTEL_RESOURCE_ATTRIBUTES", ""), release.version)
    return env


def command_of(home: Home, release: Release, port: int, data: Path) -> list[str]:
    """The command of a release with its placeholders filled."""
    python = python_of(home.venvs / release.venv)
    words = {"{python}": str(python), "{bin}": str(python.parent), "{port}": str(port), "{data}": str(data)}
    command = []
    for part in release.command:
        for name, value in words.items():
            part = part.replace(name, value)  # noqa: PLW2901
        command.append(part)
    return command


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def taken(port: int) -> bool:
    """Whether a program listens on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def last_lines(path: Path, count: int = 8) -> str:
    """The last lines of a file, for a message."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return ""
    return configuration.masked("\n".join(f"  | {line}" for line in lines))


def of(home: Home, unit: str, grace: float = GRACE) -> Process | Unit:
    """The service: a systemd unit if one is named, else a process."""
    return Unit(unit) if unit else Process(home, grace)
