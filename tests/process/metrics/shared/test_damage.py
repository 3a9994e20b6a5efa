"""What happens to the shared metrics when the disk is full, the folder cannot be written, or a file is damaged."""

from __future__ import annotations

import pytest
from support import forking


def test_a_full_disk_keeps_the_figures_in_memory_warns_once_and_harms_nobody(tmp_path):
    found = forking.run(
        tmp_path,
        """
        import logging, resource
        logging.basicConfig()
        SENT.add(1)
        # Files may grow no further than the first piece of cells; the system says so with an error, as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
        for n in range(300):
            TIMES.labels({"http.route": f"/{n}"}).observe(0.1)
            QUERIES.labels({"db.operation.name": str(n)}).add(2)
        SENT.add(1)
        ready, tell = os.pipe()
        def work():
            shown = families()
            os.write(tell, f"{len(shown[m.RESPONSE_TIME.name].histograms)} {shown[m.MESSAGES_SENT.name].points[0].value}".encode())
        assert ended(fork(work)) == 0
        other = os.read(ready, 100).decode().split()
        shown = families()
        print(json.dumps({
            "own": [len(shown[m.RESPONSE_TIME.name].histograms), sum(p.count for p in shown[m.RESPONSE_TIME.name].histograms),
                    sum(p.value for p in shown[m.DB_QUERIES.name].points), shown[m.MESSAGES_SENT.name].points[0].value],
            "other": [int(other[0]), float(other[1])],
            "path": shared.RUN.directory().path}))
        """,
    )
    assert found["own"] == [301, 300, 600, 2]
    assert 50 < found["other"][0] < 150, "what fitted is shared"
    assert found["other"][1] == 2, "and what had cells goes on"
    assert found["stderr"].count("WARNING") == 1
    assert found["path"] in found["stderr"]
    assert "CHATBOT_OTEL_MULTIPROC_DIR" in found["stderr"]


def test_cells_are_given_real_blocks_before_they_are_used(tmp_path):
    """A hole in a mapped file would turn a full disk into SIGBUS, which nothing can catch."""
    found = forking.run(
        tmp_path,
        """
        for n in range(300):
            TIMES.labels({"http.route": f"/{n}"}).observe(0.1)
        (name,) = [name for name in files() if name.endswith(".cells")]
        stat = os.stat(os.path.join(shared.RUN.directory().path, name))
        print(json.dumps([stat.st_blocks * 512, stat.st_size]))
        """,
    )
    blocks, size = found
    assert size > 200 * 1024
    assert blocks >= size


def test_no_room_at_all_is_like_no_sharing(tmp_path):
    found = forking.run(
        tmp_path,
        """
        import logging, resource
        logging.basicConfig()
        shared.run_identity()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        SENT.add(1)
        TIMES.bare().observe(0.1)
        SENT.add(1)
        print(json.dumps({"total": sent(), "files": files()}))
        """,
    )
    assert found["total"] == 2
    assert not [name for name in found["files"] if name.endswith((".keys", ".cells", ".new"))]
    assert found["stderr"].count("WARNING") == 1


def test_dead_processes_that_cannot_be_folded_for_want_of_room_still_count(tmp_path):
    found = forking.run(
        tmp_path,
        """
        import logging, resource
        logging.basicConfig()
        SENT.add(1)
        def work():
            for n in range(200):
                TIMES.labels({"http.route": f"/{n}"}).observe(0.1)
            SENT.add(5)
        for _ in range(3):
            assert ended(fork(work)) == 0
        soft = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, soft[1]))
        full = [sent(), sent(), len([f for f in files() if f.endswith(".keys")])]
        resource.setrlimit(resource.RLIMIT_FSIZE, soft)
        again = [sent(), sent(), len([f for f in files() if f.endswith(".keys")])]
        print(json.dumps({"full": full, "again": again}))
        """,
    )
    assert found["full"] == [16, 16, 4]
    assert found["again"] == [16, 16, 1]
    assert found["stderr"].count("WARNING") == 1


def test_a_chosen_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    found = forking.run(
        tmp_path,
        """
        import logging
        logging.basicConfig()
        SENT.add(1)
        assert ended(fork(lambda: SENT.add(1))) == 0
        print(json.dumps({"total": sent()}))
        """,
        env={"CHATBOT_OTEL_MULTIPROC_DIR": str(tmp_path / "file")},
    )
    assert found["total"] == 1
    assert found["stderr"].count("WARNING") == 2, "one for each process"
    assert str(tmp_path / "file") in found["stderr"]


DAMAGE = {
    "keys cut in a line": 'cut(".keys", -10)',
    "keys that are no keys": 'put(".keys", b"\\x00\\xff nonsense\\n[1]\\n{}\\n[\\"s\\",7,0,[]]\\n[\\"s\\",0,-5,[]]\\n")',
    "keys beyond the cells": 'put(".keys", b"[\\"s\\",0,99999999999,[]]\\n")',
    "cells cut in a cell": 'cut(".cells", 8 * 3 + 5)',
    "cells gone": 'os.unlink(stem + ".cells")',
    "keys empty": 'cut(".keys", 0)',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("alive", [True, False])
def test_a_damaged_file_costs_no_more_than_what_is_damaged(tmp_path, damage, alive):
    found = forking.run(
        tmp_path,
        f"""
        import logging
        logging.basicConfig()
        SENT.add(1)
        ready, tell = os.pipe()
        def work():
            SENT.add(10)
            QUERIES.bare().add(4)
            TIMES.bare().observe(0.3)
            os.write(tell, b"x")
            idle()
        pids = [fork(work), fork(work)]
        for _ in pids:
            os.read(ready, 1)
        if not {alive}:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                ended(pid)
        (name,) = [name for name in files() if name.startswith(f"{{pids[0]}}-") and name.endswith(".keys")]
        stem = os.path.join(shared.RUN.directory().path, name[:-5])
        def cut(suffix, size):
            os.truncate(stem + suffix, size if size >= 0 else os.path.getsize(stem + suffix) + size)
        def put(suffix, data):
            with open(stem + suffix, "ab") as file:
                file.write(data)
        {damage}
        seen = [[sent(), value(m.DB_QUERIES), families()[m.RESPONSE_TIME.name].histograms[0].count] for _ in range(3)]
        if {alive}:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                ended(pid)
        print(json.dumps({{"seen": seen}}))
        """,
    )
    sent, queries, times = found["seen"][0]
    assert found["seen"] == [found["seen"][0]] * 3, "the same at every reading"
    assert sent in (11, 21)
    assert queries in (4, 8)
    assert times in (1, 2)
    if "keys that" in damage or "put" in damage:
        assert found["seen"][0] == [21, 8, 2], "what is readable counts"
    if '".cells", 8' in damage:
        assert found["seen"][0] == [21, 8, 1]
    assert found["stderr"].count("WARNING") <= 1


def test_a_damaged_archive_is_reported_and_the_living_go_on(tmp_path):
    found = forking.run(
        tmp_path,
        """
        import logging
        logging.basicConfig()
        SENT.add(1)
        assert ended(fork(lambda: SENT.add(10))) == 0
        before = sent()
        path = os.path.join(shared.RUN.directory().path, "folded")
        with open(path, "wb") as file:
            file.write(b"\\xff nonsense")
        def work():
            SENT.add(100)
            json.dump(sent(), open("seen", "w"))
        assert ended(fork(work)) == 0
        print(json.dumps({"before": before, "seen": json.load(open("seen")), "after": sent()}))
        """,
    )
    assert found["before"] == 11
    assert found["seen"] == 101
    assert found["after"] in (101, 111)
    assert "folded" in found["stderr"]


def test_a_thread_that_reads_while_another_makes_the_files_leaves_their_lock_alone(tmp_path):
    # To open and close one's own file drops the lock on it: then others take the process for dead, and count it twice.
    found = forking.run(
        tmp_path,
        """
        rename = os.rename

        def rename_and_be_slow(*names):
            rename(*names)
            reading = threading.Thread(target=view.read)
            reading.start()
            reading.join()

        os.rename = rename_and_be_slow
        SENT.add(7)
        os.rename = rename
        assert ended(fork(lambda: view.read())) == 0
        print(json.dumps({"total": sent(), "files": sorted(os.listdir(shared.RUN.directory().path))}))
        """,
    )
    assert found["total"] == 7
    assert "folded" not in found["files"]
