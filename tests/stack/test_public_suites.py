"""The libraries' own tests give under the distribution, test by test, what they give without it.

Flask's, pymongo's (those that need no server) and redis-py's (on a Redis of the test's own) come from the source distributions
of the very versions that the lock of the tests pins, with its hashes. They are run twice: plainly, and under
`opentelemetry-instrument` with its files in a temporary folder. What fails plainly may fail; it must fail alike.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support.process import BIN, clean_env
from support.proofs import record_proof
from support.servers import RedisServer

ROOT = Path(__file__).resolve().parents[2]
OLDER_PYTEST = "import _pytest.monkeypatch as patched\npatched.notset = patched.NOTSET  # its name when Flask 3.1 came out\n"
Outcomes = dict[str, str]


@dataclass(frozen=True)
class Suite:
    """The tests of one library: its name, the folder of its tests, what is run of it, and how."""

    name: str
    folder: str
    few: tuple[str, ...]
    """What is run at small sizes."""
    more: tuple[str, ...] = ()
    """And beside it by `make proof`."""
    options: tuple[str, ...] = ()
    least: int = 0
    """So many pass plainly, or the suite is not what it was when this was written."""


SUITES = (
    Suite("flask", "tests", ("tests",), options=("-p", "older_pytest"), least=450),
    Suite(
        "pymongo",
        "test",
        ("test_client", "test_topology", "test_uri_parser", "test_read_preferences", "test_sdam_monitoring_spec"),
        ("test_discovery_and_monitoring", "test_server_selection", "test_logger", "test_uri_spec", "test_bson", "test_server"),
        least=90,
    ),
    Suite(
        "redis",
        "tests",
        ("test_client", "test_connection_pool", "test_pipeline", "test_encoding", "test_lock", "test_retry"),
        ("test_connection", "test_connect", "test_pubsub", "test_scripting", "test_commands", "test_monitor"),
        ("-m", "not redismod and not onlycluster and not ssl and not cp_integration and not asyncio and not replica"),
        least=150,
    ),
)


def unpacked(suite: Suite, folder: Path) -> Path:
    """The folder with the suite's tests alone: beside them the library would be imported from there."""
    lock = (ROOT / "requirements" / "test.txt").read_text(encoding="utf-8")
    [pinned] = re.findall(rf"^{suite.name}(?:\[\w+\])?==[^ ]+ (?:\\\n +--hash=\S+ ?)+", lock, re.MULTILINE)
    (folder / "lock.txt").write_text(pinned)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    # pip asks each sdist for its metadata: without isolation it finds the build backends here. NO_EXT: pymongo's compiles no C.
    subprocess.run(
        [*pip, "--no-build-isolation", "-r", "lock.txt"], cwd=folder, env={**os.environ, "NO_EXT": "1"}, check=True, timeout=900
    )
    [archive] = folder.glob("*.tar.gz")
    assert version(suite.name) in archive.name
    with tarfile.open(archive) as packed:
        top = f"{archive.name.removesuffix('.tar.gz')}/"
        for member in packed.getmembers():
            if member.name.startswith(f"{top}{suite.folder}/") and "test_asyncio/" not in member.name:
                member.name = member.name.removeprefix(top)
                packed.extract(member, folder, filter="data")
    (folder / "older_pytest.py").write_text(OLDER_PYTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def outcomes(suite: Suite, folder: Path, tests: Iterable[str], *, observed: bool) -> Outcomes:
    """How each test ends, by its name; `observed` runs them under the distribution."""
    report, logs = folder / f"report-{observed}.xml", folder / f"telemetry-{observed}"
    front = [str(BIN / "opentelemetry-instrument")] if observed else []
    command = [
        *front, sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:randomly", "-p", "no:cacheprovider",
        "-p", "no:xdist", "--timeout", "120", f"--junitxml={report}", *suite.options, *tests,
    ]  # fmt: skip
    env = clean_env({"PYTHONPATH": str(folder), "CHATBOT_OTEL_LOG_DIR": str(logs), "DB_IP": "127.0.0.1", "DB_PORT": "9"})
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]  # of the run that this test is a part of
    with RedisServer(folder / f"redis-{os.urandom(4).hex()}") as redis:
        asked = ["--redis-url", f"{redis.url}/0"] if suite.name == "redis" else []
        done = subprocess.run(
            [*command, *asked], cwd=folder, env=env, capture_output=True, text=True, timeout=1500, check=False
        )
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    assert logs.exists() is observed, "the tests that are said to be observed are"
    return {
        f"{case.get('classname')}::{case.get('name')}": _outcome(case) for case in ET.parse(report).getroot().iter("testcase")
    }


def _outcome(case: ET.Element) -> str:
    for kind in ("error", "failure", "skipped"):
        if case.find(kind) is not None:
            return kind
    return "passed"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_librarys_own_tests_end_as_they_do_without_us(suite: Suite, tmp_path: Path, scale: int) -> None:
    folder = unpacked(suite, tmp_path)
    chosen = (*suite.few, *(suite.more if scale > 1 else ()))
    tests = chosen if chosen == (suite.folder,) else [f"{suite.folder}/{name}.py" for name in chosen]
    with ThreadPoolExecutor(2) as pool:  # side by side: what they do most is wait
        plain, observed = pool.map(lambda observed: outcomes(suite, folder, tests, observed=observed), (False, True))
    counts, ours = Counter(plain.values()), Counter(observed.values())
    assert counts["passed"] >= suite.least, counts
    differing = {
        name: (plain.get(name), observed.get(name)) for name in plain | observed if plain.get(name) != observed.get(name)
    }
    record_proof(
        f"The tests of {suite.name} {version(suite.name)}", tests=len(plain), passed_without_us=counts["passed"],
        passed_with_us=ours["passed"], failed_without_us=counts["failure"] + counts["error"],
        failed_with_us=ours["failure"] + ours["error"], skipped_without_us=counts["skipped"], skipped_with_us=ours["skipped"],
        end_differently=len(differing),
    )  # fmt: skip
    assert differing == {}
