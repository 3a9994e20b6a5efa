"""The locks: complete and closed, so that every pip installs the same from them, today and after new releases.

An old pip that resolves takes the newest release for an extra that is not pinned, and then has no hash for it. So nothing here
is resolved at installation: a lock names all, and `pip install --no-deps --require-hashes` installs what it names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from lock import LOCKS, compile_lock  # noqa: E402

LINES = {name: (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8") for name in LOCKS}
PINS = {name: [Requirement(pin) for pin in re.findall(r"^(\w.*?) \\$", text, re.MULTILINE)] for name, text in LINES.items()}
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MACHINES = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "mac": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    "windows": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64"},
}
INSTALLS = re.compile(
    r"""(?:\bpip(?:3|\[[^\]]*\])?["',\s]+install\b|\binstall\(|\b_?pip\()[^\n]*["'\s](?:-r|--requirement)\b[^\n]*"""
)
"""A line that has pip install a file of requirements: in a shell, in a Dockerfile, as a list of Python's, through a function."""


def environments(oldest: str) -> list[dict[str, str]]:
    """The markers' values of every Python from the oldest one on, on every kind of machine."""
    common = {**default_environment(), "platform_python_implementation": "CPython", "implementation_name": "cpython"}
    return [
        {**common, **machine, "python_version": python, "python_full_version": f"{python}.99"}
        for python in PYTHONS[PYTHONS.index(oldest) :]
        for machine in MACHINES.values()
    ]


def asked_by(path: Path) -> list[Requirement]:
    """What a file asks for, and the files that it includes."""
    lines = [line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    included = [asked_by(path.parent / line.removeprefix("-r ")) for line in lines if line.startswith("-r ")]
    return [Requirement(line) for line in lines if line[0] != "-"] + [need for needs in included for need in needs]


def lacks(pins: list[Requirement], environment: dict[str, str]) -> list[str]:
    """What a package of the lock needs in this environment, and the lock does not pin or pins in a version that is refused."""
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in here}
    asked: dict[str, set[str]] = {canonicalize_name(pin.name): {"", *pin.extras} for pin in here}
    found, todo = [], list(asked)
    while todo:
        name = todo.pop()
        try:
            needs = [Requirement(text) for text in distribution(name).requires or ()]
        except PackageNotFoundError:
            continue  # of another platform: the index knows what it needs, see the test below
        for need in needs:
            if need.marker and not any(need.marker.evaluate({**environment, "extra": extra}) for extra in asked[name]):
                continue
            other = canonicalize_name(need.name)
            if other not in versions or not need.specifier.contains(versions[other], prereleases=True):
                found.append(f"{name} needs {need}, pinned is {versions.get(other, 'nothing')}")
            elif not need.extras <= asked[other]:
                asked[other] |= need.extras
                todo.append(other)
    return found


def test_what_is_installed_here_is_what_the_lock_of_the_tests_pins() -> None:
    here = [pin for pin in PINS["test"] if pin.marker is None or pin.marker.evaluate()]
    assert len(here) > 100
    assert [str(pin) for pin in here if not pin.specifier.contains(distribution(pin.name).version, prereleases=True)] == []


@pytest.mark.parametrize("environment", environments(LOCKS["test"]), ids=lambda e: f"{e['sys_platform']}-{e['python_version']}")
def test_all_that_a_package_of_the_tests_needs_is_in_their_lock(environment: dict[str, str]) -> None:
    assert lacks(PINS["test"], environment) == []


def test_a_lock_without_one_of_its_packages_or_of_its_extras_packages_is_noticed() -> None:
    environment = environments(LOCKS["test"])[0]
    for gone in ("werkzeug", "asgiref"):  # the second one is what flask[async] adds
        [said] = lacks([pin for pin in PINS["test"] if pin.name != gone], environment)
        assert re.match(f"flask needs {gone}", said)


@pytest.mark.parametrize("name", LOCKS)
def test_what_the_packages_of_a_lock_need_is_the_lock_again(name: str, tmp_path: Path) -> None:
    """The index is asked what each version needs. Its newer releases change nothing: all that is found must be pinned."""
    pins = tmp_path / "pins.in"
    pins.write_text("\n".join(map(str, PINS[name])))
    resolved = compile_lock(pins, LOCKS[name])
    assert sorted(str(Requirement(line)) for line in resolved.splitlines()) == sorted(map(str, PINS[name]))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_all_that_its_input_asks_for(name: str) -> None:
    wanted = asked_by(ROOT / f"requirements/{name}.in")
    assert wanted
    for environment in environments(LOCKS[name]):
        pins = {pin.name: pin for pin in PINS[name] if pin.marker is None or pin.marker.evaluate(environment)}
        for need in wanted:
            if need.marker is None or need.marker.evaluate(environment):
                pin = pins[need.name]
                [version] = pin.specifier
                assert need.specifier.contains(version.version, prereleases=True)
                assert need.extras <= pin.extras


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_one_pinned_version_with_its_hashes_and_names_no_index(name: str) -> None:
    entries = re.split(r"\n(?! )", LINES[name].strip())
    assert len(entries) == len(PINS[name])
    strange = [
        entry
        for entry in entries
        if not re.fullmatch(r"[\w.-]+(\[[\w, ]+\])?==[^\s*]+( ; .+?)?( \\\n +--hash=sha256:\w{64})+", entry)
    ]
    assert strange == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_a_package_once_on_each_python_and_machine(name: str) -> None:
    for environment in environments(LOCKS[name]):
        here = [pin.name for pin in PINS[name] if pin.marker is None or pin.marker.evaluate(environment)]
        assert len(here) == len(set(here))


def test_whatever_installs_from_a_lock_resolves_nothing() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    lines = [
        (path, line)
        for path in listed
        if path.endswith((".py", ".md", ".sh", ".yaml", ".yml", "Makefile", "Dockerfile", "run"))
        for line in INSTALLS.findall((ROOT / path).read_text(encoding="utf-8"))
    ]
    assert {path for path, _ in lines} >= {
        "Makefile", "Dockerfile", "scripts/docs.py", "scripts/demo.py", "benchmarks/environment.py", "docs/guides/docker.md",
        "tests/stack/test_genai_peers.py", "scripts/operate/environment.py",
    }  # fmt: skip
    ranges = "examples/chatbot/requirements.txt"  # what the example imports, with no version of its own
    resolving = [
        (path, line) for path, line in lines if not ("--no-deps" in line and "--require-hashes" in line) and ranges not in line
    ]
    assert [path for path, _ in resolving if path != "scripts/operate/environment.py"] == []  # there it hangs on the lock
