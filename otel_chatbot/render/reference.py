"""The reference pages of metrics and settings, from the tables themselves.

Fed by `semconv.metrics` and `config`; feeds `docs/reference/metrics.md` and `docs/reference/settings.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field
from enum import Enum
from typing import Any

from .. import config
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv.spec import Kind, MetricSpec, label_name

_HEADER = "<!-- Written by `otel-chatbot render`: change otel_chatbot/ instead. -->\n"

_SIXTEEN = """\
Each is an object of the package: `from otel_chatbot import messages_sent`. Its series without attributes is there from the
start, at 0.
"""

_SETTINGS = f"""\
Settings are environment variables. Wherever OpenTelemetry has one of its own (`OTEL_SERVICE_NAME`,
`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_EXPORTER`, `OTEL_METRIC_EXPORT_INTERVAL` and so on), that one is used; these are the
others. A value that cannot be used warns, with its name and the remedy, and the default stays; so does an unknown name that
begins with `{config.PREFIX}`. An empty value means the default. `otel-chatbot doctor` says what is set.
"""

_COUNTING = """\
## How events are counted

- **Requests**: every one that reaches the app (404, 405, OPTIONS and static files too), less the six routes of health and
  metrics and what `OTEL_PYTHON_FLASK_EXCLUDED_URLS` excludes. Their time ends with the last byte of the answer.
- **Errors**: at most one a request, by what the client got: a 5xx answer, or one that broke off. An answer below 500 is none,
  whatever was raised inside; a teardown that raises before a byte was sent is a 500. A failed AI call is one error; a 5xx answer
  that it causes in the same request is not a second one. A client that goes away is none. A client library's own retries are
  one call.
- **Websockets**: a connection that ended well counts once, when it ends, under status 101, and is no error, on every server. How
  long it was open is in `http.server.request.duration` under 101 alone: `chatbot.response.time` and `chatbot.turn.time`, which
  alerts and dashboards ask for latency, leave it out. Leave 101 out too where you ask the former for latency.
- **MongoDB**: each command that succeeded or failed, getMore and each retry included; not hello, isMaster, sasl*, authenticate,
  endSessions and killCursors.
- **Conversations and messages**: documents whose insertion was acknowledged, upserts that created one too; in a transaction,
  when it commits; and messages added to a conversation's document. They are recognised by their shape: a message says who
  speaks and what, an exchange holds a question and its answer, a conversation an array of either. Names of collections break
  ties. [The whole rule](../explanation/exactness.md#what-counts-as-a-chat) says what is no chat, and which settings override it.
- **Where nothing is stored**, the model tells: a request that got an answer from a model, ended below 400 and stored no message
  counts one sent and one received, however often it asked. [The whole
  rule](../explanation/exactness.md#where-nothing-is-stored); `CHATBOT_OTEL_AUTO_OFF=messages_from_model` switches it off.
- **Writes without acknowledgement** (`w=0`): inserts count what was sent, for MongoDB does not even tell of a duplicate; updates,
  upserts and replacements count nothing, for nobody says what they changed.
- **Cache reads**: GET, GETEX, GETDEL, MGET, HGET, HMGET and HGETALL: a hit or a miss for each key asked, in pipelines too. A
  pipeline is one observation of the operation time.
- **What the cache saves**: an answer from the cache (a cache hit and a stored message of the assistant in a request that asked no
  model) saves the last known cost of a call: of the model that was asked last on the same route, for the same model where the
  request names one (`model` in JSON, form or query). [Details](../guides/cost.md#of-the-model).
- **What the package itself sends** counts nowhere.
- **One event counts once**: in each request (outside of one, in each thread or task) automatic events and calls by hand are
  counted apart, and the larger of the two is recorded.
- **Over several processes**: gauges that are moved are summed, gauges that are set hold the latest value; active users and
  conversations are the union of what all have seen.

## Where they can be read

- `GET /metrics` and `GET /metrics/json` of any worker answer for the whole app; `/metrics` in OpenMetrics carries exemplars.
- Over OTLP they leave once for all workers; a histogram appears with its first observation.
- Prometheus' names are the same on both ways. A counter's ends with `_total`; a histogram has `_bucket`, `_sum`, `_count`.
- A metric has at most `CHATBOT_OTEL_SERIES_LIMIT` series; what goes beyond is added to one with `otel_metric_overflow="true"`.
"""


def files() -> dict[str, str]:
    """The two pages."""
    return {"docs/reference/metrics.md": metrics_page(), "docs/reference/settings.md": settings_page()}


def metrics_page() -> str:
    """Every metric: names, unit, attributes, what is counted, edges."""
    own = [spec for spec in m.ALL if spec not in m.CHATBOT and spec.name.startswith("chatbot.")]
    convention = [spec for spec in m.ALL if spec not in m.CHATBOT and spec not in own]
    return "\n".join(
        [
            _HEADER + "# Metrics\n",
            "## The sixteen chatbot metrics\n",
            _SIXTEEN,
            *_metrics(m.CHATBOT, with_python=True),
            "## Beside them\n",
            *_metrics(own),
            "## OpenTelemetry's conventions\n",
            *_metrics(convention),
            "## Attributes\n",
            "In Prometheus, the dots are underscores: `db.system.name` is the label `db_system_name`. Some have fixed values:\n",
            *_values(),
            "## Edges of the histograms\n",
            *_edges(),
            _COUNTING,
        ]
    )


def settings_page() -> str:
    """Every setting: variable, default, meaning."""
    rows = [(f"`{config.env_name(field)}`", _default(field), _meaning(field)) for field in config.fields()]
    return "\n".join(
        [
            _HEADER + "# Settings\n",
            _SETTINGS,
            *_table(("Variable", "Default", "Meaning"), rows),
        ]
    )


def _metrics(specs: Iterable[MetricSpec], with_python: bool = False) -> list[str]:
    head = (("Python",) if with_python else ()) + ("OpenTelemetry", "Kind", "Unit", "Prometheus", "Attributes", "What it says")
    rows = []
    for spec in specs:
        kind = "up-down counter" if spec.kind is Kind.UP_DOWN_COUNTER else spec.kind.value
        attributes = ", ".join(f"`{name}`" for name in spec.attributes) or "none"
        row = (f"`{spec.name}`", kind, f"`{spec.unit}`", f"`{spec.prometheus}`", attributes, spec.description.rstrip("."))
        rows.append(((f"`{spec.python}`",) if with_python else ()) + row)
    return _table(head, rows)


_CLOSED: Mapping[str, type[Enum]] = {
    a.DB_SYSTEM: a.DbSystem,
    a.CONNECTION_STATE: a.ConnectionState,
    a.PHASE: a.Phase,
    a.SIGNAL: a.Signal,
    a.REASON: a.DropReason,
}


def _values() -> list[str]:
    rows = [
        (f"`{name}`", f"`{label_name(name)}`", ", ".join(f"`{one.value}`" for one in values))
        for name, values in _CLOSED.items()
    ]
    return _table(("Attribute", "Label", "Values"), rows)


def _edges() -> list[str]:
    by_edges: dict[tuple[float, ...], list[MetricSpec]] = {}
    for spec in m.ALL:
        if spec.buckets:
            by_edges.setdefault(spec.buckets, []).append(spec)
    rows = [
        (", ".join(f"`{spec.name}`" for spec in specs), ", ".join(f"{edge:.15g}" for edge in edges))
        for edges, specs in by_edges.items()
    ]
    return _table(("Histograms", "Edges, in the metric's unit"), rows)


def _default(field: Field[Any]) -> str:
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, float):
        value = f"{value:g}"
    return f"`{value}`" if value != "" else "none"


def _meaning(field: Field[Any]) -> str:
    brief = re.sub(r"<\w+>\S*|[^\s,]*\[[^\s,]*", r"`\g<0>`", str(field.metadata["brief"]))
    return brief[:1].upper() + brief[1:] + (". Shown nowhere" if field.metadata["secret"] else "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines] + [""]
