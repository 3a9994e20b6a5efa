"""The environment of the benchmarks: one virtual environment with the libraries of all sides, and the package beside it.

Fed by requirements/bench.txt and the working tree; feeds every benchmark with a Python and with the environment of a side.
Distributions for OpenTelemetry, the package among them, are in separate folders: through their entry points they would all
take part in `opentelemetry-instrument`. A side only has its own folders on PYTHONPATH.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
CACHE = ROOT / ".cache"
VENV = CACHE / "bench-venv"
BIN = VENV / "bin"
ASIDE = CACHE / "bench-aside"
LOCK = ROOT / "requirements" / "bench.txt"

PACKAGE, STOCK_DISTRO, STOCK_MODELS, ELASTIC_DISTRO, LOGFIRE_FOLDER = (
    "otel-chatbot",
    "stock",
    "stock-models",
    "elastic",
    "logfire",
)
DISTRIBUTIONS = {
    STOCK_DISTRO: ("opentelemetry-distro",),
    STOCK_MODELS: ("opentelemetry-instrumentation-genai-openai", "opentelemetry-util-genai"),
    ELASTIC_DISTRO: ("elastic-opentelemetry", "opentelemetry-instrumentation-system-metrics"),
    LOGFIRE_FOLDER: ("logfire",),  # its plugin of pydantic would import OpenTelemetry's SDK into every side that imports openai
}
"""The distributions that are moved out of the common environment, by folder."""
OTLP_HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


@dataclass(frozen=True)
class Side:
    """One way to observe the same application: its start, and the settings that its documentation recommends."""

    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    instrument: bool = False
    """Whether `opentelemetry-instrument` starts it."""
    folders: tuple[str, ...] = ()
    """Its folders on PYTHONPATH."""
    set_up: str = ""
    """The set-up in the program itself; see `apps/driven.py`."""
    expects: str = ""
    """A module that is imported if the side really works: a side that failed to start would look cheap."""
    how: str = ""
    """For the document."""

    def command(self, *arguments: str) -> list[str]:
        """The command that runs a program of Python under this side."""
        front = [str(BIN / "opentelemetry-instrument")] if self.instrument else []
        return [*front, str(BIN / "python"), *arguments]

    def environment(self, endpoint: str, folder: Path, **more: str) -> dict[str, str]:
        """The program's environment. `endpoint` takes OTLP; all files are written to `folder`."""
        env = {
            **clean(),
            "SIDE": self.set_up,
            "EXPECTS": self.expects,
            "OTEL_SERVICE_NAME": "bench",
            "CHATBOT_OTEL_LOG_DIR": str(folder / "logs"),
        }
        if self.instrument or self.set_up == "logfire":
            env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        if self.folders:
            env["PYTHONPATH"] = os.pathsep.join(str(ASIDE / folder) for folder in self.folders)
        return {**env, **self.env, **more}


BARE = Side("bare", how="Flask alone")
OURS = Side(
    "otel-chatbot",
    {**OTLP_HTTP, "OTEL_LOGS_EXPORTER": "none"},
    instrument=True,
    folders=(PACKAGE,),
    expects="otel_chatbot.instrumentation.flask.request",
    how="`opentelemetry-instrument`; all 16 metrics, exemplars, JSON access record to a file, redaction; traces and metrics over OTLP",
)
OURS_WITH_LOGS = Side(
    "otel-chatbot, log records over OTLP too",
    OTLP_HTTP,
    instrument=True,
    folders=(PACKAGE,),
    expects="otel_chatbot.instrumentation.flask.request",
    how="the same, and the access records leave over OTLP as well (the default where an endpoint is set)",
)
OURS_EQUAL = replace(
    OURS_WITH_LOGS,
    env={**OURS_WITH_LOGS.env, "CHATBOT_OTEL_LOG_FILES": "false", "CHATBOT_OTEL_ACCESS_LOG": "false"},
    how="as the line above, but without what stock does not do at all: no files, no access record",
)
STOCK = Side(
    "stock",
    OTLP_HTTP,
    instrument=True,
    folders=(STOCK_DISTRO,),
    expects="opentelemetry.instrumentation.flask",
    how="`opentelemetry-instrument` of opentelemetry-distro: traces, the instrumentations' own metrics, log records over OTLP",
)
STOCK_WITH_MODELS = replace(
    STOCK,
    name="stock with its openai instrumentation",
    folders=(STOCK_DISTRO, STOCK_MODELS),
    expects="opentelemetry.instrumentation.genai.openai",
    how="as stock, with opentelemetry-instrumentation-genai-openai, for the cost of a model call alone",
)
PROMETHEUS = Side(
    "prometheus_flask_exporter",
    set_up="prometheus",
    expects="prometheus_flask_exporter",
    how="`PrometheusMetrics(app)`: metrics; no traces, no logs",
)
LOGFIRE = Side(
    "logfire",
    OTLP_HTTP,
    folders=(LOGFIRE_FOLDER,),
    set_up="logfire",
    expects="opentelemetry.instrumentation.flask",
    how="`logfire.configure(send_to_logfire=False, console=False)` and `logfire.instrument_flask(app)`, OTLP to another backend",
)
ELASTIC = Side(
    "elastic-opentelemetry",
    OTLP_HTTP,
    instrument=True,
    folders=(ELASTIC_DISTRO,),
    expects="elasticotel.distro",
    how="`opentelemetry-instrument` of elastic-opentelemetry as it comes, metrics of the host included",
)


def unsampled(side: Side) -> Side:
    """The same side, with no trace sampled."""
    return replace(side, env={**side.env, "OTEL_TRACES_SAMPLER": "always_off"})


def clean() -> dict[str, str]:
    """This environment without settings of OpenTelemetry, of the package or of Python."""
    dropped = ("OTEL_", "CHATBOT_OTEL_", "PYTHON", "LOGFIRE_", "ELASTIC_", "PROMETHEUS_", "REDIS_", "MONGODB_", "OPENAI_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**env, "PATH": f"{BIN}{os.pathsep}{env.get('PATH', '')}", "NO_PROXY": "127.0.0.1"}


def prepare() -> None:
    """Make the environment, unless it was made from the same lock; always install the working tree's package."""
    recipe = hashlib.sha256(sys.version.encode() + LOCK.read_bytes()).hexdigest()
    marker = VENV / ".installed"
    if not marker.exists() or marker.read_text() != recipe:
        shutil.rmtree(ASIDE, ignore_errors=True)
        run(sys.executable, "-m", "venv", "--clear", str(VENV))
        pip("--no-deps", "--require-hashes", "-r", str(LOCK))
        for folder, names in DISTRIBUTIONS.items():
            for name in names:
                set_aside(name, ASIDE / folder)
        marker.write_text(recipe)
    wheels = CACHE / "bench-dist"
    for path in (ASIDE / PACKAGE, wheels):
        shutil.rmtree(path, ignore_errors=True)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(ROOT))
    pip("--no-deps", "--target", str(ASIDE / PACKAGE), *map(str, wheels.glob("*.whl")))


def set_aside(name: str, folder: Path) -> None:
    """Move an installed distribution out of the common environment."""
    [site] = VENV.glob("lib/python*/site-packages")
    [found] = distributions(name=name, path=[str(site)])
    for file in [file for file in found.files or () if ".." not in file.parts]:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        (site / file).rename(target)


def pip(*arguments: str) -> None:
    run(str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)


def run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def end(process: subprocess.Popen[Any]) -> None:
    """End a process; one that does not end by itself is killed."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
