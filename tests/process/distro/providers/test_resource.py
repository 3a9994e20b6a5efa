"""Who the app is, from the standard variables: decoded once, and the same on every signal, in forked workers too."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.distro import APP, App, instrumented
from support.process import BIN

from otel_chatbot.testing import OtlpSink, attributes

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "300"}
GUNICORN = instrumented(str(BIN / "gunicorn"), "-w", "1", "-b", "127.0.0.1:{port}", "app:app")
CASES = [
    (
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=my%20bot,service.instance.id=pod%2Fa%3D1,team=a%2Cb,service.version=1%2B2"},
        {"service.name": "my bot", "service.instance.id": "pod/a=1", "team": "a,b", "service.version": "1+2"},
    ),
    (
        {"OTEL_RESOURCE_ATTRIBUTES": "service.name=other%20bot,team=%25C3", "OTEL_SERVICE_NAME": "100%25 bot"},
        {"service.name": "100%25 bot", "team": "%C3"},  # the name's own variable is not encoded
    ),
    ({"OTEL_RESOURCE_ATTRIBUTES": "service.version=1.0,team=50%,=x"}, {"service.version": "1.0", "team": "50%"}),
    ({"OTEL_RESOURCE_ATTRIBUTES": "team=%E2%98%95%20%C3%A9,zone= a%09b "}, {"team": "☕ é", "zone": "a\tb"}),
]


def resources(sink: OtlpSink) -> dict[str, list[dict[str, Any]]]:
    """The resource of everything that has arrived, by signal."""
    return {
        "traces": [resource for resource, _ in sink.spans_with_resource()],
        "metrics": [resource for resource, _ in sink.metrics()],
        "logs": [attributes(group.resource.attributes) for message in sink._of("/v1/logs") for group in message.resource_logs],
    }


@pytest.mark.parametrize("command", [[], GUNICORN], ids=["werkzeug", "gunicorn"])
@pytest.mark.parametrize(("env", "wanted"), CASES, ids=["escapes", "service name", "bad items", "other scripts"])
def test_every_signal_says_the_same(
    tmp_path: Path, otlp_sink: OtlpSink, env: Mapping[str, str], wanted: Mapping[str, str], command: list[str]
) -> None:
    given = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.endpoint, **env}
    with App(tmp_path, given, APP, command or instrumented(sys.executable, "app.py")) as app:
        app.wait(lambda: all(resources(otlp_sink).values()), "all signals")
        shown = [line for line in app.get("/metrics")[1].splitlines() if line.startswith("target_info{")]
        app.end()
    for signal, found in resources(otlp_sink).items():
        assert {name: {resource.get(name) for resource in found} for name in wanted} == {
            name: {value} for name, value in wanted.items()
        }, signal
    for name, value in wanted.items():
        if name != "service.instance.id":
            assert f'{name.replace(".", "_")}="{value}"' in shown[0]
