"""Names, values and texts that are hostile everywhere: each page shows them as text, and nothing of them is executed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from playwright.sync_api import expect
from support.browser import page as browser_page
from support.viewer import SECOND, Viewer, chat, log_request, pairs, trace_request

HOSTILE = "</title><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\">"
PATIENCE = 60_000
TRACE = f"{1:032x}"
PAGES = {
    "/now?window=0": ".figure",
    "/conversations": ".conversations a",
    f"/conversations/{quote(HOSTILE, safe='')}": ".turn",
    "/traces": ".traces a",
    f"/traces/{TRACE}": ".waterfall",
    f"/traces/{TRACE}?with={2:032x}": ".differences",
    f"/traces?text={quote('owned')}": ".traces a",
    "/logs": ".lines li",
    f"/logs?logger={quote(HOSTILE)}&text=owned": "h1",
    "/errors": ".errors a",
    "/metrics": ".metrics a",
    f"/metrics/{quote(HOSTILE, safe='')}": "tbody tr",
}
"""Addresses, each with what is there once the page has its answer."""


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    with Viewer(tmp_path) as viewer:
        assert viewer.post("/v1/traces", trace_request(*spans(1), *spans(2), service=HOSTILE))[0] == 200
        line = {
            "body": HOSTILE,
            "trace": 1,
            "span": 1,
            "level": 17,
            "attributes": {HOSTILE: HOSTILE, "exception.type": HOSTILE},
        }
        assert viewer.post("/v1/logs", log_request(line, service=HOSTILE))[0] == 200
        assert viewer.post("/v1/metrics", metric())[0] == 200
        yield viewer


def spans(number: int) -> list[dict[str, object]]:
    told = chat(number, number, conversation=HOSTILE, failed=True)
    for span in told:
        span["name"] = HOSTILE
        span["events"] = [(HOSTILE, {HOSTILE: HOSTILE})]
        span["attributes"] |= {HOSTILE: HOSTILE, "error.type": HOSTILE, "user.hash": HOSTILE, "http.route": HOSTILE}
    told[-1]["attributes"] |= {
        "gen_ai.request.model": HOSTILE,
        "gen_ai.input.messages": HOSTILE,
        "gen_ai.output.messages": HOSTILE,
        "gen_ai.provider.name": HOSTILE,
    }
    return told


def metric() -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    group.resource.attributes.extend(pairs({"service.name": HOSTILE}))
    one = group.scope_metrics.add().metrics.add(name=HOSTILE, unit=HOSTILE, description=HOSTILE)
    one.sum.is_monotonic = True
    one.sum.aggregation_temporality = 2  # type: ignore[assignment]
    now = time.time_ns()
    one.sum.data_points.add(
        start_time_unix_nano=now - SECOND, time_unix_nano=now, as_double=3.0, attributes=pairs({HOSTILE: HOSTILE})
    )
    return message


def test_whatever_is_hostile_is_shown_as_text_on_every_page(viewer: Viewer) -> None:
    with browser_page() as page:
        refused: list[str] = []
        page.on("console", lambda line: refused.append(line.text) if "Content Security Policy" in line.text else None)
        for path, content in PAGES.items():
            page.goto(viewer.url + path)
            expect(page.locator(content).first).to_be_visible(timeout=PATIENCE)
            for row in page.locator("main button.row").all():
                row.click()
            assert page.locator("main script, main img, main svg[onload]").count() == 0, path
            assert page.title().endswith(" · otel-chatbot"), path
        page.goto(f"{viewer.url}/traces/{TRACE}")
        expect(page.locator("h1")).to_contain_text(HOSTILE, timeout=PATIENCE)
        assert refused == []
