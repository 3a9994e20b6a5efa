"""The configuration of a service (`service.env`, lines of NAME=value), and the environment of its processes.

Fed by the file; feeds `service` and the checks. A process gets the file's values, and from the caller's environment only what
every program needs: a rollback from another shell must start the same service.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from layout import OperateError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_KEPT = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "USERPROFILE",
    "APPDATA", "LOCALAPPDATA", "PATHEXT", "LD_LIBRARY_PATH",
)  # fmt: skip
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


def read(path: Path) -> dict[str, str]:
    """The names and values of a file, empty if there is none; OperateError names a line that is no setting and no comment."""
    if not path.exists():
        return {}
    found = {}
    for number, raw in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise OperateError(f"{path}, line {number}: expected NAME=value.", "Correct the line.")
        value = match[2].strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[match[1]] = value
    return found


def environment(config: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process: what every program needs, and the configuration."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **config}


def with_version(attributes: str, version: str) -> str:
    """OTEL_RESOURCE_ATTRIBUTES with this `service.version`: this script knows which version runs."""
    others = [item for item in attributes.split(",") if item.strip() and item.partition("=")[0].strip() != "service.version"]
    escaped = re.sub(r"[^A-Za-z0-9._+-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), version)
    return ",".join([*others, f"service.version={escaped}"])


def masked(text: str) -> str:
    """A text without the passwords in addresses."""
    return _PASSWORD.sub("****@", text)
