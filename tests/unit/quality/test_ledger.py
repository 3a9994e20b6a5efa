"""The ledger's contract, on both engines: exact, atomic, kept, bounded in time, and away without harm."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import ledgers
from support.ledgers import fresh
from support.process import wait_for
from support.servers import RedisServer

from otel_chatbot.quality.ledger import Addition, Ledger, LedgerUnavailable, Tally, key_of

WEEK = 7 * 86400.0


@pytest.fixture(params=ledgers.ENGINES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def place(kind: str, redis_server: RedisServer, tmp_path: Path) -> str:
    return f"redis://127.0.0.1:{redis_server.port}/12" if kind == "redis" else str(tmp_path / "new" / "ledger.sqlite")


@pytest.fixture
def ledger(kind: str, place: str) -> Iterator[Ledger]:
    made = ledgers.ledger(kind, place)
    yield made
    made.close()


def test_a_value_is_put_once_and_then_moved(ledger: Ledger) -> None:
    key, other = fresh("who"), fresh("who")
    assert ledger.put_if_absent_or_move(key, "up", WEEK) is None
    assert ledger.put_if_absent_or_move(key, "up", WEEK) == "up"
    assert ledger.put_if_absent_or_move(key, "down", WEEK) == "up"
    assert ledger.put_if_absent_or_move(key, "up", WEEK) == "down"
    assert ledger.put_if_absent_or_move(other, "up", WEEK) is None


def test_a_tally_counts_each_key_once_where_its_value_is_now(ledger: Ledger, kind: str, place: str) -> None:
    name, other = fresh("ratings"), fresh("ratings")
    tally = Tally(name, WEEK)
    keys = [fresh("who") for _ in range(10)]
    for key in keys:
        ledger.put_if_absent_or_move(key, "up:ü", WEEK, tally)
        ledger.put_if_absent_or_move(key, "up:ü", WEEK, tally)
    for key in keys[:3]:
        ledger.put_if_absent_or_move(key, "down", WEEK, tally)
    ledger.put_if_absent_or_move(keys[0], "down", WEEK, Tally(other, WEEK))
    assert ledger.tally(name) == {"up:ü": 7, "down": 3}
    assert ledger.tally(other) == {}
    later = ledgers.ledger(kind, place)
    for key in keys:
        later.put_if_absent_or_move(key, "down", WEEK, tally)
    assert later.tally(name) == ledger.tally(name) == {"up:ü": 0, "down": 10}
    later.close()


def test_many_who_change_one_value_together_leave_it_counted_once(ledger: Ledger, kind: str, place: str) -> None:
    tally, key = Tally(fresh("ratings"), WEEK), fresh("who")
    opened = [ledgers.ledger(kind, place) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: opened[number % 3].put_if_absent_or_move(key, str(number % 5), WEEK, tally), range(60)))
    assert sorted(ledger.tally(tally.name).values()) == [0, 0, 0, 0, 1]
    for each in opened:
        each.close()


def test_the_counts_of_a_tally_expire(ledger: Ledger) -> None:
    name = fresh("ratings")
    ledger.put_if_absent_or_move(fresh("who"), "short", WEEK, Tally(name, 0.05))
    ledger.put_if_absent_or_move(fresh("who"), "long", WEEK, Tally(name, WEEK))
    wait_for(lambda: ledger.tally(name) == {"long": 1}, "the short one to expire")


def test_amounts_are_added_exactly_and_read_together(ledger: Ledger) -> None:
    first, second, never = fresh("sum"), fresh("sum"), fresh("sum")
    assert ledger.read((first, never)) == [0, 0]
    assert ledger.add(first, 7, WEEK) == 7
    assert ledger.add(first, 2**40, WEEK) == 7 + 2**40
    assert ledger.add(first, -7, WEEK) == 2**40
    assert ledger.add_all((Addition(first, 1, WEEK), Addition(second, 5, WEEK), Addition(second, 6, WEEK))) == [
        2**40 + 1,
        5,
        11,
    ]
    assert ledger.read((second, never, first)) == [11, 0, 2**40 + 1]
    assert ledger.read(()) == ledger.add_all(()) == []


def test_a_sum_is_raised_and_never_lowered(ledger: Ledger, kind: str, place: str) -> None:
    key, another = fresh("highest"), ledgers.ledger(kind, place)
    for one, amount in ((ledger, 7), (another, 12), (ledger, 9), (another, 12)):
        one.raise_to(key, amount, WEEK)
    assert ledger.read((key,)) == [12]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: ledgers.ledger(kind, place).raise_to(key, number, WEEK), range(10, 30)))
    another.close()
    assert ledger.read((key,)) == [29]


def test_of_several_who_put_a_value_first_all_see_the_same(ledger: Ledger, kind: str, place: str) -> None:
    key = fresh("secret")
    with ThreadPoolExecutor(4) as threads:
        seen = set(threads.map(lambda name: ledgers.ledger(kind, place).first(key, f"made by {name}", WEEK), range(8)))
    assert seen == {ledger.first(key, "too late", WEEK)}


def test_a_key_expires_and_begins_anew(ledger: Ledger) -> None:
    kept, short = fresh("sum"), fresh("sum")
    ledger.add_all((Addition(kept, 1, WEEK), Addition(short, 5, 0.05)))
    wait_for(lambda: ledger.read((kept, short)) == [1, 0], "the sum to expire")
    assert ledger.add(short, 2, 0.05) == 2
    gone = fresh("who")
    ledger.put_if_absent_or_move(gone, "up", 0.01)
    wait_for(lambda: ledger.put_if_absent_or_move(gone, "up", 0.01) is None, "the value to expire")


def test_each_use_of_a_key_lets_it_live_on(ledger: Ledger) -> None:
    kept = []

    def used_twice() -> bool:  # the machine may be so busy that the first life ends before
        summed, put = fresh("sum"), fresh("who")
        ledger.add(summed, 1, 0.2)
        ledger.put_if_absent_or_move(put, "up", 0.2)
        kept[:] = [summed, put]
        return ledger.add(summed, 1, WEEK) == 2 and ledger.put_if_absent_or_move(put, "down", WEEK) == "up"

    wait_for(used_twice, "both uses within the first life")
    probe = fresh("sum")
    ledger.add(probe, 1, 0.25)
    wait_for(lambda: ledger.read((probe,)) == [0], "a key that was put later to expire")
    assert ledger.read(kept[:1]) == [2]
    assert ledger.put_if_absent_or_move(kept[1], "up", WEEK) == "down"


def test_another_worker_and_a_later_run_see_the_same(ledger: Ledger, kind: str, place: str) -> None:
    summed, put = fresh("sum"), fresh("who")
    ledger.add(summed, 3, WEEK)
    ledger.put_if_absent_or_move(put, "up", WEEK)
    other = ledgers.ledger(kind, place)
    assert other.add(summed, 4, WEEK) == 7
    assert other.put_if_absent_or_move(put, "down", WEEK) == "up"
    assert ledger.read((summed,)) == [7]
    other.close()
    assert other.read((summed,)) == [7]
    other.close()


def test_threads_that_count_together_lose_nothing(ledger: Ledger) -> None:
    key = fresh("sum")
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: ledger.add(key, 1, WEEK), range(200)))
    assert sorted(seen) == list(range(1, 201))


WRITER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from support import ledgers
ledger = ledgers.ledger(*sys.argv[2:4])
print("ready", flush=True)
sys.stdin.readline()
done = 0
for number in range(int(sys.argv[5])):
    ledger.add(sys.argv[4], 1, 3600.0)
    done += 1
    print(done, flush=True)
os.kill(os.getpid(), 9)
"""


def test_processes_that_start_together_and_are_killed_lose_nothing_that_was_answered(kind: str, place: str, scale: int) -> None:
    key, each = fresh("sum"), 100 * scale
    arguments = (sys.executable, "-c", WRITER, str(Path(__file__).parents[2]), kind, place, key, str(each))
    writers = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    answers = []
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        answers.append(writer.communicate()[0].split()[-1:])
        assert writer.returncode == -9
    assert answers == [[str(each)]] * 4
    reader = ledgers.ledger(kind, place)
    assert reader.read((key,)) == [4 * each]
    reader.close()


def test_a_forked_worker_and_its_parent_go_on_with_connections_of_their_own(kind: str, place: str) -> None:
    # In a process of its own: this one has threads of other tests.
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from support import ledgers
from otel_chatbot.quality import ledger as module
module.LEDGER._make, module.LEDGER._patience = lambda: ledgers.engine({kind!r}, {place!r}), 30.0
key = {fresh("sum")!r}
assert module.LEDGER.add(key, 1, 60.0) == 1
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        break
    children.append(child)
for _ in range(50):
    module.LEDGER.add(key, 1, 60.0)
if not child:
    os._exit(0)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
print(module.LEDGER.read((key,)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[151]\n", done.stderr


class Dead:
    """An engine that fails at each question, and counts them."""

    asked = 0
    alive = False

    def swap(self, key: str, value: str, expires: float, tally: Tally | None = None) -> str | None:
        raise AssertionError

    def tally(self, name: str) -> dict[str, int]:
        raise AssertionError

    def add(self, additions: object) -> list[int]:
        raise AssertionError

    def read(self, keys: object) -> list[int]:
        self.asked += 1
        if not self.alive:
            raise OSError("redis://:secret@host is away")
        return [1]

    def close(self) -> None:
        raise OSError("cannot even close")


def test_an_engine_that_has_failed_is_left_alone_for_a_while_and_then_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    dead = Dead()
    ledger = Ledger(lambda: dead, pause=0.2)
    wait_for(lambda: (fails(ledger), dead.asked >= 2)[1], "the second try")
    assert dead.asked == 2
    with pytest.raises(LedgerUnavailable) as told:
        ledger.read(("key",))
    assert "secret" not in str(told.value)
    dead.alive = True
    wait_for(lambda: not fails(ledger), "the engine to be asked again")
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the ledger of feedback and budgets cannot be used (OSError); what this means is told by those who ask it"
    ]


def fails(ledger: Ledger) -> bool:
    try:
        ledger.read(("key",))
    except LedgerUnavailable:
        return True
    return False


def test_a_thread_does_not_wait_long_for_another_one() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Slow(Dead):
        def read(self, keys: object) -> list[int]:
            entered.set()
            leave.wait(60)
            return [1]

        def close(self) -> None:
            pass

    ledger = Ledger(Slow, patience=0.01)
    thread = threading.Thread(target=lambda: ledger.read(("key",)))
    thread.start()
    assert entered.wait(60)
    with pytest.raises(LedgerUnavailable, match="busy"):
        ledger.read(("key",))
    leave.set()
    thread.join()


def test_a_redis_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ledger = ledgers.ledger("redis", f"redis://127.0.0.1:{silent.getsockname()[1]}/0", patience=0.05, pause=1000)
        with pytest.raises(LedgerUnavailable, match="Timeout"):
            ledger.add("key", 1, 60.0)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable, match="a moment ago"):
                ledger.add("key", 1, 60.0)


def test_a_redis_that_comes_back_is_used_again(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "one") as server:
        port = server.port
        ledger = ledgers.ledger("redis", server.url, pause=0.05)
        assert ledger.add("key", 1, 60.0) == 1
    with pytest.raises(LedgerUnavailable):
        ledger.add("key", 1, 60.0)
    with RedisServer(tmp_path / "two", port):
        wait_for(lambda: not fails(ledger), "the ledger to find Redis again")
        assert ledger.add("key", 1, 60.0) == 1
    ledger.close()


def test_a_place_that_cannot_be_written_is_told_by_the_one_exception(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnavailable):
        ledgers.ledger("sqlite", str(tmp_path / "file" / "ledger.sqlite")).read(("key",))


def test_keys_hold_hashes_that_tell_all_parts_apart() -> None:
    keys = [key_of("feedback", *parts) for parts in (("a", "bc"), ("ab", "c"), ("abc",), ("abc", ""), ("\udcff",))]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("feedback:") and len(key) == len("feedback:") + 32 for key in keys)
    assert "alice" not in key_of("feedback", "alice")
