"""What is installed is the built wheel, complete and typed."""

from __future__ import annotations

import email
import importlib.metadata as metadata
import zipfile
from pathlib import Path

import otel_chatbot

ROOT = Path(__file__).resolve().parents[2]
FILES = Path(__file__).parent / "data/wheel.txt"


def wheel() -> Path:
    found = sorted((ROOT / ".cache/dist").glob("otel_chatbot-*.whl"))
    assert len(found) == 1, "run the tests by `make test`, which builds the wheel"
    return found[0]


def test_the_tests_import_the_wheel_and_not_the_checkout() -> None:
    assert ROOT / "otel_chatbot" not in Path(otel_chatbot.__file__).resolve().parents
    assert "site-packages" in Path(otel_chatbot.__file__).parts


def test_the_wheel_carries_every_module_its_types_and_its_licence() -> None:
    with zipfile.ZipFile(wheel()) as archive:
        names = set(archive.namelist())
    checkout = {str(path.relative_to(ROOT)) for path in (ROOT / "otel_chatbot").rglob("*.py")}
    assert checkout <= names
    assert "otel_chatbot/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "examples", "scripts"))]


def test_the_wheel_holds_the_files_of_the_list_and_no_other() -> None:
    """A file more or less is a decision: `python tests/contract/test_wheel.py` writes the list anew, for the review."""
    assert shipped() == FILES.read_text(encoding="utf-8").splitlines()


def shipped() -> list[str]:
    """What the wheel holds, but for its metadata, whose folder is named after the version."""
    with zipfile.ZipFile(wheel()) as archive:
        return sorted(name for name in archive.namelist() if ".dist-info/" not in name)


def test_the_metadata_says_the_licence_and_the_entry_points() -> None:
    with zipfile.ZipFile(wheel()) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        message = email.message_from_bytes(archive.read(name))
    assert message["License-Expression"] == "Apache-2.0"
    assert not any("opentelemetry-distro" in line for line in message.get_all("Requires-Dist", []))
    points = {(point.group, point.name) for point in metadata.distribution("otel-chatbot").entry_points}
    assert {
        ("opentelemetry_distro", "otel_chatbot"),
        ("opentelemetry_configurator", "otel_chatbot"),
        ("opentelemetry_pre_instrument", "otel_chatbot"),
        ("console_scripts", "otel-chatbot"),
    } <= points


def test_every_entry_point_loads() -> None:
    for point in metadata.distribution("otel-chatbot").entry_points:
        assert callable(point.load()), point


if __name__ == "__main__":
    FILES.write_text("\n".join(shipped()) + "\n", encoding="utf-8")
