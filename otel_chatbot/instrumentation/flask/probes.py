"""How probes and scrapes are told from the app's own requests: by their paths, and by a mark in the context of their spans.

Feeds the Flask hook, which counts them apart, and `distro.providers.probe_traces`, which drops their traces.
"""

from __future__ import annotations

from typing import Final

from opentelemetry import context as otel_context

ALWAYS: Final = frozenset({"/health", "/health/live", "/health/ready"})
"""The probes that answer whatever stands before the app's routes."""
PATHS: Final = ALWAYS | {"/health/detailed", "/metrics", "/metrics/json"}
"""The six paths of probes and scrapes, ours or the app's own."""

PROBE: Final = otel_context.create_key("otel_chatbot-probe")
"""True in the context of a probe's span and of the spans under it."""
