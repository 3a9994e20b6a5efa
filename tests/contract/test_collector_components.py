"""The collector's configurations use what our own build and the official contrib image both have, and nothing else is built."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.pipeline import CONFIGURATIONS, TOKEN, Collector, collector_binary, configurations

pytestmark = pytest.mark.timeout(1800)  # the first of these tests may have to build the collector

KINDS = ("receivers", "processors", "exporters", "connectors", "extensions")
OVERLAYS = [
    (),
    ("agent",),
    ("gateway",),
    ("logs-from-files",),
    ("agent", "logs-from-files"),
]
"""Every way in which the files are meant to be put together."""


def ids(overlays: tuple[str, ...]) -> str:
    return "+".join(("config", *overlays))


def used() -> dict[str, set[str]]:
    """The component types of all configurations, by kind."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for path in CONFIGURATIONS.glob("*.yaml"):
        config = yaml.safe_load(path.read_text())
        for kind in KINDS:
            found[kind] |= {name.partition("/")[0] for name in config.get(kind, {})}
    return found


def built() -> dict[str, dict[str, str]]:
    """The component types of our build and their modules' paths, by kind."""
    listed = subprocess.run([collector_binary(), "components"], check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = yaml.safe_load(listed)
    return {kind: {one["name"]: one["module"].partition(" ")[0] for one in found[kind]} for kind in KINDS}


def official() -> set[str]:
    """The modules' paths of the components of the official contrib image."""
    lines = (CONFIGURATIONS / "builder" / "contrib-components.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("overlays", OVERLAYS, ids=ids)
def test_the_collector_finds_nothing_wrong_in_a_configuration(overlays: tuple[str, ...], tmp_path: Path) -> None:
    environment = {"GATEWAY_TOKEN": TOKEN, "COLLECTOR_STORAGE": str(tmp_path)}
    done = subprocess.run(
        [collector_binary(), "validate", *configurations(overlays)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("overlays", OVERLAYS, ids=ids)
def test_the_collector_starts_with_a_configuration_and_is_healthy(overlays: tuple[str, ...], tmp_path: Path) -> None:
    collector = Collector(tmp_path, "http://127.0.0.1:1", *overlays)  # waits for its health
    collector.end(signal.SIGKILL)


def test_a_gateway_without_a_token_does_not_start() -> None:
    done = subprocess.run(
        [collector_binary(), "validate", *configurations(["gateway"])], check=False, capture_output=True, text=True, env={}
    )
    assert done.returncode != 0
    assert "bearertokenauth" in done.stderr


def test_every_overlay_is_among_those_that_are_tried() -> None:
    tried = {name for overlays in OVERLAYS for name in ("config", *overlays)}
    assert {path.stem for path in CONFIGURATIONS.glob("*.yaml")} == tried


def test_our_build_has_the_components_of_the_configurations_and_no_others() -> None:
    assert {kind: set(names) for kind, names in built().items()} == used()


def test_the_official_image_has_the_components_of_the_configurations() -> None:
    modules = {built()[kind][name] for kind, names in used().items() for name in names}
    assert modules <= official()


def test_every_variable_of_the_configurations_is_explained_with_its_default() -> None:
    page = (CONFIGURATIONS / "README.md").read_text()
    for path in CONFIGURATIONS.glob("*.yaml"):
        for name, default in re.findall(r"\$\{env:(\w+)(?::-([^}]*))?\}", path.read_text()):
            [row] = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line]
            shown = default.removeprefix("0.0.0.0:") if "`0.0.0.0:` 4317" in row else default
            assert shown in row, f"{path.name}: {name} is {default!r} by default"
