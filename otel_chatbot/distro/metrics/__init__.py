"""The metrics of the whole app as OpenTelemetry's data, and their export by one process."""
