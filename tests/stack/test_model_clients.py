"""Every call of a model counts, whichever client makes it: real clients against a server that speaks the real wires.

Each scenario of `support/clients/table.py` runs in a request of its own, once in an app without this package and once under
it. Calls, errors and tokens as counted are those of the server's ledger; the app gets what it gets without us, and the server
is sent the same bytes.

While working on one client, run its scenarios alone; names are client-interface-mode:

    pytest tests/stack/test_model_clients.py -k anthropic
    pytest tests/stack/test_model_clients.py -k 'counted and openai-chat_stream-plain'
    pytest tests/stack/test_model_clients.py -k 'without' # the server and the drivers, without this package

The first run installs requirements/clients.txt into .cache/clients-venv (and the older ones into .cache/clients-older-venv).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.clients.scenario import SOUND, Scenario
from support.clients.table import SCENARIOS
from support.clients.world import Run, World
from support.wires.ask import TEXT
from support.wires.ledger import Truth, truth

EACH = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
BY_LOT = {
    "x-stainless-read-timeout", "idempotency-key", "amz-sdk-invocation-id", "x-amz-date", "amz-sdk-request", "authorization",
    "host", "x-goog-api-client-trace",
}  # fmt: skip
"""Headers that differ from one run to the next by themselves."""

Runner = Callable[[Scenario], Run]


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


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=False)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=True)


def told(scenario: Scenario, run: Run) -> Truth:
    return truth(run.records, joined=scenario.joined)


@EACH
def test_a_client_without_us_gets_what_the_server_says_it_sent(scenario: Scenario, without: Runner) -> None:
    run = without(scenario)
    assert {record.wire for record in run.records} - {"unknown"}, run.got
    assert "unknown" not in {record.wire for record in run.records}
    assert {record.mode for record in run.records if record.counts} == {scenario.mode}
    fact = told(scenario, run)
    if scenario.mode in SOUND:
        assert run.got["outcome"] == "ok", run.got
        assert (fact.calls, fact.failed) == (scenario.calls, int(scenario.mode == "refused" and not scenario.joined))
        assert run.got["text"] in ("", TEXT)
        for side in ("input", "output"):
            assert run.got[side] in (None, getattr(fact, side))
    elif scenario.raises:
        assert run.got["outcome"] != "ok"
        assert fact.calls == 1
    if scenario.mode in ("fails", "late", "closed"):
        assert (fact.calls, fact.failed) == (1, 1)


@EACH
def test_calls_errors_and_tokens_are_counted_as_the_server_knows_them(scenario: Scenario, watched: Runner) -> None:
    run = watched(scenario)
    fact, seen = told(scenario, run), run.figures
    what = f"{run.got['outcome']}, attempts: {[(record.outcome, record.status) for record in run.records if record.counts]}"
    assert seen.calls == fact.calls, what
    if scenario.mode in ("garbage", "html"):
        # The answer came, and was no answer: an error wherever the client says so, else the reader's choice.
        assert seen.errors in ((1,) if of_the_client(run) else (0, 1)), what
    else:
        assert (seen.errors, seen.input, seen.output) == (fact.failed, fact.input, fact.output), what


@EACH
def test_the_app_gets_what_it_gets_without_us_and_the_server_is_asked_in_the_same_bytes(
    scenario: Scenario, without: Runner, watched: Runner
) -> None:
    alone, with_us = without(scenario), watched(scenario)
    assert with_us.got == alone.got
    assert [asked(request) for request in with_us.requests] == [asked(request) for request in alone.requests]


@pytest.mark.parametrize(
    "scenario", [one for one in SCENARIOS if one.streamed and one.mode == "plain"], ids=lambda scenario: scenario.name
)
def test_the_time_to_the_first_content_is_counted_once_and_is_no_shorter_than_the_server_waited(
    scenario: Scenario, watched: Runner
) -> None:
    run = watched(scenario)
    streamed = [record for record in run.records if record.counts and record.streamed and record.outcome == "ok"]
    assert run.figures.first_chunks == len(streamed)
    assert run.figures.first_chunk_seconds >= sum(record.waited for record in streamed)


def of_the_client(run: Run) -> bool:
    """Whether the exception was raised by the client, and not by the driver that used its answer."""
    return not run.got["outcome"].startswith(("ok", "builtins."))


def asked(request: dict[str, Any]) -> dict[str, Any]:
    """A request as far as it is the same each time; `stream_options` may be added to a stream, as the guide says."""
    headers = sorted(header for header in request["headers"] if header[0] not in BY_LOT | {"content-length"})
    body = base64.b64decode(request["body"])
    if b'"stream_options"' in body:
        body = json.dumps({key: value for key, value in json.loads(body).items() if key != "stream_options"}).encode()
    elif body[:1] == b"{" and b'"stream"' in body:
        body = json.dumps(json.loads(body)).encode()
    return {"method": request["method"], "target": request["target"], "headers": headers, "body": body}
