"""An app that answers in every way there is, with the Flask hooks alone, and tells at `/_state` what they counted.

Started by `test_flask_servers` under real servers: `python streaming_app.py PORT`, or as `streaming_app:app` by gunicorn.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time

os.environ["OTEL_PYTHON_FLASK_EXCLUDED_URLS"] = "_state"

from flask import Flask, Response, jsonify, request, send_file, stream_with_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_chatbot.instrumentation.flask import hooks
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

exporter = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
hooks.instrument()

app = Flask("streaming")
access: list[dict[str, object]] = []


class Keep(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields = ("endpoint", "status", "bytes", "duration_ms", "aborted")
        access.append({name: getattr(record, name, None) for name in fields})


logging.getLogger("chatbot.access").addHandler(Keep())

_file = tempfile.NamedTemporaryFile(suffix=".bin")  # noqa: SIM115 - lives as long as the process
_file.write(b"x" * 1_000_000)
_file.flush()


@app.get("/plain")
def plain() -> str:
    return "plain"


@app.get("/slow")
def slow() -> Response:
    seconds = float(request.args["seconds"])

    def events():
        tracer = trace.get_tracer("app")
        for number in range(5):
            time.sleep(seconds / 5)
            with tracer.start_as_current_span(f"chunk {number}"):
                yield f"data: {number}\n\n"

    return Response(stream_with_context(events()), mimetype="text/event-stream")


@app.get("/endless")
def endless() -> Response:
    def chunks():
        while True:
            time.sleep(0.01)
            yield b"x" * 65536

    return Response(chunks())


@app.get("/half")
def half() -> Response:
    def chunks():
        yield b"half"
        raise OverflowError("in the middle")

    return Response(chunks())


@app.get("/file")
def file() -> Response:
    return send_file(_file.name)


@app.get("/_state")
def state() -> Response:
    def of(spec):
        return [[list(key), series.read()] for key, series in list(STORE.instrument(spec).series.items()) if any(series.read())]

    return jsonify(
        requests=of(m.API_REQUESTS),
        response_time=of(m.RESPONSE_TIME),
        duration=of(m.HTTP_SERVER_DURATION),
        errors=of(m.ERRORS),
        active=of(m.HTTP_SERVER_ACTIVE),
        access=access,
        spans=[
            {
                "name": span.name,
                "seconds": (span.end_time - span.start_time) / 1e9,
                "parent": span.parent and span.parent.span_id,
                "id": span.context.span_id,
                "attributes": dict(span.attributes),
                "status": span.status.status_code.name,
            }
            for span in exporter.get_finished_spans()
        ],
    )


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), threaded=True)
