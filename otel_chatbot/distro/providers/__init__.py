"""The providers of the OpenTelemetry API, and what stands between them and the exporters."""
