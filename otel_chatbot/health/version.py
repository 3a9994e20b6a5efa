"""The version of the app, as the health answers show it.

Fed by `service.version`, a VERSION file, installed metadata; feeds the payloads. Found once and kept.
"""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace

from .. import config
from ..semconv import attributes as a


class _App:
    """Where the app lives: told by the blueprint or the mount; the main script until then."""

    module = "__main__"
    folder = ""


def remember_app(app: Any) -> None:
    """Take note of the Flask app: its folder and module say which version it is."""
    _App.module = str(app.import_name)
    _App.folder = str(app.root_path)
    version.cache_clear()


@functools.cache
def version() -> str:
    """`service.version`, else a VERSION file beside the app, else the app's package's version, else the package's own."""
    return (
        _of_provider()
        or config.current().service_version
        or _of_file()
        or _of_package()
        or _installed("otel-chatbot")
        or "unknown"
    )


def _of_provider() -> str:
    # Any provider with a resource will do: resource detectors and a configuration file may set service.version.
    resource = getattr(trace.get_tracer_provider(), "resource", None)
    return str(getattr(resource, "attributes", {}).get(a.SERVICE_VERSION, ""))


def _of_file() -> str:
    for folder in (_App.folder, _main_folder(), "."):
        if not folder:
            continue
        try:
            text = Path(folder, "VERSION").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        if text:
            return text.splitlines()[0].strip()[:100]
    return ""


def _main_folder() -> str:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return str(Path(file).resolve().parent) if file else ""


def _of_package() -> str:
    module = _App.module
    if module == "__main__":  # `python -m package` tells the package in the module's specification
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        module = spec.name if spec else ""
    top = module.partition(".")[0]
    if not top or top == "__main__":
        return ""
    return _installed(top) or str(getattr(sys.modules.get(top), "__version__", ""))


def _installed(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""
