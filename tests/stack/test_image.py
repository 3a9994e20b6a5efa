"""The image of the example, really built on a Debian made for it, by Debian's buildah; its own command answers.

`make proof` only: it takes minutes, needs root, and fetches a Debian.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import Process, free_port, get, program
from support.proofs import record_proof

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / ".cache" / "image-base"
"""The file system of the base image: kept, for it takes two minutes to make."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Buildah:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = program("buildah", "install Debian's buildah")
        self.command = [found, "--storage-driver=vfs", "--root", str(folder / "root"), "--runroot", str(folder / "run")]

    def __call__(self, *arguments: str, timeout: float = 1800) -> str:
        done = subprocess.run(
            [*self.command, *arguments], cwd=ROOT, check=False, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, f"buildah {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()


def debian() -> Path:
    """The file system of a small Debian with Python, from the mirror that this machine uses."""
    if not (BASE / "etc" / "debian_version").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        sites = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"],
            check=True, capture_output=True, text=True,
        ).stdout.splitlines()  # fmt: skip
        site, codename = sites[0].split()
        making = BASE.with_suffix(".new")
        shutil.rmtree(making, ignore_errors=True)
        packages = "--include=python3,python3-venv,ca-certificates"
        script = program("debootstrap", "install Debian's debootstrap")
        subprocess.run([script, "--variant=minbase", packages, codename, str(making), site], check=True, capture_output=True)
        shutil.copy(CERTIFICATES, making / CERTIFICATES.relative_to("/"))  # of a proxy that this machine may be behind
        making.rename(BASE)
    return BASE


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[Buildah]:
    """buildah with a base image named `base`."""
    buildah = Buildah(tmp_path)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(debian()), "/")
    buildah("config", "--env", f"PIP_CERT={CERTIFICATES}", container)
    buildah("commit", "--quiet", container, "base")
    yield buildah
    buildah("rm", "--all")


def image_is_built_and_answers(buildah: Buildah, tmp_path: Path) -> None:
    started = time.monotonic()
    index = os.environ.get("PIP_INDEX_URL")
    arguments = ["--build-arg", "BASE_IMAGE=localhost/base", *(["--build-arg", f"PIP_INDEX_URL={index}"] if index else [])]
    buildah("bud", "--isolation", "chroot", *arguments, "--tag", "example", ".")
    took = time.monotonic() - started

    image = json.loads(buildah("inspect", "--type", "image", "example"))["OCIv1"]["config"]
    assert image["User"] == "chatbot"
    assert list(image["Volumes"]) == ["/var/log/chatbot"]
    assert list(image["ExposedPorts"]) == ["5000/tcp"]

    container = buildah("from", "example")
    root = Path(buildah("mount", container))
    user = subprocess.run(["chroot", str(root), "id", "-u", "chatbot"], check=True, capture_output=True, text=True).stdout
    assert int(user) == 10001
    writable = subprocess.run(
        ["find", str(root), "-xdev", "-uid", "10001", "-o", "-xdev", "-perm", "-o+w", "-type", "d"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    expected = {"/var/log/chatbot", "/tmp", "/var/tmp", "/run/lock", "/dev/shm", "/dev/mqueue"}
    assert {path.removeprefix(str(root)) for path in writable} <= expected, "nothing else is the user's"

    port = free_port()
    run = [*buildah.command, "run", "--isolation", "chroot", "--env", f"GUNICORN_CMD_ARGS=--bind 127.0.0.1:{port}"]
    health = f"http://localhost:{port}/health"
    with Process([*run, container, "--", *image["Cmd"]], tmp_path, name="image") as app:
        app.wait(lambda: get(health)[0] == 200, "the container's /health", 60)
        # As docker-compose.yml does it, with the container's own curl.
        inside = buildah("run", "--isolation", "chroot", container, "--", "curl", "-f", health)
        assert json.loads(inside)["status"] == "healthy"
        assert not re.search(r"Traceback|Error|Warning", app.stderr), app.stderr
    record_proof("The image of the example, built by buildah", seconds=round(took), answers="/health, to its own curl")


if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1:
    test_the_image_is_built_and_its_command_answers = pytest.mark.timeout(3600)(image_is_built_and_answers)
