"""What is installed and who sets it up: versions and conflicts, distros, instrumentations, reloader and workers.

Fed by the installed packages and the environment; feeds `doctor.command`.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, distributions, entry_points, requires, version
from importlib.util import find_spec

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...distro.environment import SignalPlan
from ...distro.instrumentations import OURS, REPLACED
from ...distro.process.reloader import will_watch
from ...instrumentation.genai.libraries import AI_CLIENTS, AI_LIBRARIES
from .findings import Finding, failed, warning, well

_NAME = "otel-chatbot"
_PACKAGES = (
    _NAME, "opentelemetry-sdk", "opentelemetry-instrumentation", "flask", "pymongo", "redis", "cachelib", "openai", "gunicorn",
)  # fmt: skip
_OLDEST = (3, 10)
_NOT_WORTH = {"click", "jinja2", "structlog"}
"""Parts of Flask, of which the time says nothing of a chatbot; a library whose records come through logging."""
_NOT_THEIRS = {"pydantic"}
"""Libraries for which OpenTelemetry's list names the instrumentation of another one, which uses them."""


def versions() -> Iterator[Finding]:
    """What is installed, and what in a version that we do not support."""
    line = f"Python {platform.python_version()} on {platform.system()}"
    old = sys.version_info < _OLDEST
    yield failed("python", line, "Python 3.10 or newer is needed") if old else well("python", line)
    for name in _PACKAGES:
        try:
            yield well("version", f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    yield from _wrong_versions(_NAME, set())


def _wrong_versions(name: str, seen: set[str]) -> Iterator[Finding]:
    """What a package asks for and does not have, and so on for what it has of OpenTelemetry's."""
    for line in requires(name) or ():
        wanted = Requirement(line)
        if wanted.name in seen or (wanted.marker is not None and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(wanted.name)
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            yield failed("version", f"{wanted.name} is missing; {name} needs it", f"pip install '{wanted}'")
            continue
        if not wanted.specifier.contains(there, prereleases=True):
            yield failed(
                "version", f"{wanted.name} {there} is not supported; {name} needs {wanted.specifier}", f"pip install '{wanted}'"
            )
        if wanted.name.startswith("opentelemetry-"):
            yield from _wrong_versions(wanted.name, seen)


def winners() -> Iterator[Finding]:
    """Which distro and configurator OpenTelemetry's loader takes: the first that is found, or the one that is named."""
    for group, variable in (
        ("opentelemetry_distro", "OTEL_PYTHON_DISTRO"),
        ("opentelemetry_configurator", "OTEL_PYTHON_CONFIGURATOR"),
    ):
        names = [entry.name for entry in entry_points(group=group)]
        asked = os.environ.get(variable)
        kind = group.partition("_")[2]
        if asked and asked not in names:
            yield failed(
                kind, f"{variable}={asked} is not installed (installed: {', '.join(names)})", f"set {variable}=otel_chatbot"
            )
            continue
        winner = asked or (names[0] if names else "none")
        line = f"{kind}: {winner} (installed: {', '.join(names)})"
        if len(names) > 1 and not asked:
            packages = sorted({entry.dist.name for entry in entry_points(group=group) if entry.dist} - {_NAME})
            yield warning(
                f"second-{kind}", f"{line}: more than one is installed",
                f"set {variable}=otel_chatbot, or pip uninstall {' '.join(packages)}; ours is set up either way, after that one",
            )  # fmt: skip
        else:
            yield well(kind, line)


def instrumentations() -> Iterator[Finding]:
    """Which libraries are observed, which are switched off, and which lack their instrumentation."""
    plan = SignalPlan.from_env()
    for ours in OURS:
        if ours.by_name:
            continue
        if not _is_there(ours.library):
            yield well("instrumentation", f"{ours.library}: not installed")
        elif not plan.wants(ours.name):
            yield warning(
                "instrumentation-disabled", f"{ours.library}: off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
                f"take {ours.name} out of that variable",
            )  # fmt: skip
        else:
            yield well("instrumentation", f"{ours.library}: when it is imported")
    yield from _model_calls(plan)
    yield from _others()


def _model_calls(plan: SignalPlan) -> Iterator[Finding]:
    """What carries calls of models here, and whether they have prices."""
    if not plan.wants("genai"):
        yield warning(
            "instrumentation-disabled",
            "model calls: off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
            "take genai out of that variable",
        )
        return
    there = [name for name in AI_LIBRARIES if _is_there(name)]
    seen = [name for name in there if name not in AI_CLIENTS or plan.wants(name)]
    yield well("instrumentation", f"model calls: seen when these are imported: {', '.join(seen) or 'none is installed'}")
    if seen and not _is_there("genai_prices"):
        yield warning("prices-missing", "model calls have no prices", "pip install 'otel-chatbot[genai]'")


def _is_there(module: str) -> bool:
    """Whether a module can be imported; to look for it may take the import of the package around it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _others() -> Iterator[Finding]:
    """Libraries that OpenTelemetry could observe as well: nothing is wrong, but their calls are in no trace."""
    from opentelemetry.instrumentation.bootstrap_gen import libraries

    there = {canonicalize_name(found.metadata["Name"]) for found in distributions() if found.metadata["Name"]}
    missing = {}
    for one in libraries:
        wanted = Requirement(one["library"])
        package = Requirement(one["instrumentation"]).name
        name = canonicalize_name(wanted.name)
        if name in _NOT_THEIRS | _NOT_WORTH:
            continue
        ours = any(name == item.library for item in OURS) or package.rpartition("-")[2] in REPLACED
        if not ours and name in there and package not in there and wanted.specifier.contains(distribution(name).version, True):
            missing[name] = package
    if missing:
        yield well(
            "not-traced",
            f"could be traced too: {', '.join(sorted(missing))}: pip install {' '.join(sorted(set(missing.values())))}",
        )


def process(environ: Mapping[str, str]) -> Iterator[Finding]:
    """What the environment says of the process model: a reloader, workers, switches that turn everything off."""
    if SignalPlan.from_env(environ).disabled:
        yield failed("sdk-disabled", "OTEL_SDK_DISABLED=true: nothing is traced, logged or exported", "unset it")
    debugging = environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no")
    if debugging or will_watch(["flask", "run", *environ.get("FLASK_RUN_RELOAD", "").split()], environ):
        yield warning(
            "reloader", "FLASK_DEBUG is set: flask run watches with a second process, which exports nothing",
            "fine for development; leave it out in production",
        )  # fmt: skip
    workers = environ.get("WEB_CONCURRENCY", "")
    arguments = environ.get("GUNICORN_CMD_ARGS", "")
    if workers or arguments:
        yield well("workers", f"gunicorn: {' '.join(filter(None, [workers and f'WEB_CONCURRENCY={workers}', arguments]))}")
        if "--reload" in arguments.split():
            yield warning("reloader", "gunicorn reloads its workers when a file changes", "leave --reload out in production")
        if "gunicorn" in environ.get("SERVER_SOFTWARE", "") or not _is_there("gunicorn"):
            yield failed("workers", "gunicorn is not installed", "pip install gunicorn")
    else:
        yield well("workers", "nothing in the environment names workers or a reloader")
