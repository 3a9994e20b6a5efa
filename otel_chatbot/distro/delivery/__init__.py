"""From an exporter to its endpoint: the spool on disk, the sender, OTLP over HTTP, the trace file."""
