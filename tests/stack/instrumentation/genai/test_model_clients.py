"""Every call of a model counts, whichever client makes it: real clients against a server that speaks the real wires.

Each scenario of `support/clients/table.py` runs in a request of its own, once in an app without this package and once under
it. test_model_requests.py does the same for requests that are written by hand.

While working on one client, run its scenarios alone; their names are client-interface-mode:

    OTEL_CHATBOT_TEST_SCALE=2 pytest tests/stack/instrumentation/genai/test_model_clients.py -k anthropic
    pytest tests/stack/instrumentation/genai/test_model_clients.py -k 'counted and openai-chat_stream-plain'
    pytest tests/stack/instrumentation/genai/test_model_clients.py -k the_server_sent  # the server and the drivers alone

The first run installs requirements/clients.txt into .cache/clients-venv, and the older ones into .cache/clients-older-venv.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.clients.checks import Runner, has_its_first_chunk, is_counted, is_the_same, is_what_the_server_sent, runner
from support.clients.scenario import Scenario
from support.clients.table import MADE_BY_CLIENTS

FEWER = ("openai", "anthropic", "google_genai")
"""The clients of `make test`, each in its plain calls; `make proof` has every client in every mode."""
SCENARIOS = (
    MADE_BY_CLIENTS
    if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1
    else [scenario for scenario in MADE_BY_CLIENTS if scenario.client in FEWER and scenario.mode == "plain"]
)

EACH = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
READ_TO_THEIR_END = [scenario for scenario in SCENARIOS if scenario.streamed and scenario.mode == "plain"]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=False)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=True, proof="Model calls by real clients, in every interface and mode")


@EACH
def test_what_a_client_gets_without_us_is_what_the_server_sent(scenario: Scenario, without: Runner) -> None:
    is_what_the_server_sent(scenario, without(scenario))


@EACH
def test_calls_errors_and_tokens_are_counted_as_the_server_knows_them(scenario: Scenario, watched: Runner) -> None:
    is_counted(scenario, watched(scenario))


@EACH
def test_the_app_gets_what_it_gets_without_us_and_asks_in_the_same_bytes(
    scenario: Scenario, without: Runner, watched: Runner
) -> None:
    is_the_same(scenario, without(scenario), watched(scenario))


@pytest.mark.parametrize("scenario", READ_TO_THEIR_END, ids=lambda scenario: scenario.name)
def test_the_time_to_the_first_content_is_no_shorter_than_the_server_waited(scenario: Scenario, watched: Runner) -> None:
    has_its_first_chunk(watched(scenario))
