"""`otel-chatbot mark deploy --version 2.0 --previous 1.9`: records a deployment or a rollback as a span with an event.

Deployment scripts call it. The span goes to OTEL_EXPORTER_OTLP_ENDPOINT, or to the trace file where that is not set.
"""

from __future__ import annotations

import os
import sys

from ..semconv import attributes as a
from ..semconv import operations as o


def mark(action: str, version: str, previous: str, *, failed: bool) -> int:
    """Send the marker; 1 when tracing is off."""
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if a.SERVICE_VERSION not in attributes:
        os.environ["OTEL_RESOURCE_ATTRIBUTES"] = ",".join(filter(None, [attributes, f"{a.SERVICE_VERSION}={version}"]))
    from opentelemetry import trace

    from ..distro import instrument
    from ..distro.state import SETUP

    instrument()
    status = o.DeploymentStatus.FAILED if failed else o.DeploymentStatus.SUCCEEDED
    told = {o.DEPLOYMENT_NAME: action, o.DEPLOYMENT_STATUS: status.value, a.SERVICE_VERSION: version}
    if previous:
        told[o.PREVIOUS_VERSION] = previous
    with trace.get_tracer("otel_chatbot").start_as_current_span(o.DEPLOYMENT_SPAN, attributes=told) as span:
        if not span.is_recording():
            print("no span was recorded: OTEL_SDK_DISABLED is set, or the sampler dropped it", file=sys.stderr)
            return 1
        span.add_event(o.DEPLOYMENT_EVENT, told)
    SETUP.shutdown.run()
    print(f"marked: {action} {version}")
    return 0
