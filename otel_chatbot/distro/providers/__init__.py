"""The providers of the OpenTelemetry API, and the processors between them and the exporters."""
