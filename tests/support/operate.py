"""A service in a folder of its own, deployed and rolled back by the scripts, as a person would call them.

    service.deploy("--version", "2"), service.rollback("--list"), service.state(), service.pid, service.chat("hello")

Feeds the tests of deployment and rollback. What the locks install is one small wheel, which makes this test's packages visible:
pip, hashes and virtual environments are real, and take seconds instead of minutes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import os
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request

from .process import clean_env, fetch, get, port_open, wait_for

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
CODE = ("app", "packages", "requirements.lock", "service.env", "release.json")

APP = """
import os
from pathlib import Path

from flask import Flask, jsonify, request

app = Flask(__name__)
VERSION = "good"

@app.post("/chat")
def chat():
    text = request.get_json()["message"]
    with Path(os.environ["DATA_DIR"], "chats.txt").open("a") as file:
        file.write(text + "\\n")
    return jsonify(response=f"{VERSION}: {text}")

@app.get("/version")
def version():
    return VERSION

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
"""


class Locks:
    """Locks with hashes, each installing one version of a wheel that shows the packages of this Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def lock(self, version: str, *, right: bool = True, needs: str = "") -> Path:
        """The lock of a version; with `right=False`, its hash is that of something else. `needs` is not in the lock."""
        wheel = self._wheel(version, needs)
        digest = hashlib.sha256(wheel.read_bytes() if right else b"something else").hexdigest()
        path = self.folder / f"{version}-{right}.lock"
        path.write_text(f"--no-index\n--find-links {self.folder.as_uri()}\nshown=={version} --hash=sha256:{digest}\n")
        return path

    def _wheel(self, version: str, needs: str) -> Path:
        path = self.folder / f"shown-{version}-py3-none-any.whl"
        info = f"shown-{version}.dist-info"
        files = {
            "shown.pth": f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: shown\nVersion: {version}\n"
            + f"Requires-Dist: {needs}\n" * bool(needs),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items()) + f"{info}/RECORD,,\n"
        if not path.exists():
            with zipfile.ZipFile(path, "w") as wheel:
                for name, text in {**files, f"{info}/RECORD": record}.items():
                    wheel.writestr(zipfile.ZipInfo(name), text)
        return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


_PORTS = itertools.count(20_000 + os.getpid() % 120 * 100)


def port_to_keep() -> int:
    """A free loopback port below those that the system gives away: no connection has it while the service restarts."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("there is no end of numbers")


class Service:
    """One service; `venvs` is a folder of virtual environments that several may share."""

    def __init__(self, folder: Path, locks: Locks, venvs: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.locks = locks
        self.port = port_to_keep()
        self.home.mkdir(parents=True)
        venvs.mkdir(parents=True, exist_ok=True)
        (self.home / "venvs").symlink_to(venvs)
        self.config = folder / "production.env"
        self.config.write_text("".join(f"{name}={value}\n" for name, value in (env or {}).items()))

    def source(self, name: str, app: str = APP) -> Path:
        """A folder with an app's code."""
        path = self.folder / "source" / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "app.py").write_text(app)
        return path

    def deploy(self, *arguments: str, app: Path | None = None, lock: Path | None = None, **how: Any) -> Done:
        """Run deploy-chatbot.sh with what every deployment here has in common, and these arguments."""
        common = ["--home", self.home, "--app", app or self.source("good"), "--requirements", lock or self.locks.lock("1.0")]
        more = ["--no-package", "--port", self.port, "--timeout", "60", "--grace", "10"]
        return self.run("deploy", *map(str, [*common, *more]), *arguments, **how)

    def rollback(self, *arguments: str, **how: Any) -> Done:
        """Run rollback-chatbot.sh for this service."""
        return self.run("rollback", "--home", str(self.home), *arguments, **how)

    def run(
        self,
        name: str,
        *arguments: str,
        answer: str = "",
        env: Mapping[str, str] | None = None,
        code: str = "",
        before: Callable[[], None] | None = None,
        timeout: float = 240,
    ) -> Done:
        """Run a script; `code` is Python that runs in it first, `before` in its process before that."""
        command: list[str] = [str(SCRIPTS / f"{name}-chatbot.sh"), *arguments]
        if code:
            script = SCRIPTS / "operate" / f"{name}.py"
            start = f"import runpy, sys\nsys.path.insert(0, {str(script.parent)!r})\nsys.argv = sys.argv[:1] + sys.argv[1:]\n{code}\n"
            command = [sys.executable, "-c", f"{start}runpy.run_path({str(script)!r}, run_name='__main__')", *arguments]
        done = subprocess.run(
            command, input=answer, capture_output=True, text=True, timeout=timeout, check=False, cwd=self.folder,
            env=clean_env({"PYTHON": sys.executable, **(env or {})}), preexec_fn=before,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    # what there is

    @property
    def pid(self) -> int:
        """The recorded process."""
        return int(json.loads((self.home / "run" / "service.json").read_text())["pid"])

    def state(self, parts: Sequence[str] = (*CODE, "data")) -> dict[str, bytes]:
        """Every file of the parts, byte for byte, with its rights."""
        return {name: content for part in parts for name, content in tree(self.home / part).items()}

    def chat(self, text: str) -> str:
        """What the running service answers."""
        body = json.dumps({"message": text}).encode()
        request = Request(f"http://127.0.0.1:{self.port}/chat", body, {"Content-Type": "application/json"})
        status, answer = fetch(request)
        assert status == 200, (status, answer)
        return str(json.loads(answer)["response"])

    def version(self) -> str:
        """What the running code calls itself; empty when nothing answers."""
        status, body = get(f"http://127.0.0.1:{self.port}/version")
        return body if status == 200 else ""

    def backups(self) -> list[Path]:
        """The archives, the oldest first."""
        return sorted((self.home / "backups").glob("*.tar.gz"))

    def log(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in (self.home / "operate.jsonl").read_text().splitlines()]

    def end(self) -> None:
        """End what still runs, by the recorded id, and wait until its port is free."""
        if (self.home / "run" / "service.json").exists():
            try:
                os.kill(self.pid, 9)
            except ProcessLookupError:
                return
            wait_for(lambda: not port_open(self.port), "the service's end", 60)


class Done:
    """How a script ended."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr

    def __repr__(self) -> str:
        return f"exit code {self.code}\n{self.stdout}\n{self.stderr}"


def tree(top: Path) -> dict[str, bytes]:
    """Every file and folder under a path, with its rights and content."""
    if not top.exists():
        return {}
    paths = [top, *sorted(top.rglob("*"))] if top.is_dir() else [top]
    return {
        str(path.relative_to(top.parent)): oct(path.stat().st_mode).encode() + (b"" if path.is_dir() else path.read_bytes())
        for path in paths
        if "__pycache__" not in path.parts
    }


def kill_at(rename: int) -> str:
    """Python that kills its process, without a chance to clean up, just before the n-th exchange of a part."""
    return (
        "import os, signal\nreal, seen = os.rename, []\n"
        "def rename(*paths):\n    seen.append(paths)\n"
        f"    if len(seen) == {rename}: os.kill(os.getpid(), signal.SIGKILL)\n    real(*paths)\nos.rename = rename"
    )
