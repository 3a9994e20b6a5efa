"""Active users and conversations: where ids are looked for, what is counted, in one process, several, and over Redis."""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response, request, session
from support.flask_hooks import hooked

from otel_chatbot.config import Settings
from otel_chatbot.instrumentation.active import ids as active_ids
from otel_chatbot.instrumentation.active.gauges import CONVERSATIONS, USERS, ActiveWindows
from otel_chatbot.instrumentation.active.ids import ActiveIds
from otel_chatbot.instrumentation.flask import hooks
from otel_chatbot.instrumentation.flask import request as flask_request


def test_ids_are_distinct_and_leave_the_window_exactly_when_it_has_passed(tmp_path: Path) -> None:
    ids = ActiveIds("users", 300.0, lambda: tmp_path)
    for number in range(10):
        ids.see(f"user{number % 4}", now=1000.0 + number)
    assert ids.count(now=1009.0) == 4
    assert ids.count(now=1305.9) == 4
    assert ids.count(now=1306.0) == 3, "user2 was seen last at 1006"
    assert ids.count(now=1309.0) == 0


def test_what_is_published_holds_no_id_and_stays_as_small_as_the_window_is(tmp_path: Path) -> None:
    ids = ActiveIds("users", 10.0, lambda: tmp_path)
    for number in range(1000):
        ids.see(f"somebody-{number}@example.com", now=float(number))
    (file,) = tmp_path.glob("users-*.ids")
    written = file.read_bytes()
    assert sum(any(written[at : at + 16]) for at in range(0, len(written), 16)) <= 11
    assert file.stat().st_size == mmap.ALLOCATIONGRANULARITY
    assert ids.count(now=999.0) == 10
    assert not any(b"somebody" in path.read_bytes() for path in tmp_path.iterdir())


def test_another_process_sees_every_one_of_many_ids(tmp_path: Path) -> None:
    here, there = (ActiveIds("users", 300.0, lambda: tmp_path) for _ in range(2))
    for number in range(10_000):
        here.see(f"user{number}")
    assert there.count() == 10_000
    there.see("user1"), there.see("another")
    assert here.count() == there.count() == 10_001


def test_what_stands_for_a_user_is_the_same_in_a_run_and_another_one_in_the_next(tmp_path: Path) -> None:
    here, there = (ActiveIds("users", 300.0, lambda: tmp_path) for _ in range(2))
    (tmp_path / "next").mkdir()
    later = ActiveIds("users", 300.0, lambda: tmp_path / "next")
    assert here.see("ada") == there.see("ada") != here.see("eve")
    assert later.see("ada") not in (here.see("ada"), here.see("eve"))


def test_digests_are_remembered_in_a_bounded_number_and_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_ids, "_MOST_DIGESTS", 10)
    active = ActiveIds(USERS, 60.0, lambda: None)
    first = [active.see(f"user-{number}") for number in range(100)]
    assert len(active._digests) <= 10
    assert [active.see(f"user-{number}") for number in range(100)] == first
    assert len(set(first)) == active.count() == 100


def test_a_full_disk_is_told_once_and_the_ids_are_counted_in_this_process(tmp_path: Path, caplog) -> None:
    ids = ActiveIds("users", 300.0, lambda: tmp_path)
    ids.see("ada")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signalled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (mmap.ALLOCATIONGRANULARITY, before[1]))
    try:
        for number in range(1000):
            ids.see(f"user{number}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signalled)
    assert ids.count() == 1001
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        f"active users are counted in process {os.getpid()} alone"
    ]


def test_random_ids_cost_a_bounded_amount_of_memory() -> None:
    ids = ActiveIds("users", 300.0, lambda: None, limit=100)
    for number in range(1000):
        ids.see(str(number))
    assert ids.count() == 100


_WRITER = """
import sys, time
from pathlib import Path
from otel_chatbot.instrumentation.active.ids import ActiveIds
ids = ActiveIds("users", float(sys.argv[4]), lambda: Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    ids.see(f"user{number}")
print(ids.count(), flush=True)
sys.stdin.read()
"""


def test_processes_of_a_run_count_the_union_and_the_dead_still_count_until_their_ids_expire(tmp_path: Path) -> None:
    window = 300.0
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(first), str(first + 200), str(window)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for first in (0, 100, 200)
    ]  # fmt: skip
    reader = ActiveIds("users", window, lambda: tmp_path)
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        assert reader.count() == 400
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert reader.count() == 400
    assert reader.count(now=time.monotonic() + window) == 0
    assert [path.name for path in tmp_path.glob("users-*.ids")] == [reader._name], "the files of the dead are gone"


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What the hook noted, by kind and id, in order."""
    found: list[tuple[str, str]] = []
    settings = Settings(
        user_id_from=("json:user_id", "form:user", "query:u", "header:X-User-Id", "cookie:uid", "session:user_id"),
        conversation_id_from=("json:conversation_id", "path:conversation_id"),
    )
    replaced = ActiveWindows(settings, lambda: None)
    for kind, ids in replaced._ids.items():
        monkeypatch.setattr(ids, "see", lambda text, now=None, kind=kind: found.append((kind, text)) or b"")
    for module in (hooks, flask_request):
        monkeypatch.setattr(module, "ACTIVE", replaced)
    with hooked():
        yield found


def reading_app() -> Flask:
    app = Flask("reading")
    app.secret_key = "k"
    app.add_url_rule("/json", "json", lambda: request.get_json(), methods=["POST"])
    app.add_url_rule("/silent", "silent", lambda: str(request.get_json(silent=True)), methods=["POST"])
    app.add_url_rule("/bytes", "bytes", lambda: json.loads(request.get_data()), methods=["POST"])
    app.add_url_rule("/form", "form", lambda: request.form["user"], methods=["POST"])
    app.add_url_rule("/login", "login", lambda: session.update(user_id="sue") or "in")
    app.add_url_rule("/c/<conversation_id>", "one", lambda conversation_id: "one")
    app.add_url_rule("/unread", "unread", lambda: "ignored", methods=["POST"])
    app.add_url_rule("/fail", "fail", lambda: request.get_json()["missing"], methods=["POST"])
    return app


def test_ids_are_found_in_every_place_that_the_settings_name(seen: list[tuple[str, str]]) -> None:
    client = reading_app().test_client()
    client.post("/json", json={"user_id": "a", "conversation_id": 7})
    client.post("/silent", json={"user_id": "b"})
    client.post("/bytes", json={"user_id": "c"})
    client.post("/form", data={"user": "d"})
    client.post("/unread?u=e")
    client.post("/unread", headers={"X-User-Id": "f"})
    client.set_cookie("uid", "g")
    client.post("/unread")
    client.delete_cookie("uid")
    client.get("/login")
    client.get("/c/99")
    client.post("/fail", json={"user_id": "h"})
    assert seen == [
        (USERS, "a"), (CONVERSATIONS, "7"), (USERS, "b"), (USERS, "c"), (USERS, "d"), (USERS, "e"), (USERS, "f"),
        (USERS, "g"), (USERS, "sue"), (USERS, "sue"), (CONVERSATIONS, "99"),
    ]  # fmt: skip


def test_a_body_that_the_app_has_not_read_stays_unread(seen: list[tuple[str, str]]) -> None:
    app, left = reading_app(), []

    @app.post("/later")
    def later() -> Response:
        body = request.stream
        return Response(iter(lambda: body.read(4), b""))

    @app.after_request
    def look(response: Response) -> Response:
        left.append(("form" in vars(request), hasattr(request, "_cached_data")))
        return response

    answer = app.test_client().post("/later", json={"user_id": "x"})
    assert answer.data == b'{"user_id": "x"}'
    app.test_client().post("/unread", json={"user_id": "x"})
    app.test_client().post("/unread", data={"user": "x"})
    assert seen == []
    assert left == [(False, False)] * 3


def test_strange_values_are_no_ids(seen: list[tuple[str, str]]) -> None:
    client = reading_app().test_client()
    for value in (None, True, "", [1], {"a": 1}, 1.5):
        client.post("/json", json={"user_id": value})
    client.post("/silent", data="[1, 2]", content_type="application/json")
    client.post("/silent", data="{broken", content_type="application/json")
    assert seen == []
    client.post("/json", json={"user_id": "x" * 5000})
    assert seen == [(USERS, "x" * 256)]
