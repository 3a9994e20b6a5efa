"""`otel-chatbot top` in a real terminal (tmux): its screen is what the viewer's store says, its keys open traces."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from support.process import clean_env, program
from support.terminal import Terminal
from support.viewer import SECOND, Viewer, chat, log_request, pairs, trace_request

from otel_chatbot.semconv import metrics as m

COMMAND = [sys.executable, program("otel-chatbot", "run `make setup`"), "top"]
TURNS = {1: 0.003, 2: 0.02, 3: 0.001}
"""The ledger: what each turn cost."""


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """A viewer to which three turns were sent, the second one failed, and some figures."""
    with Viewer(tmp_path_factory.mktemp("top")) as viewer:
        for number, cost in TURNS.items():
            status, _ = viewer.post("/v1/traces", trace_request(*chat(number, number, failed=number == 2, cost=cost)))
            assert status == 200
        hostile = {"body": "said \x1b]0;owned\x07\x1b[2J", "trace": 2, "span": 1, "at": 2.1, "level": 17}
        assert viewer.post("/v1/logs", log_request(hostile))[0] == 200
        assert viewer.post("/v1/metrics", figures())[0] == 200
        yield viewer


def figures() -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    group = message.resource_metrics.add()
    group.resource.attributes.extend(pairs({"service.name": "shop", "service.instance.id": "shop-1"}))
    now = time.time_ns()
    for spec, value in ((m.API_REQUESTS, 1234.0), (m.ERRORS, 37.0), (m.AI_COST, 0.024), (m.MESSAGES_SENT, 3.0)):
        metric = group.scope_metrics.add().metrics.add(name=spec.name, unit=spec.unit)
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = 2  # type: ignore[assignment]
        metric.sum.data_points.add(start_time_unix_nano=now - 60 * SECOND, time_unix_nano=now, as_double=value)
    return message


@pytest.fixture
def terminal(viewer: Viewer, tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, *COMMAND, "--viewer", viewer.url) as one:
        yield one


def test_the_screen_says_what_the_store_says_and_keys_sort_and_open(viewer: Viewer, terminal: Terminal) -> None:
    screen = terminal.wait("Requests            1,234", "POST /chat")
    told = {one["title"]: one["value"] for one in viewer.ask("now")["figures"]}
    assert (told["Requests"], told["Errors"], told["Cost"]) == (1234.0, 37.0 / 1234.0, 0.024)
    for text in (
        "Errors              3.0 %",
        "Cost                $0.0240",
        "Messages sent       3 ",
        "Health              \N{EN DASH}",
    ):
        assert text in screen
    turns = [line for line in screen.splitlines() if "POST /chat" in line and "gpt-4o-mini" in line]
    assert [line.split()[-1] for line in turns] == ["$0.00100", "$0.0200", "$0.00300"], "the newest first"
    assert [" 502 " in line for line in turns] == [False, True, False]
    errors = {(one["kind"], one["place"], one["count"]) for one in viewer.ask("errors")["problems"]}
    assert errors == {("error", "POST /chat", 1), ("InternalServerError", "chat gpt-4o-mini", 1), ("error", "shop.views", 1)}
    for kind, place, _ in errors:
        assert any(kind in line and place in line for line in screen.splitlines())

    terminal.press("c")
    terminal.wait("Cost [c]▾")
    turns = [line for line in terminal.screen().splitlines() if "POST /chat" in line and "gpt-4o-mini" in line]
    assert [line.split()[-1] for line in turns] == ["$0.0200", "$0.00300", "$0.00100"]
    terminal.press("Enter")
    screen = terminal.wait(f"trace {2:032x} · 3 spans · 1 log lines · shop · conversation talk", "shop.find", "450 ms")
    assert "ERROR shop.views: said ·]0;owned··[2J" in screen
    assert terminal.title() != "owned"
    terminal.press("Escape")
    terminal.wait("Requests            1,234")
    terminal.press("q")
    terminal.wait("ended with 0")


def test_what_is_new_appears_and_a_viewer_that_goes_away_is_said(tmp_path: Path) -> None:
    with Viewer(tmp_path / "viewer") as viewer, Terminal(tmp_path, *COMMAND, "--viewer", viewer.url) as terminal:
        terminal.wait("Started", "Requests            \N{EN DASH}")
        viewer.post("/v1/traces", trace_request(*chat(5, 5)))
        terminal.wait("POST /chat")
        viewer.process.end()
        assert "POST /chat" in terminal.wait("does not answer")
        terminal.press("q")
        terminal.wait("ended with 0")


def test_without_a_terminal_or_a_viewer_it_is_one_line(tmp_path: Path) -> None:
    for more, words in (([], "needs a terminal"), (["--viewer", "file:///etc/passwd"], "is no address")):
        done = subprocess.run(
            [*COMMAND, *more],
            cwd=tmp_path,
            env=clean_env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert words in line
