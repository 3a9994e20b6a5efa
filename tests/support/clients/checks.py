"""What must hold of a scenario's run: one function per sentence, for the test modules that go through the table.

Fed by `world.py`; feeds tests/stack/instrumentation/genai/test_model_clients.py and test_model_requests.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.wires.ask import TEXT
from support.wires.ledger import Truth, truth

from .scenario import SOUND, Scenario
from .world import Run, World

Runner = Callable[[Scenario], Run]

BY_LOT = {"host", "authorization", "idempotency-key", "amz-sdk-invocation-id", "amz-sdk-request", "x-amz-date"}
"""Headers that differ from one run to the next by themselves; Bedrock's signature has the time and the port."""
TRACED = {"traceparent", "tracestate", "baggage"}
"""Headers that the anthropic client adds by itself where OpenTelemetry is set up."""


def runner(tmp_path_factory: pytest.TempPathFactory, *, watched: bool) -> Iterator[Runner]:
    """Runs each scenario once, in the app of its environment, which is started at first use."""
    worlds: dict[str, World] = {}
    runs: dict[str, Run] = {}

    def run(scenario: Scenario) -> Run:
        if scenario.name not in runs:
            if scenario.env not in worlds:
                worlds[scenario.env] = World(tmp_path_factory.mktemp(scenario.env), scenario.env, watched=watched)
            runs[scenario.name] = worlds[scenario.env].run(scenario)
        return runs[scenario.name]

    yield run
    for world in worlds.values():
        world.end()


def told(scenario: Scenario, run: Run) -> Truth:
    return truth(run.records, joined=scenario.joined)


def is_what_the_server_sent(scenario: Scenario, run: Run) -> None:
    """The server and the driver are right: the client's own objects have the text and the tokens of the ledger."""
    assert "unknown" not in {record.wire for record in run.records}
    assert {record.mode for record in run.records if record.counts} == {scenario.mode}
    fact = told(scenario, run)
    if scenario.mode in SOUND:
        assert run.got["outcome"] == "ok", run.got
        assert (fact.calls, fact.failed) == (scenario.calls, int(scenario.mode == "refused" and not scenario.joined))
        assert run.got["text"] in ("", TEXT)
        for side in ("input", "output"):
            assert run.got[side] in (None, getattr(fact, side))
    if scenario.mode in ("fails", "late", "closed"):
        assert run.got["outcome"] != "ok" or (scenario.mode == "fails" and not scenario.raises)
        assert (fact.calls, fact.failed) == (1, 1)


def is_counted(scenario: Scenario, run: Run) -> None:
    """Calls, errors and tokens as counted are those of the ledger."""
    fact, seen = told(scenario, run), run.figures
    what = f"{run.got['outcome']}, attempts: {[(record.outcome, record.status) for record in run.records if record.counts]}"
    assert seen.calls == fact.calls, what
    if scenario.mode in ("garbage", "html"):
        # An answer came that is none: an error wherever the client says so, else the choice of whoever reads it.
        assert seen.errors in ((1,) if of_the_client(run) else (0, 1)), what
    else:
        assert seen.errors == fact.failed, what
    if fact.told:
        assert (seen.input, seen.output) == (fact.input, fact.output), what


def is_the_same(alone: Run, with_us: Run) -> None:
    """The app gets what it gets without us, and the server is asked in the same bytes."""
    assert with_us.got == alone.got
    assert [asked(request) for request in with_us.requests] == [asked(request) for request in alone.requests]


def has_its_first_chunk(run: Run) -> None:
    """The time to the first content is counted once per stream, and is no shorter than the server waited."""
    streamed = [record for record in run.records if record.counts and record.streamed and record.outcome == "ok"]
    assert run.figures.first_chunks == len(streamed)
    assert run.figures.first_chunk_seconds >= sum(record.waited for record in streamed)


def of_the_client(run: Run) -> bool:
    """Whether the exception was raised by the client, and not by the driver that used its answer."""
    return not run.got["outcome"].startswith(("ok", "builtins."))


def asked(request: dict[str, Any]) -> dict[str, Any]:
    """A request as far as it is the same each time; `stream_options` may be added to a stream, as the guide says."""
    agent = dict(request["headers"]).get("user-agent", "")
    left_out = BY_LOT | (TRACED if "Anthropic/" in agent else set())
    body = base64.b64decode(request["body"])
    if b'"stream":true' in body.replace(b" ", b"") and "chat/completions" in request["target"]:
        data = json.loads(body)
        data.pop("stream_options", None)
        body = json.dumps(data).encode()
        left_out = left_out | {"content-length"}
    headers = sorted(header for header in request["headers"] if header[0] not in left_out)
    return {"method": request["method"], "target": request["target"], "headers": headers, "body": body}
