"""`otel-chatbot probe` tells by its exit status whether an app is ready."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.distro import App
from support.process import clean_env, program


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [program("otel-chatbot", "install the package"), *arguments]
    return subprocess.run(command, cwd=folder, env=clean_env(env), capture_output=True, text=True, timeout=60)


def test_probe_tells_by_its_exit_status_whether_the_app_is_ready(tmp_path: Path) -> None:
    with App(tmp_path / "app") as app:
        well = run(tmp_path, "probe", f"http://127.0.0.1:{app.port}")
        absent = run(tmp_path, "probe", f"http://127.0.0.1:{app.port}/nowhere")
    gone = run(tmp_path, "probe", f"http://127.0.0.1:{app.port}")
    assert (well.returncode, absent.returncode, gone.returncode) == (0, 1, 1)
    assert '"status"' in well.stdout
    assert "ConnectionRefusedError" in gone.stderr
    assert run(tmp_path, "probe", "ftp://x").returncode == 1
