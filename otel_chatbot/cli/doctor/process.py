"""Who owns the providers: an instrumented process is started as the app's would be, and asked.

Fed by `doctor.child` in that process, which writes nothing and sends nothing; feeds `doctor.command`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from .findings import Finding, failed, warning, well

_SECONDS = 60
_BESIDE = {
    "traces": "its sampler and resource count, and ours are exported beside what it exports",
    "metrics": "what is measured with it is exported by us as well",
    "logs": "it gets what the app gives it; ours goes on beside it",
}


def providers(app: str) -> Iterator[Finding]:
    """The providers with their exporters, what the app changed about them, and what was warned of on the way."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "CHATBOT_OTEL_LOG_DIR": folder, "CHATBOT_OTEL_SPOOL_DIR": folder, "CHATBOT_OTEL_TRACE_FILE": ""}
        command = [sys.executable, "-m", f"{__package__}.child", *([app] if app else [])]
        asked = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
    lines = asked.stdout.splitlines()
    if asked.returncode or not lines:
        last = (asked.stderr.strip().splitlines() or ["nothing was said"])[-1]
        yield failed("app", f"{app or 'an instrumented process'} cannot be started: {last}", "start it by hand to see more")
        return
    report = json.loads(lines[-1])
    for signal, found in report["providers"].items():
        line = f"{signal}: {found['provider']}, {', '.join(found['exporters']) or 'nothing exported'}"
        twice = found["otlp"] > 1
        yield (
            failed("duplicate-export", f"{line}: sent twice", "take one of the exporters away")
            if twice
            else well("provider", line)
        )
    for signal in report["theirs"]:
        yield warning(
            "own-provider", f"the app sets a provider of {signal} after ours: {_BESIDE[signal]}",
            "fine if it is meant; leave it out, and OTEL_* variables are all there is to set",
        )  # fmt: skip
    for line in report["refused"]:
        yield failed(
            "duplicate-provider", f"the app sets more than one provider: {line}",
            "set one provider alone: the first of the app's own is taken in, and OpenTelemetry refuses all others",
        )  # fmt: skip
    for line in report["errors"]:
        name = "config-file" if line.startswith("OTEL_CONFIG_FILE") else "set-up"
        yield failed(name, line, "nothing of what it asks for is had until then")
    for line in report["warnings"]:
        yield warning("set-up", line)
