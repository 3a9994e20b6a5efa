"""The documentation is true: its commands run, its links lead somewhere, the names in it are those of the code.

A block of shell commands is run as it stands, unless its title says what it needs. The site is built with warnings as errors, by
the builder in .cache/docs-venv, which `make setup` installs.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.process import BIN, Process, clean_env, free_port, get

from otel_chatbot import config
from otel_chatbot.cli import parser as command_line
from otel_chatbot.cli.doctor.settings import known_names
from otel_chatbot.instrumentation.flask.probes import PATHS

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "operate")]
import deploy  # noqa: E402
import rollback  # noqa: E402

import docs  # noqa: E402

PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))
BY_HAND = [path for path in PAGES if path.name not in ("proofs.md", "performance.md") and path.parent.name != "runbooks"]
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]*)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVES, BESIDE = "runs until Ctrl-C", "while it runs"
ELSEWHERE = {
    "make demo": "tests/stack/test_demo.py",
    "otel-chatbot ui": "tests/process/cli/test_ui.py",
    "python3 -m venv .venv": "tests/contract/test_readme.py",
    '.venv/bin/pip install ".[genai]"': "tests/contract/test_readme.py",
}


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    title: str
    text: str

    @property
    def lines(self) -> list[str]:
        return [line.partition(" # ")[0].rstrip() for line in self.text.splitlines() if line.strip()]


def blocks(*languages: str) -> list[Block]:
    found = []
    for path in BY_HAND:
        for language, title, text in FENCE.findall(path.read_text()):
            if language in languages:
                found.append(Block(str(path.relative_to(ROOT)), language, title, text))
    return found


SHELL = blocks("sh")
[APP] = [block.text for block in blocks("python") if block.title == "app.py"]


def prose() -> Iterator[tuple[Path, str]]:
    for path in BY_HAND:
        yield path, path.read_text()


def test_every_block_is_run_or_says_what_it_needs() -> None:
    titles = {block.title for block in SHELL}
    assert {title for title in titles if not title.startswith("needs ")} == {"", SERVES, BESIDE}
    languages = {language for path in BY_HAND for language, _, _ in FENCE.findall(path.read_text())}
    assert languages <= {"sh", "python", "json", "yaml", "dockerfile"}
    for page, text in prose():
        indented = re.findall(r"^\n {4}[a-z.]+[ /].*$", FENCE.sub("", text), re.MULTILINE)
        assert all("import" in line for line in indented), (page, indented)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has: an app, its lock, its configuration, the scripts, and a virtual environment with all installed."""
    path = tmp_path_factory.mktemp("reader")
    (path / "app.py").write_text(APP)
    (path / "my-app").mkdir()
    (path / "my-app" / "app.py").write_text(APP)
    (path / "my-app" / "requirements.lock").write_text("otel-chatbot==0.1.0 --hash=sha256:0\n")
    (path / "production.env").write_text("ENVIRONMENT=production\n")
    (path / "scripts").symlink_to(ROOT / "scripts")
    (path / ".venv").symlink_to(BIN.parent)
    return path


@pytest.mark.parametrize("block", [b for b in SHELL if not b.title], ids=lambda block: f"{block.page}: {block.lines[0]}")
def test_a_command_of_the_documentation_does_what_it_says(block: Block, folder: Path) -> None:
    for line in block.lines:
        if line in ELSEWHERE:
            assert (ROOT / ELSEWHERE[line]).exists()
            continue
        port = f" --port {free_port()}" if "deploy-chatbot" in line else ""  # 5000 may be in use where this runs
        done = subprocess.run(
            ["bash", "-c", line + port], cwd=folder, env=clean_env({"PYTHON": sys.executable}),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert done.stdout


@pytest.mark.parametrize("block", [b for b in SHELL if b.title == SERVES], ids=lambda block: f"{block.page}: {block.lines[0]}")
def test_a_command_that_serves_serves_and_what_is_run_beside_it_works(block: Block, folder: Path) -> None:
    [line] = block.lines
    port = free_port()
    env = {"PORT": str(port), "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}"}
    with Process(["bash", "-c", f"exec env {line}"], folder, env, "served") as served:
        served.wait(lambda: get(f"http://127.0.0.1:{port}/health/ready")[0] == 200, line, 60)
        assert get(f"http://127.0.0.1:{port}/")[1] == "hello"
        after = SHELL[SHELL.index(block) + 1 :]
        following = [b for b in after if b.page == block.page and b.title == BESIDE][: not block.lines[0].startswith("OTEL")]
        for command in (line for b in following for line in b.lines):
            run_beside(command, port, folder)


def run_beside(command: str, port: int, folder: Path) -> None:
    line = command.replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=clean_env(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_a_container_s_health_check_without_curl(folder: Path) -> None:
    """The one block that is run beside a container."""
    [block] = [b for b in SHELL if b.title == BESIDE and b.page == "docs/guides/docker.md"]
    port = free_port()
    served = [str(BIN / "opentelemetry-instrument"), sys.executable, "app.py"]
    with Process(served, folder, {"PORT": str(port)}, "probed") as app:
        app.wait(lambda: get(f"http://127.0.0.1:{port}/health/live")[0] == 200, "the app", 60)
        run_beside(block.lines[0], port, folder)


@pytest.mark.parametrize(
    "block", [b for b in SHELL if b.title.startswith("needs ")], ids=lambda block: f"{block.page}: {block.title}"
)
def test_a_command_that_cannot_be_run_here_has_arguments_that_exist(block: Block) -> None:
    for line in block.lines:
        words = shlex.split(line.rpartition(" -- ")[2])
        parse(words)
        for word in words:
            path = word.rpartition("=")[2]
            if re.match(r"(collector|kubernetes|prometheus)/", path):
                assert (ROOT / path).exists(), line


def parse(words: list[str]) -> None:
    parsers = {
        "otel-chatbot": command_line(),
        "scripts/deploy-chatbot.sh": deploy.parser(),
        "scripts/rollback-chatbot.sh": rollback.parser(),
    }
    if words[0] in parsers:
        parsers[words[0]].parse_args(words[1:])


def test_every_option_in_the_text_exists() -> None:
    """Such as `--with-logs`: in some parser of ours, or in a command of somebody else's in the same block."""
    ours = set(re.findall(r"`[^`]*?(--[a-z-]+)[ `}]", docs.reference()))
    theirs = {"--preload", "--config", "--threads", "--reload"}
    for page, text in prose():
        named = set(re.findall(r"`(--[a-z-]+)", FENCE.sub("", text)))
        assert named <= ours | theirs, (page, named - ours - theirs)


@pytest.mark.parametrize("block", [b for b in blocks("python") if b.text != APP], ids=lambda block: block.page)
def test_python_in_the_documentation_runs(block: Block, tmp_path: Path) -> None:
    ast.parse(block.text)
    done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", blocks("json", "yaml"), ids=lambda block: block.page)
def test_data_in_the_documentation_can_be_read(block: Block, tmp_path: Path) -> None:
    data = json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)
    assert data
    if "remote_write" in data or "global" in data:
        path = tmp_path / "prometheus.yml"
        path.write_text(block.text)
        done = subprocess.run(["promtool", "check", "config", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        path, _, anchor = target.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        found = (page.parent / path) if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text()), target


def test_every_page_is_in_the_navigation() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())

    def pages(node: Any) -> Iterator[str]:
        if isinstance(node, str):
            yield node
        for child in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
            yield from pages(child)

    listed = set(pages(site["nav"]))
    there = {str(path.relative_to(ROOT / "docs")) for path in BY_HAND}
    assert there <= listed
    assert {page for page in listed if not page.startswith("project/")} == there
    assert all((ROOT / page.removeprefix("project/")).exists() for page in listed if page.startswith("project/"))
    runbooks = {path.name for path in PAGES if path.parent.name == "runbooks"}
    assert set(re.findall(r"\(runbooks/([^)]+)\)", (ROOT / "docs/runbooks.md").read_text())) == runbooks


def test_every_setting_that_is_named_exists() -> None:
    ours = {config.env_name(field) for field in config.fields()}
    standard, collectors = known_names(), "\n".join(path.read_text() for path in (ROOT / "collector").glob("*.yaml"))
    texts = [*prose(), *((path, path.read_text()) for path in (ROOT / "kubernetes").glob("*.yaml"))]
    for page, text in texts:
        for name in set(re.findall(r"\bCHATBOT_OTEL_[A-Z0-9_]*[A-Z0-9]\b", text)):
            assert name in ours, (page, name)
        for name in set(re.findall(r"(?<![A-Z_])OTEL_[A-Z0-9_]*[A-Z0-9]\b", text)):
            assert name in standard, (page, name)
        for name in set(re.findall(r"\b(?:COLLECTOR|GATEWAY)_[A-Z0-9_]*[A-Z0-9]\b", text)):
            assert f"env:{name}" in collectors, (page, name)


def test_every_panel_that_is_named_exists() -> None:
    boards = [json.loads(path.read_text()) for path in (ROOT / "grafana/dashboards").glob("*.json")]
    titles = {panel["title"] for board in boards for panel in every(board["panels"])} | {board["title"] for board in boards}
    titles |= {title.partition(" · ")[2] for title in titles}
    tuning = (ROOT / "docs/guides/tuning.md").read_text()
    rows = [row for row in re.findall(r"^\| ([^|]+?) \|", tuning, re.MULTILINE) if row not in ("panel", "---")]
    assert len(rows) > 8
    assert {row for row in rows if row not in titles} == set()
    for page in ("tuning", "cost"):
        bold = set(re.findall(r"\*\*([^*]+)\*\*", (ROOT / f"docs/guides/{page}.md").read_text()))
        assert {name for name in bold if name not in titles and name not in ("Series", "Traces", "Logs")} == set()


def every(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield panel
        yield from every(panel.get("panels", []))


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert docs.REFERENCE.read_text() == docs.reference(), "run: python scripts/docs.py --reference"


MANIFESTS = {path.name: list(yaml.safe_load_all(path.read_text())) for path in sorted((ROOT / "kubernetes").glob("*.yaml"))}


def test_the_manifests_ask_the_routes_that_there_are_and_use_the_files_that_there_are() -> None:
    [chatbot] = [one for one in MANIFESTS["chatbot.yaml"] if one["kind"] == "Deployment"]
    spec = chatbot["spec"]["template"]["spec"]
    [app], [sidecar] = spec["containers"], spec["initContainers"]
    probes = {name: app[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
    assert set(probes.values()) <= PATHS
    assert sidecar["restartPolicy"] == "Always"
    port = {variable["name"]: variable.get("value", "") for variable in sidecar["env"]}["COLLECTOR_OTLP_HTTP"]
    assert {variable["name"]: variable.get("value") for variable in app["env"]}[
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    ] == f"http://{port}"
    [gateway] = [one for one in MANIFESTS["gateway.yaml"] if one["kind"] == "StatefulSet"]
    for container in (app, sidecar, *gateway["spec"]["template"]["spec"]["containers"]):
        for word in container.get("args", []):
            assert (ROOT / "collector" / posixpath.basename(word.partition("=")[2])).exists(), word
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claims = {claim["metadata"]["name"] for claim in gateway["spec"]["volumeClaimTemplates"]}
        assert (
            mounted
            <= {volume["name"] for volume in (*spec["volumes"], *gateway["spec"]["template"]["spec"]["volumes"])} | claims
        )


def test_the_site_builds_without_a_warning() -> None:
    built = subprocess.run([sys.executable, ROOT / "scripts/docs.py"], capture_output=True, text=True, timeout=280, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    site = ROOT / ".cache/site"
    assert "otel_chatbot.Counter.inc" in (site / "reference/api.html").read_text()
    for page in BY_HAND:
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).exists(), page


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_the_manifests_are_valid(version: str) -> None:
    files = sorted((ROOT / "kubernetes").glob("*.yaml"))
    command = [docs.PROGRAMS / "kubernetes-validate", "--strict", "-k", version, *files]
    valid = subprocess.run(command, capture_output=True, text=True, check=False)
    assert valid.returncode == 0, valid.stdout + valid.stderr
