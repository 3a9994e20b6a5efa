"""Names of what operators' commands send: the round trip of `otel-chatbot doctor`, the marker of a deployment.

Fed by `semconv.spec`; feeds `cli`. The app itself records none of these. Deployments follow the semantic conventions for CI/CD
(`deployment.*`, in development).
"""

from __future__ import annotations

from enum import Enum

from .spec import Kind, MetricSpec

DOCTOR_SERVICE = "otel-chatbot-doctor"
"""The `service.name` of the round trip: the app's own figures stay clean."""
DOCTOR_TIME = MetricSpec("chatbot.doctor.time", Kind.GAUGE, "s", "When the doctor made its last round trip, since 1970")
DOCTOR_SPAN = "otel-chatbot doctor"

DEPLOYMENT_SPAN = "deployment"
DEPLOYMENT_EVENT = "deployment.finished"
DEPLOYMENT_NAME = "deployment.name"
DEPLOYMENT_STATUS = "deployment.status"
PREVIOUS_VERSION = "chatbot.deployment.previous_version"


class DeploymentStatus(str, Enum):
    """Values of `deployment.status`."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
