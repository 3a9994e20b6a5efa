"""What is held against Debian's Prometheus 2.42 elsewhere, held against Prometheus 3: configurations, rules, every expression.

`make proof` only: Prometheus 3 is built by Go from `requirements/prometheus3`, which takes minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import alert_cases
from support.process import program
from support.proofs import record_proof

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".cache/prometheus3"
SCRAPES = sorted(map(str, (ROOT / "prometheus").glob("*.yml")))
RULES = sorted(map(str, (ROOT / "prometheus/rules").glob("*.yml")))
PIPELINE = ("tests/stack/test_pipeline.py", "tests/stack/test_expressions.py")


def run(*command: str, cwd: Path = ROOT, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, check=False, capture_output=True, text=True, timeout=3000
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout + done.stderr


def prometheus_3_takes_what_we_write(tmp_path: Path) -> None:
    go = program("go", "install Go 1.25 or newer")
    run(go, "install", "-mod=readonly", "tool", cwd=ROOT / "requirements/prometheus3", GOBIN=str(PROGRAMS))
    promtool = str(PROGRAMS / "promtool")
    assert SCRAPES
    assert RULES
    tests = [str(path) for path in alert_cases.write(tmp_path)]
    run(promtool, "check", "config", *SCRAPES)
    run(promtool, "check", "rules", *RULES)
    assert run(promtool, "test", "rules", *tests).count("SUCCESS") == len(tests)

    # The same tests of the whole pipeline, which take the programs that come first on the PATH.
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PIPELINE)
    said = run(*command, PATH=path, OTEL_CHATBOT_TEST_SCALE="1", OTEL_CHATBOT_PROOFS="")
    versions = run(go, "version", "-m", str(PROGRAMS / "prometheus")).splitlines()
    version = next(line.split()[2] for line in versions if line.split()[1:2] == ["github.com/prometheus/prometheus"])
    record_proof(
        "Prometheus 3",
        module=f"github.com/prometheus/prometheus {version}",
        checked=f"{len(SCRAPES)} scrape configurations, {len(RULES)} files of rules, {len(tests)} of their tests",
        pipeline=next(line for line in said.splitlines() if " passed" in line).strip("= "),
    )


if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1:
    test_prometheus_3_takes_what_we_write = pytest.mark.timeout(3600)(prometheus_3_takes_what_we_write)
