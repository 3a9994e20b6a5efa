"""Signs of bad answers of the real example, whose turns reach four workers: none is lost between them, and no word is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.canary import Canaries
from support.process import wait_for
from support.servers import MongoServer
from support.stack import Stack

WORKERS = 4
SAMPLE = "chatbot_answer_signals_total"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signals") / "shared"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer, shared: Path) -> Iterator[Stack]:
    env = {
        "CHATBOT_OTEL_LEFT_AFTER": "1",
        "CHATBOT_OTEL_MULTIPROC_DIR": str(shared),
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=chatbot,service.version=7.1",
    }
    folder = tmp_path_factory.mktemp("observed")
    with Stack(folder, mongo=mongo_server, server="gunicorn", workers=WORKERS, env=env) as made:
        yield made


def told(stack: Stack) -> dict[str, float]:
    """The signs so far; each has the model and the release."""
    found = {}
    for (name, labels), value in stack.samples().items():
        if name == SAMPLE:
            known = dict(labels)
            assert (known["gen_ai_request_model"], known["chatbot_release"]) == ("gpt-4o-mini", "7.1")
            found[known["chatbot_answer_signal"]] = value
    return found


def test_turns_of_a_conversation_are_compared_whichever_workers_they_reach(stack: Stack, shared: Path, scale: int) -> None:
    canaries, count = Canaries(), 8 * scale
    before = told(stack)
    for number in range(count):
        secret = canaries.bird(f"question {number}")
        first = stack.chat(f"How do I change the delivery address of {secret}?")
        conversation = first.json["conversation_id"]
        stack.chat(f"I want to change the delivery address of {secret}, how?", conversation_id=conversation)
        stack.chat("Which trains leave for Hamburg?", conversation_id=conversation)
    now = told(stack)
    assert now.get("rephrased", 0.0) - before.get("rephrased", 0.0) == count
    assert now.get("regenerated", 0.0) == before.get("regenerated", 0.0)
    assert [path for path in shared.rglob("answers.table") if path.stat().st_blocks], "nothing was shared"
    leaks = canaries.leaks_in_files(shared) + canaries.leaks_in_files(stack.logs)
    assert leaks + canaries.leaks(stack.get("/metrics").body, "/metrics") == []


def test_conversations_that_end_with_a_failure_are_told_when_their_time_is_over(stack: Stack) -> None:
    before = told(stack).get("left_after_error", 0.0)
    for number in range(3):
        assert stack.chat(f"/fail 500 number {number}").status == 502
    wait_for(lambda: told(stack).get("left_after_error", 0.0) - before >= 3, "three conversations that were left")
    assert told(stack)["left_after_error"] - before == 3
