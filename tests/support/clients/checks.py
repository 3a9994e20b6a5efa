"""What must hold of a scenario's run: one function per sentence, for the test modules that go through the table.

Fed by `world.py`; feeds tests/stack/instrumentation/genai/test_model_clients.py and test_model_requests.py.
"""

from __future__ import annotations

import base64
import difflib
import json
import pprint
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.proofs import record_proof
from support.wires.ask import TEXT
from support.wires.ledger import Truth, truth

from .scenario import SOUND, Scenario
from .world import Run, World

Runner = Callable[[Scenario], Run]

BY_LOT = {"host", "authorization", "idempotency-key", "amz-sdk-invocation-id", "amz-sdk-request", "x-amz-date"}
"""Headers that differ from one run to the next by themselves; Bedrock's signature has the time and the port."""
TRACED = {"traceparent", "tracestate", "baggage"}
"""Headers that the anthropic client adds by itself where OpenTelemetry is set up."""


def runner(tmp_path_factory: pytest.TempPathFactory, *, watched: bool, proof: str = "") -> Iterator[Runner]:
    """Runs each scenario once, in the app of its environment, which is started at first use. `proof`: the title of what is kept."""
    worlds: dict[str, World] = {}
    runs: dict[str, Run] = {}
    scenarios: list[Scenario] = []

    def run(scenario: Scenario) -> Run:
        if scenario.name not in runs:
            if scenario.env not in worlds:
                worlds[scenario.env] = World(tmp_path_factory.mktemp(scenario.env), scenario.env, watched=watched)
            runs[scenario.name] = worlds[scenario.env].run(scenario)
            scenarios.append(scenario)
        return runs[scenario.name]

    yield run
    for world in worlds.values():
        world.end()
    if proof:
        keep_proof(proof, [(scenario, runs[scenario.name]) for scenario in scenarios])


def keep_proof(title: str, ran: list[tuple[Scenario, Run]]) -> None:
    """Keep the sums of what was counted beside those of the ledger. Tokens are those of the scenarios that told any."""
    facts = [(told(scenario, run), run.figures) for scenario, run in ran]
    tokens = [(fact, seen) for fact, seen in facts if fact.told]
    streams = [run for scenario, run in ran if scenario.streamed and scenario.mode == "plain"]
    record_proof(
        title,
        scenarios=len(ran),
        calls_of_the_server=sum(fact.calls for fact, _ in facts),
        calls_counted=int(sum(seen.calls for _, seen in facts)),
        scenarios_whose_calls_differ=sum(fact.calls != seen.calls for fact, seen in facts),
        input_tokens_of_the_server=sum(fact.input for fact, _ in tokens),
        input_tokens_counted=int(sum(seen.input for _, seen in tokens)),
        output_tokens_of_the_server=sum(fact.output for fact, _ in tokens),
        output_tokens_counted=int(sum(seen.output for _, seen in tokens)),
        streams_read_to_their_end=len(streams),
        first_chunks_timed=int(sum(run.figures.first_chunks for run in streams)),
    )


def told(scenario: Scenario, run: Run) -> Truth:
    return truth(run.records, joined=scenario.joined)


def is_what_the_server_sent(scenario: Scenario, run: Run) -> None:
    """The server and the driver are right: the client's own objects have the text and the tokens of the ledger."""
    assert "unknown" not in {record.wire for record in run.records}
    assert {record.mode for record in run.records if record.counts} == {scenario.mode}
    fact = told(scenario, run)
    what = f"{run.got}\ntruth {fact}"
    if scenario.mode in SOUND:
        assert run.got["outcome"] == "ok", run.got
        assert (fact.calls, fact.failed) == (scenario.calls, int(scenario.mode == "refused" and not scenario.joined)), what
        assert run.got["text"] in ("", TEXT), what
        for side in ("input", "output"):
            assert run.got[side] in (None, getattr(fact, side)), what
    if scenario.mode in ("fails", "late", "closed"):
        assert run.got["outcome"] != "ok" or (scenario.mode == "fails" and not scenario.raises), what
        assert (fact.calls, fact.failed) == (1, 1), what


def is_counted(scenario: Scenario, run: Run) -> None:
    """Calls, errors and tokens as counted are those of the ledger."""
    fact, seen = told(scenario, run), run.figures
    what = f"{run.got['outcome']}, attempts: {[(record.outcome, record.status) for record in run.records if record.counts]}"
    what = f"{what}\nseen {seen}\ntruth {fact}"
    assert seen.calls == fact.calls, what
    if scenario.mode in ("garbage", "html"):
        # An answer came that is none: an error wherever the client says so, else the choice of whoever reads it.
        assert seen.errors in ((1,) if of_the_client(run) else (0, 1)), what
    else:
        assert seen.errors == fact.failed, what
    if fact.told:
        assert (seen.input, seen.output) == (fact.input, fact.output), what


def is_the_same(scenario: Scenario, alone: Run, with_us: Run) -> None:
    """The app gets what it gets without us, and the server is asked in the same bytes."""
    same(with_us.got, alone.got)
    if "batch" in scenario.interface:  # asked at the same time, so in any order
        same(sorted(map(repr, accepted(with_us))), sorted(map(repr, accepted(alone))))
    else:
        same(accepted(with_us), accepted(alone))


def has_its_first_chunk(run: Run) -> None:
    """The time to the first content is counted once per stream, and is no shorter than the server waited."""
    streamed = [record for record in run.records if record.counts and record.streamed and record.outcome == "ok"]
    waited = sum(record.waited for record in streamed)
    assert run.figures.first_chunks == len(streamed), f"{run.figures}, {len(streamed)} streams"
    assert run.figures.first_chunk_seconds >= waited, f"{run.figures}, the server waited {waited}"


def of_the_client(run: Run) -> bool:
    """Whether the exception was raised by the client, and not by the driver that used its answer."""
    return not run.got["outcome"].startswith(("ok", "builtins."))


def same(with_us: Any, alone: Any) -> None:
    """Equal; else the lines that differ are in the error."""
    lines = difflib.unified_diff(
        pprint.pformat(alone).splitlines(), pprint.pformat(with_us).splitlines(), "alone", "with us", n=1
    )
    assert with_us == alone, "\n".join(lines)


def accepted(run: Run) -> list[dict[str, Any]]:
    """The requests but for those with `stream_options` that an endpoint does not know: the package asks again without."""
    refused = [record.status == 400 for record in run.records] or [False] * len(run.requests)
    return [asked(request) for request, gone in zip(run.requests, refused, strict=False) if not gone]


def asked(request: dict[str, Any]) -> dict[str, Any]:
    """A request as far as it is the same each time; `stream_options` may be added to a stream, as the guide says."""
    left_out = BY_LOT | (TRACED if {"anthropic-version", "x-stainless-lang"} <= dict(request["headers"]).keys() else set())
    body = base64.b64decode(request["body"])
    if b'"stream":true' in body.replace(b" ", b"") and "/completions" in request["target"]:
        data = json.loads(body)
        data.pop("stream_options", None)
        body = json.dumps(data).encode()
        left_out = left_out | {"content-length"}
    if dict(request["headers"]).get("user-agent", "").startswith("Boto3/"):
        left_out = left_out | {"user-agent"}  # it lists what the client has done in the order of a set
    headers = sorted(header for header in request["headers"] if header[0] not in left_out)
    return {"method": request["method"], "target": request["target"], "headers": headers, "body": body}
