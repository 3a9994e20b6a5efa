"""What several processes of one run count and show together."""

from __future__ import annotations

import pytest
from support import forking
from support.proofs import record_proof


def test_every_process_shows_the_same_exact_totals_though_workers_were_killed(tmp_path, scale):
    found = forking.run(
        tmp_path,
        """
        workers, events = int(sys.argv[1]), int(sys.argv[2])
        SENT.add(3)
        ready, tell = os.pipe()

        def work():
            times = TIMES.labels({"http.route": "/chat"})
            for n in range(events):
                SENT.add(1)
                QUERIES.labels({"db_operation_name": "find" if n % 2 else "insert"}).add(1)
                times.observe(0.3)
            os.write(tell, b"x")
            idle()

        pids = [fork(work) for _ in range(workers)]
        for _ in pids:
            assert os.read(ready, 1) == b"x"
        alive = sent()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            ended(pid)
        seen = []
        for _ in range(3):  # from new processes, which read and fold
            a, b = os.pipe()
            fork(lambda: os.write(b, str(sent()).encode()))
            seen.append(float(os.read(a, 50)))
        shown = families()
        times = [p for p in shown[m.RESPONSE_TIME.name].histograms if p.attributes][0]
        print(json.dumps({
            "alive": alive, "seen": seen, "own": sent(),
            "find": value(m.DB_QUERIES, db_operation_name="find"),
            "count": times.count, "bucket": times.counts[6], "sum": round(times.sum, 6), "files": files(),
        }))
        """.replace(
            'value(m.DB_QUERIES, db_operation_name="find")',
            '[p.value for p in shown[m.DB_QUERIES.name].points if p.attributes == {"db.operation.name": "find"}][0]',
        ),
        6,
        400 * scale,
    )
    events = 400 * scale
    total = 6 * events
    assert found["alive"] == total + 3
    assert found["seen"] == [total + 3] * 3
    assert found["own"] == total + 3
    assert found["find"] == total / 2
    assert found["count"] == found["bucket"] == total
    assert found["sum"] == round(0.3 * total, 6)
    assert len([name for name in found["files"] if name.endswith(".keys")]) == 1, "the dead are folded into one archive"


def test_a_worker_killed_in_the_middle_of_counting_loses_nothing(tmp_path):
    found = forking.run(
        tmp_path,
        """
        rounds = []
        for _ in range(5):
            before = sent()
            ready, tell = os.pipe()
            def work():
                while True:
                    SENT.add(1)
                    os.write(tell, b"x")
            pid = fork(work)
            told = 0
            while told < 2000:
                told += len(os.read(ready, 65536))
            os.kill(pid, signal.SIGKILL)
            ended(pid)
            os.close(tell)
            while more := os.read(ready, 65536):
                told += len(more)
            rounds.append([told, sent() - before])
        print(json.dumps(rounds))
        """,
    )
    for told, counted in found:
        assert told <= counted <= told + 1, "all that it said it had counted, and at most the one it was counting"


def test_totals_never_fall_or_double_while_processes_come_and_go(tmp_path, scale):
    found = forking.run(
        tmp_path,
        """
        children = int(sys.argv[1])
        TIMES.bare().observe(0.2)
        SENT.add(0)
        stop_at = children * 5
        done_path = "done"

        def read_on():
            last, readings = (0, 0, 0.0), 0
            while True:
                finished = os.path.exists(done_path)
                shown = families()
                count = shown[m.MESSAGES_SENT.name].points[0].value
                times = shown[m.RESPONSE_TIME.name].histograms[0]
                now = (count, times.count, times.sum)
                assert all(x >= y for x, y in zip(now, last)), f"fell: {last} {now}"
                assert count <= stop_at and count % 1 == 0, count
                last, readings = now, readings + 1
                if finished:
                    break
            assert last[0] == stop_at, last
            assert readings > 20, readings

        readers = [fork(read_on) for _ in range(2)]
        most = 0

        def short():
            for _ in range(5):
                SENT.add(1)
            TIMES.bare().observe(0.2)

        running = []
        for n in range(children):
            running.append(fork(short))
            if len(running) >= 8:
                assert ended(running.pop(0)) == 0
            if n % 20 == 0:
                most = max(most, len(files()))
        for pid in running:
            assert ended(pid) == 0
        open(done_path, "w").close()
        codes = [ended(pid, 60) for pid in readers]
        print(json.dumps({"codes": codes, "total": sent(), "count": families()[m.RESPONSE_TIME.name].histograms[0].count,
                          "most": most, "left": len([f for f in files() if f.endswith(".keys")])}))
        """,
        300 * scale,
    )
    assert found["codes"] == [0, 0], found["stderr"]
    assert found["total"] == 5 * 300 * scale
    assert found["count"] == 300 * scale + 1
    assert found["most"] < 300
    assert found["left"] <= 3


def test_a_server_that_forks_for_each_request_does_not_pile_up_files_when_nobody_reads(tmp_path):
    found = forking.run(
        tmp_path,
        """
        SENT.add(1)
        most = 0
        for n in range(300):
            assert ended(fork(lambda: SENT.add(1))) == 0
            if n % 10 == 0:
                most = max(most, len(files()))
        print(json.dumps({"most": most, "total": sent()}))
        """,
    )
    assert found["most"] < 270
    assert found["total"] == 301


def test_forks_amid_recording_and_reading_threads_hang_nowhere_and_inherit_nothing(tmp_path, scale):
    found = forking.run(
        tmp_path,
        """
        forks = int(sys.argv[1])
        stop = threading.Event()
        recorded = [0, 0]

        def recorder(n):
            while not stop.is_set():
                SENT.add(1)
                recorded[n] += 1
                QUERIES.labels({"db.operation.name": f"op{recorded[n] % 50}"}).add(1)
                TIMES.bare().observe(0.1)

        def reader():
            while not stop.is_set():
                view.read()

        threads = [threading.Thread(target=recorder, args=(0,)), threading.Thread(target=recorder, args=(1,)),
                   threading.Thread(target=reader)]
        for thread in threads:
            thread.start()

        def child():
            import faulthandler
            faulthandler.dump_traceback_later(15)
            assert SENT.read() == [0.0], SENT.read()
            SENT.add(1)
            assert SENT.read() == [1.0], SENT.read()
            TIMES.bare().observe(0.1)
            if os.getpid() % 4 == 0:
                view.read()

        results = {}
        for _ in range(forks):
            code = ended(fork(child))
            results[str(code)] = results.get(str(code), 0) + 1
        stop.set()
        for thread in threads:
            thread.join(30)
        print(json.dumps({"results": results, "total": sent(), "truth": sum(recorded) + forks}))
        """,
        60 * scale,
        timeout=240,
    )
    assert found["results"] == {"0": 60 * scale}, found["stderr"]
    assert found["total"] == found["truth"]
    record_proof(
        "Forks amid threads that count and read", forks=60 * scale, hung=0, counted=found["total"], truth=found["truth"]
    )


def test_gauges_are_those_of_the_living_and_the_latest_set_wins(tmp_path):
    found = forking.run(
        tmp_path,
        """
        ready, tell = os.pipe()
        go, give = os.pipe()

        def worker(action):
            def work():
                action()
                os.write(tell, b"x")
                idle()
            pid = fork(work)
            os.read(ready, 1)
            return pid

        def users():
            return value(m.ACTIVE_USERS)

        steps = [users()]
        one = worker(lambda: USERS.move(2))
        steps.append(users())
        two = worker(lambda: (USERS.move(3), USERS.move(-1)))
        steps.append(users())
        three = worker(lambda: USERS.set(10))
        steps.append(users())
        four = worker(lambda: (USERS.move(50), USERS.set(20), USERS.move(1)))
        steps.append(users())
        for pid in (four, one, three, two):
            os.kill(pid, signal.SIGKILL)
            ended(pid)
            steps.append(users())
        print(json.dumps(steps))
        """,
    )
    assert found == [0, 2, 4, 14, 25, 14, 12, 2, 0]


def test_the_latest_exemplar_of_a_bucket_is_shown_whoever_made_it(tmp_path):
    found = forking.run(
        tmp_path,
        """
        from opentelemetry.trace import SpanContext, TraceFlags
        def context(n):
            return SpanContext((n << 64) | n + 1, n, False, TraceFlags(1))
        series = TIMES.bare()
        series.observe(0.3, context(0xFFF0000000000001))  # as a double these bits are not a number
        first = families()[m.RESPONSE_TIME.name].histograms[0].exemplars[6]
        for n in (2, 3):
            assert ended(fork(lambda: series.observe(0.3 + n / 100, context(n)))) == 0
        series.observe(0.01, SpanContext(5, 5, False, TraceFlags(0)))
        shown = [families()[m.RESPONSE_TIME.name].histograms[0].exemplars for _ in range(2)]
        print(json.dumps([first[:3], shown[0][6][:3], shown[1][6][:3], shown[0][1]]))
        """,
    )
    odd = 0xFFF0000000000001
    assert found[0] == [0.3, (odd << 64) | odd + 1, odd]
    assert found[1] == found[2] == [0.3 + 3 / 100, (3 << 64) | 4, 3]
    assert found[3] is None, "the span was not sampled"


def test_one_process_leads_and_another_takes_over_when_it_is_killed(tmp_path):
    found = forking.run(
        tmp_path,
        """
        ready, tell = os.pipe()
        def work():
            SENT.add(1)
            said = None
            while True:
                leads = shared.try_lead()
                if leads != said:
                    said = leads
                    os.write(tell, f"{os.getpid()} {leads} {shared.run_identity()[0]} {shared.run_identity()[1]}\\n".encode())
                time.sleep(0.005)
        pids = [fork(work) for _ in range(4)]
        lines = os.fdopen(ready)
        said = [lines.readline().split() for _ in pids]
        leaders = [int(s[0]) for s in said if s[1] == "True"]
        order = list(leaders)
        while len(order) < 4:
            os.kill(order[-1], signal.SIGKILL)
            ended(order[-1])
            found = lines.readline().split()
            assert found[1] == "True", found
            order.append(int(found[0]))
        os.kill(order[-1], signal.SIGKILL)
        ended(order[-1])
        print(json.dumps({"leaders": len(leaders), "all": sorted(order) == sorted(pids),
                          "identities": len({tuple(s[2:]) for s in said}), "parent": shared.try_lead()}))
        """,
    )
    assert found["leaders"] == 1
    assert found["all"] is True
    assert found["identities"] == 1
    assert found["parent"] is True


@pytest.mark.parametrize("deadly", ["ftruncate", "replace", "unlink"])
def test_a_process_that_dies_while_it_folds_neither_loses_nor_doubles(tmp_path, deadly):
    found = forking.run(
        tmp_path,
        """
        SENT.add(1)
        def work():
            SENT.add(10)
            TIMES.labels({"http.route": "/x"}).observe(1)
        def fold_and_die():
            setattr(os, sys.argv[1], lambda *_: os._exit(9))
            sent()
        seen, codes = [], []
        for n in range(4):
            assert ended(fork(work)) == 0
            codes.append(ended(fork(fold_and_die)))
            if n % 2:
                def look():
                    with open("seen", "w") as file:
                        json.dump(sent(), file)
                assert ended(fork(look)) == 0
                with open("seen") as file:
                    seen.append(json.load(file))
        times = [p for p in families()[m.RESPONSE_TIME.name].histograms if p.attributes]
        print(json.dumps({"seen": seen, "codes": codes, "total": sent(), "times": [p.count for p in times],
                          "left": [f for f in files() if f.endswith(".keys")]}))
        """,
        deadly,
    )
    assert found["codes"] == [9, 9, 9, 9]
    assert found["seen"] == [21, 41]
    assert found["total"] == 41
    assert found["times"] == [4]
    assert len(found["left"]) == 1
