"""OTLP protobuf, written directly: spans, log records and metrics as bytes, redacted in the same pass.

Upstream builds a message object per attribute and serializes the tree; here a key and value that come again are kept as
bytes. Field numbers are those of opentelemetry-proto 1.x; tests compare every message with upstream's encoder.
"""
