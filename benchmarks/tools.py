"""The tools that are compared by the model calls that they see, each in its own environment with the same clients.

Fed by requirements/clients.txt, clients-older.txt and seen-*.txt; feeds `who_sees_what.py`. A tool's own lock is installed first
and the clients' over it, so that every tool has the same clients, also a tool that asks pip for older ones.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

import environment as e
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(e.ROOT / "tests"))
from support.clients import world
from support.venvs import environment

Found = dict[str, Distribution]


@dataclass(frozen=True)
class Tool:
    """A tool: the distributions that a user installs, and its set-up; `name` also selects the set-up in `apps/seen.py`."""

    name: str
    title: str
    asked: tuple[str, ...]
    how: str
    lock: str = ""

    def python(self, clients: str) -> Path:
        """The Python of an environment with the tool and the clients of that lock; made if it is missing or outdated."""
        if not self.lock:
            return environment(clients) / "python"
        locks = [e.ROOT / "requirements" / f"{name}.txt" for name in (self.lock, clients)]
        recipe = hashlib.sha256(b"".join([sys.version.encode(), *(lock.read_bytes() for lock in locks)])).hexdigest()
        home = e.CACHE / f"{self.lock}{clients.removeprefix('clients')}-venv"
        python, marker = home / "bin" / "python", home / "installed"
        if not marker.exists() or marker.read_text() != recipe:
            shutil.rmtree(home, ignore_errors=True)
            e.run(sys.executable, "-m", "venv", "--without-pip", str(home))
            into = ("uv", "pip", "install", "-q", "--python", str(python))
            for lock in locks:
                e.run(sys.executable, "-m", *into, "--no-deps", "--require-hashes", "-r", str(lock))
            marker.write_text(recipe)
        return python


OURS = Tool("ours", "otel-chatbot", ("otel-chatbot[genai]",), "`otel_chatbot.instrument()`")
UPSTREAM = Tool(
    "upstream", "OpenTelemetry's own",
    (
        "opentelemetry-sdk", "opentelemetry-instrumentation-genai-openai", "opentelemetry-instrumentation-genai-anthropic",
        "opentelemetry-instrumentation-genai-bedrock", "opentelemetry-instrumentation-genai-langchain",
        "opentelemetry-instrumentation-genai-llama-index", "opentelemetry-instrumentation-google-genai",
    ),
    "`instrument()` of every instrumentor that is installed, as `opentelemetry-instrument` calls it", "seen-upstream",
)  # fmt: skip
OPENLLMETRY = Tool("openllmetry", "OpenLLMetry", ("traceloop-sdk",), "`Traceloop.init()`", "seen-openllmetry")
OPENLIT = Tool("openlit", "OpenLIT", ("openlit",), "`openlit.init()`", "seen-openlit")
TOOLS = (OURS, UPSTREAM, OPENLLMETRY, OPENLIT)


def installed(python: Path) -> Found:
    """The distributions of an environment, by name."""
    [site] = (python.parent.parent / "lib").glob("python*/site-packages")
    return {canonicalize_name(found.metadata["Name"]): found for found in distributions(path=[str(site)])}


def needed(asked: Iterable[str], found: Found) -> set[str]:
    """The distributions that pip brings along for these requirements, themselves included."""
    todo = [Requirement(one) for one in asked]
    seen: dict[str, set[str]] = {}
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        extras = seen.get(name)
        if name not in found or (extras is not None and one.extras <= extras):
            continue
        seen[name] = (extras or set()) | one.extras
        for line in found[name].requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *seen[name])):
                todo.append(need)
    return set(seen)


def refused(asked: Iterable[str], found: Found) -> list[str]:
    """The conflicts of these distributions with the clients: requirements that an installed release does not fit."""
    names = needed(asked, found)
    lines = []
    for name in sorted(names):
        for line in found[name].requires or ():
            need = Requirement(line)
            other = found.get(canonicalize_name(need.name))
            counts = need.marker is None or need.marker.evaluate({"extra": ""})
            if counts and other is not None and not need.specifier.contains(other.version, prereleases=True):
                lines.append(f"{name} {found[name].version} asks for {need.name}{need.specifier}, not {other.version}")
    return lines


def clients_asked(clients: str) -> list[str]:
    """The clients that the input of a lock names."""
    lines = (e.ROOT / "requirements" / f"{clients}.in").read_text().splitlines()
    return [re.split(r"\s+#", line)[0] for line in lines if line and line[0] not in "#-"]


def clean() -> dict[str, str]:
    """A child's environment: no settings of any tool; the keys and the quiet settings of the tests."""
    dropped = ("OTEL_", "CHATBOT_OTEL_", "PYTHON", "TRACELOOP_", "OPENLIT_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**env, **world.SECRETS, **world.QUIET, "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(world.TESTS)}
