"""The standard `OTEL_*` variables: what is wrong with their values, and what is used instead.

Fed by the environment; feeds `mending`, which runs before OpenTelemetry reads them, and `doctor`. OpenTelemetry raises for a
bad value, some of it while it is imported. Nothing in this room imports OpenTelemetry.
"""
