"""Every figure equals what really happened: the script's own books and what went over the wire, with nothing sampled too."""

from __future__ import annotations

from collections import Counter
from http.client import IncompleteRead
from itertools import zip_longest
from pathlib import Path

import pytest
from pymongo import MongoClient
from support.chat import Reply
from support.ledger import Books
from support.proofs import record_proof
from support.script import ERRORS_OF_CALLS, Asking, Script, probe
from support.servers import MongoServer
from support.stack import Stack
from support.taps import MongoTap, RedisTap

APPS = Path(__file__).parent / "apps"
SAMPLERS = pytest.mark.parametrize("sampler", ["always_on", "always_off"])


@SAMPLERS
def test_each_figure_of_the_example_equals_the_scripts_own(
    tmp_path: Path, mongo_server: MongoServer, scale: int, sampler: str
) -> None:
    settings = {"OTEL_TRACES_SAMPLER": sampler}
    with (
        MongoTap(mongo_server) as mongo,
        Stack(tmp_path, server="gunicorn", workers=2, mongo=mongo, env=settings) as stack,  # type: ignore[arg-type]
        RedisTap(stack.redis) as redis,
    ):
        script = Script(stack)
        script.run(rounds=scale)
        books = Books(script.ledger, mongo, redis, stack.model.calls, ERRORS_OF_CALLS)
        assert script.ledger.hits + script.ledger.misses == redis.operations()["GET"]
        figures = books.check(stack.samples)
        probe(stack, 30)
        assert books.check(stack.samples), "probes and scrapes changed nothing"
        spans = len(stack.spans())
        assert (spans > 0) == (sampler == "always_on")
        record_proof(
            f"The example chatbot, {sampler}",
            requests=script.ledger.requests.total(),
            MongoDB_commands=len(mongo.commands()),
            Redis_operations=redis.operations().total(),
            calls_of_the_model=len(stack.model.calls()),
            messages=script.ledger.sent + script.ledger.received,
            series_compared=sum(map(len, {**books.series(), **books.gauges()}.values())),
            differences=0,
            samples_on_metrics=len(figures),
        )


@SAMPLERS
def test_each_figure_of_an_app_with_blueprints_and_embedded_messages_equals_the_scripts_own(
    tmp_path: Path, mongo_server: MongoServer, scale: int, sampler: str
) -> None:
    with (
        MongoTap(mongo_server) as mongo,
        Stack(
            tmp_path,
            app=APPS / "embedded.py",
            application="create_app()",
            server="gunicorn",
            mongo=mongo,  # type: ignore[arg-type]
            env={"OTEL_TRACES_SAMPLER": sampler},
        ) as stack,
        RedisTap(stack.redis) as redis,
    ):
        asking = Asking(stack)
        for number in range(scale):
            embedded(asking, number)
        Books(asking.ledger, mongo, redis, stack.model.calls, ERRORS_OF_CALLS).check(stack.samples)
        record_proof(
            f"An app with blueprints and embedded messages, {sampler}",
            requests=asking.ledger.requests.total(),
            MongoDB_commands=len(mongo.commands()),
            Redis_operations=redis.operations().total(),
            messages=asking.ledger.sent + asking.ledger.received,
            differences=0,
        )


def embedded(asking: Asking, number: int) -> None:
    """What apps/embedded.py can do, once."""
    ledger = asking.ledger
    chats = "/api/v2/chats"
    stack = asking.stack
    login = stack.request("POST", "/members/login", b"name=ada", {"Content-Type": "application/x-www-form-urlencoded"})
    ledger.request("POST", "/members/login", 204, login.seconds)
    ledger.users.add("ada")
    cookie = {"Cookie": login.headers["Set-Cookie"].partition(";")[0]}

    opened = asking.request("POST", f"{chats}/", f"{chats}/", 201, {"text": "hello"}, headers=cookie)
    chat = opened.json["id"]
    ledger.conversations += 1
    ledger.sent, ledger.received = ledger.sent + 1, ledger.received + 1
    for again in (False, True):
        turn = f"{chats}/<conversation_id>/turns"
        reply = asking.request("POST", f"{chats}/{chat}/turns", turn, 200, {"text": f"question {number}"}, headers=cookie)
        assert reply.json["cached"] == again
        ledger.sent, ledger.received = ledger.sent + 1, ledger.received + 1
        ledger.hits, ledger.misses = ledger.hits + again, ledger.misses + 1 + (not again)  # the greeting is never there
    ledger.active.add(chat)

    nobody = "0123456789abcdef01234567"  # nothing is pushed where there is no conversation
    asking.request("POST", f"{chats}/{nobody}/turns", turn, 404, {"text": f"question {number}"})
    ledger.hits, ledger.misses = ledger.hits + 1, ledger.misses + 1
    asking.request("POST", f"{chats}/{chat}/turns", turn, 502, {"text": f"/fail 429 {number}"}, counts=False)
    ledger.failed_call(ERRORS_OF_CALLS[429])
    ledger.misses += 2

    room = f"{chats}/room/<name>"
    lengths = [asking.request("PUT", f"{chats}/room/r{number}", room, 200, {"text": text}).json["length"] for text in "abc"]
    assert lengths == [1, 2, 3]
    ledger.conversations += 1
    ledger.active.add(f"r{number}")
    ledger.sent += 3
    asking.request("POST", f"{chats}/{chat}/close", f"{chats}/<conversation_id>/close", 204)
    assert len(asking.request("GET", f"{chats}/{chat}", f"{chats}/<conversation_id>", 200).json["messages"]) == 6
    asking.request("GET", f"{chats}/{chat}/export", f"{chats}/<conversation_id>/export", 200)
    asking.request("GET", f"{chats}/{chat}/file", f"{chats}/<conversation_id>/file", 200)
    asking.request("DELETE", f"{chats}/{chat}", f"{chats}/<conversation_id>", 500, error="LookupError")
    asking.request("GET", "/api/v1/chats", None, 404)
    with pytest.raises(IncompleteRead):
        stack.get(f"{chats}/{chat}/export?break=1")
    ledger.request("GET", f"{chats}/<conversation_id>/export", 200, 1.0, error="RuntimeError")


@SAMPLERS
def test_each_figure_of_class_based_views_under_raw_wsgi_equals_the_scripts_own(
    tmp_path: Path, mongo_server: MongoServer, scale: int, sampler: str
) -> None:
    operations: Counter[str] = Counter()
    with (
        MongoTap(mongo_server) as mongo,
        Stack(
            tmp_path,
            app=APPS / "classes.py",
            server="gunicorn",
            mongo=mongo,  # type: ignore[arg-type]
            redis=False,
            env={"OTEL_TRACES_SAMPLER": sampler},
        ) as stack,
    ):
        asking = Asking(stack)
        for number in range(scale):
            classes(asking, number, operations)
        books = Books(asking.ledger, mongo, cache="memory", cache_operations=operations, cache_keys=lambda: scale)
        books.shared_connections = 2 * scale  # a bulk write of three kinds is three commands on one connection
        books.check(lambda: stack.samples("/bot/metrics"))
        with MongoClient(stack.mongo_uri) as client:
            kept = client[stack.database].messages.count_documents({"role": {"$in": ["user", "human", "assistant"]}})
        assert kept == asking.ledger.sent + asking.ledger.received, "and so says the database"
        record_proof(
            f"Class-based views under raw WSGI, {sampler}",
            requests=asking.ledger.requests.total(),
            MongoDB_commands=len(mongo.commands()),
            messages=kept,
            differences=0,
        )


def classes(asking: Asking, number: int, operations: Counter[str]) -> None:
    """What apps/classes.py can do, once."""
    ledger = asking.ledger
    one, many = "/conversations/<int:number>", "/conversations/<int:number>/messages"

    def post(how: str, status: int, *roles: str, texts: tuple[str, ...] = ()) -> Reply:
        messages = [{"role": role, "text": text} for role, text in zip_longest(roles, texts, fillvalue=f"{how} {number}")]
        return asking.request("POST", f"/bot/conversations/{number}/messages?how={how}", many, status, messages)

    assert post("bulk", 200, "user", "assistant", "system", "user").json == 4
    ledger.sent, ledger.received = ledger.sent + 2, ledger.received + 1
    twice = (f"a{number}", f"a{number}", f"b{number}")
    assert post("unordered", 409, "user", "user", "assistant", texts=twice).json == 2
    ledger.sent, ledger.received = ledger.sent + 1, ledger.received + 1
    post("together", 201, "human", "assistant")
    ledger.sent, ledger.received = ledger.sent + 1, ledger.received + 1
    post("together", 202, "user", "user", texts=("never mind", "never mind"))
    post("unacknowledged", 202, "user")
    ledger.sent += 1
    ledger.active.add(str(number))
    for status in (201, 204):
        asking.request("PUT", f"/bot/conversations/{number}", one, status)
    ledger.conversations += 1
    for cached in (False, True):
        texts = asking.request("GET", f"/bot/conversations/{number}", one, 200, headers={"X-Shout": "1"}).json
        assert len(texts) == 9
        ledger.hits, ledger.misses = ledger.hits + cached, ledger.misses + (not cached)
        operations["get"] += 1
    operations["set"] += 1
    asking.request("DELETE", f"/bot/conversations/{number + 1000}", one, 204)
    asking.request("PATCH", f"/bot/conversations/{number}", None, 405)
    asking.request("GET", "/bot/nowhere", None, 404)
    asking.request("GET", "/bot/closed", None, 503)
    assert asking.stack.get("/elsewhere").text == "hello"  # never reaches Flask: nobody's request
