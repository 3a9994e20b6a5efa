"""The order in which test files begin: the longest first, so that at the end no process works alone at one of them.

Feeds tests/conftest.py. pytest-xdist by itself begins with the files that have the most tests, which are the short ones of unit/;
the Makefile tells it to keep the order that is made here.
"""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
LONGEST = (
    "process/distro/process/test_end_of_servers.py",
    "stack/test_demo.py",
    "process/operate/test_deploy.py",
    "stack/test_public_suites.py",
    "process/test_workers_exact.py",
    "process/distro/delivery/test_outage.py",
    "process/cli/doctor/test_command.py",
    "stack/extensions/test_beside_extensions.py",
    "stack/extensions/test_websockets.py",
    "stack/instrumentation/genai/test_model_clients.py",
    "process/operate/test_rollback.py",
    "stack/test_release_telemetry.py",
    "stack/test_expressions.py",
    "contract/test_locks.py",
    "stack/test_workers_in_prometheus.py",
    "stack/test_pipeline_outage.py",
    "process/test_gunicorn.py",
    "process/distro/process/test_fork_safety.py",
    "process/distro/test_steps.py",
    "process/test_workers_life.py",
    "contract/test_docs.py",
    "contract/test_readme.py",
    "contract/test_one_row.py",
)
"""Files of some twenty seconds or more, the longest first."""
ROOMS = ("stack", "process", "contract", "unit")
"""What is not named above: real servers before what is read or calculated."""


def place(path: Path) -> tuple[int, int]:
    """Where a file stands, to sort by; files of one place keep the order that they had."""
    name = path.resolve().relative_to(TESTS).as_posix()
    if name in LONGEST:
        return 0, LONGEST.index(name)
    room = name.partition("/")[0]
    return 1, ROOMS.index(room) if room in ROOMS else len(ROOMS)
