"""Calls of models through aiohttp, in the environment that has it: counted once, however the answer comes and is read.

test_model_requests.py asks in every wire where all goes well; here is what goes otherwise. Names are client-shape-mode.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.clients.checks import Runner, is_counted, is_what_the_server_sent, runner
from support.clients.scenario import Scenario
from support.clients.table import BY_NAME

SCENARIOS = (
    *(f"aiohttp-openai_chat-{mode}" for mode in ("plain", "gzip", "refused", "fails", "closed", "garbage", "html")),
    *(f"aiohttp-openai_stream-{mode}" for mode in ("plain", "gzip", "split", "closed", "garbage")),
    "aiohttp-openai_stream_left-left",
    "aiohttp-assistants-plain",
)
EACH = pytest.mark.parametrize("scenario", [BY_NAME[name] for name in SCENARIOS], ids=lambda scenario: scenario.name)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    yield from runner(tmp_path_factory, watched=True)


@EACH
def test_a_call_is_counted_as_the_server_knows_it_and_the_app_gets_what_was_sent(scenario: Scenario, watched: Runner) -> None:
    run = watched(scenario)
    is_what_the_server_sent(scenario, run)
    is_counted(scenario, run)
