"""Every call of a model counts, also where the app writes the HTTP request itself: requests, httpx, httpx2, aiohttp, urllib3.

The same sentences as test_model_clients.py, which says how to run a part: here names are client-shape-mode, so
`-k 'counted and requests-openai_chat-plain'`. `make test` goes through the plain ones, `make proof` through every mode of every shape.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.clients.checks import Runner, has_its_first_chunk, is_counted, is_the_same, is_what_the_server_sent, runner
from support.clients.scenario import Scenario
from support.clients.table import FEWER_BY_HAND, WRITTEN_BY_HAND

SCENARIOS = (
    WRITTEN_BY_HAND
    if int(os.environ.get("OTEL_CHATBOT_TEST_SCALE", "1")) > 1
    else [scenario for scenario in FEWER_BY_HAND if scenario.mode == "plain"]
)
EACH = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
READ_TO_THEIR_END = [scenario for scenario in SCENARIOS if scenario.streamed and scenario.mode == "plain"]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=False)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=True, proof="Model calls by requests written by hand, in every shape and mode")


@EACH
def test_what_an_app_gets_without_us_is_what_the_server_sent(scenario: Scenario, without: Runner) -> None:
    is_what_the_server_sent(scenario, without(scenario))


@EACH
def test_a_request_by_hand_is_counted_as_the_server_knows_it(scenario: Scenario, watched: Runner) -> None:
    is_counted(scenario, watched(scenario))


@EACH
def test_the_app_gets_the_same_bytes_and_asks_in_the_same_bytes(scenario: Scenario, without: Runner, watched: Runner) -> None:
    is_the_same(scenario, without(scenario), watched(scenario))


@pytest.mark.parametrize("scenario", READ_TO_THEIR_END, ids=lambda scenario: scenario.name)
def test_the_time_to_the_first_content_is_no_shorter_than_the_server_waited(scenario: Scenario, watched: Runner) -> None:
    has_its_first_chunk(watched(scenario))
