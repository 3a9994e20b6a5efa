"""The resource, which names the sender: one for a process's spans and logs, one for the metrics of the whole app.

Fed by the environment, the command line and the settings; feeds `distro.providers.global_providers` and `distro.metrics.export`.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from ... import config
from ...logs.errors import encodable
from ...logs.redaction import policy
from ...semconv import attributes as a
from ..delivery.otlp_values import fit
from ..environment import SignalPlan
from ..sdk_private import resource_of

_SERVERS = frozenset({"flask", "gunicorn", "waitress-serve", "uwsgi", "hypercorn", "uvicorn", "granian"})
_OPTIONS_WITH_APP = frozenset({"--app", "-A"})
_PROCESS_PREFIX = a.PROCESS_PID.partition(".")[0] + "."


class HashedOnceResource(Resource):
    """A resource that keeps its hash: upstream's encoder hashes it for every span, and the SDK writes JSON for each hash."""

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)

    def merge(self, other: Resource) -> Resource:
        """Both merged, in this class: after a fork the SDK merges the changed attributes into the resource."""
        merged = super().merge(other)
        return HashedOnceResource(merged.attributes, merged.schema_url)


def package_version() -> str:
    """The version of this package; empty when it is not installed."""
    try:
        return version("otel-chatbot")
    except PackageNotFoundError:
        return ""


def process_resource(plan: SignalPlan, auto_version: str = "") -> Resource:
    """The resource of this process's spans and logs. Attributes from the user's environment win."""
    found = {
        a.SERVICE_NAME: service_name(sys.orig_argv[1:], os.environ.get("FLASK_APP", "")),
        a.SERVICE_VERSION: service_version(),
        a.DEPLOYMENT_ENVIRONMENT_NAME: config.current().environment,
        a.HOST_NAME: platform.node(),
        a.HOST_ARCH: platform.machine(),
        a.PROCESS_RUNTIME_NAME: sys.implementation.name,
        a.PROCESS_RUNTIME_VERSION: platform.python_version(),
        a.TELEMETRY_DISTRO_NAME: "otel-chatbot",
        a.TELEMETRY_DISTRO_VERSION: package_version(),
        a.TELEMETRY_AUTO_VERSION: auto_version,
    }
    attributes = {name: value for name, value in found.items() if value and name not in plan.resource_attributes}
    return _redacted(Resource.create({**attributes, a.PROCESS_PID: os.getpid()}))


def adopted_resource(ours: Resource) -> Resource:
    """Our resource; if somebody else has set an SDK provider, that provider's attributes win."""
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
        if isinstance(provider, TracerProvider | MeterProvider):
            theirs = dict(resource_of(provider).attributes)
            if str(theirs.get(a.SERVICE_NAME, "")).startswith("unknown_service"):
                del theirs[a.SERVICE_NAME]
            return _redacted(ours.merge(Resource(theirs)))
    return ours


def _redacted(resource: Resource) -> Resource:
    """A resource without secrets that can be encoded: detectors and the environment may bring command lines and any bytes."""
    redactor = policy()
    kept = {encodable(name): fit(redactor.value(name, value)) for name, value in resource.attributes.items()}
    return HashedOnceResource(kept, resource.schema_url)


def app_resource(process: Resource, plan: SignalPlan, run_identity: str) -> Resource:
    """The resource of the whole app's metrics: no attribute of one process, and an instance id that outlives workers."""
    kept = {name: value for name, value in process.attributes.items() if not name.startswith(_PROCESS_PREFIX)}
    kept[a.SERVICE_INSTANCE_ID] = fit(plan.resource_attributes.get(a.SERVICE_INSTANCE_ID)) or run_identity
    return Resource(kept, process.schema_url)


def service_name(arguments: Sequence[str], flask_app: str = "") -> str:
    """A name for the app from its command line: the script, the module of `-m`, or the app that a server was given."""
    words = list(arguments)
    while words and words[0].startswith("-") and words[0] != "-m":
        option = words.pop(0)
        if option in ("-W", "-X"):
            words = words[1:]
        elif option in ("-c", "-"):
            words = []
    if words and words[0] == "-m":
        words = words[1:]
        first = words[0] if words else "python"
    else:
        first = Path(words[0]).stem if words else "python"
    if first not in _SERVERS:
        return first
    return _app_of(words[1:]) or _module(flask_app) or first


def service_version() -> str:
    """The text of a `VERSION` file in the working directory; empty without one."""
    try:
        return Path("VERSION").read_text(encoding="utf-8").strip()[:100]
    except (OSError, UnicodeDecodeError):
        return ""


def _app_of(words: Sequence[str]) -> str:
    for option, value in pairwise(words):
        if option in _OPTIONS_WITH_APP:
            return _module(value)
    for word in words:
        if word.startswith("--app="):
            return _module(word.partition("=")[2])
        module, _, attribute = word.partition(":")
        if module.replace(".", "_").isidentifier() and attribute.partition("(")[0].isidentifier():
            return _module(word)
    return ""


def _module(app: str) -> str:
    module = app.partition(":")[0]
    return Path(module).stem if module.endswith(".py") else module
