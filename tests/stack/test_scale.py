"""Whatever is asked for, and however often: the number of series and the memory stay flat."""

from __future__ import annotations

import json
import os
import random
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.process import Process, free_port, get, program, wait_for
from support.proofs import record_proof

FLOOD = Path(__file__).resolve().parents[1] / "support" / "flood.py"
STEPS = 10
MIB = 1024 * 1024


@pytest.mark.timeout(3600)
def test_requests_to_random_paths_methods_queries_and_ids_leave_series_and_memory_flat(tmp_path: Path, scale: int) -> None:
    requests = 10_000 * scale
    instrument = program("opentelemetry-instrument", "run `make setup`")
    command = [instrument, sys.executable, str(FLOOD), str(requests), str(STEPS)]
    with Process(command, tmp_path, {"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, name="flood") as flood:
        wait_for(lambda: flood.stdout.count("\n") == STEPS or flood.popen.poll() is not None, "the flood", 3000)
        assert flood.stdout.count("\n") == STEPS, flood.stderr[-3000:]
    found = [json.loads(line) for line in flood.stdout.splitlines()]
    middle, last = found[STEPS // 2 - 1], found[-1]
    growth = (last["rss"] - middle["rss"]) / MIB
    record_proof(
        "Requests to random paths, methods, query strings and ids",
        requests=requests,
        series_after_a_tenth=found[0]["series"],
        series_at_the_end=last["series"],
        most_series_of_a_metric=f"{last['largest'][1]} ({last['largest'][0]})",
        RSS_in_MiB_at_each_tenth=", ".join(f"{one['rss'] / MIB:.1f}" for one in found),
        growth_in_the_second_half_in_MiB=growth,
    )
    assert last["requests"] == requests, "each of them was counted"
    # The closed sets of routes, methods, statuses, errors and schemes make some 430 series; the rarest of them, redirects of odd
    # methods, come once in 50,000 requests.
    assert last["series"] - middle["series"] <= (4 if requests >= 100_000 else 40), "hardly a series is new in the second half"
    assert last["series"] < 500
    assert growth < 8


def send(port: int, requests: int, seed: int) -> None:
    """Requests to random places, one after the other over connections that stay open as long as the server lets them."""
    dice = random.Random(seed)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(requests):
        name = str(uuid.UUID(int=dice.getrandbits(128)))
        path = dice.choice((f"/conversations/{name}", "/chat", f"/users/{name}/{dice.randrange(10**6)}", f"/{name}/{name}"))
        method = dice.choice(("GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "BREW"))
        body = json.dumps({"user_id": name, "message": name}) if method == "POST" else None
        headers = {"Content-Type": "application/json", "X-User-Id": name, "User-Agent": name}
        connection.request(method, quote(path) + f"?{name}={name}", body, headers)
        connection.getresponse().read()
    connection.close()


@pytest.mark.timeout(3600)
def test_the_same_over_sockets_and_several_workers(tmp_path: Path, scale: int) -> None:
    threads, half = 4, 500 * scale
    port = free_port()
    instrument, gunicorn = program("opentelemetry-instrument", "run `make setup`"), program("gunicorn", "run `make setup`")
    served = ["--chdir", str(FLOOD.parent), "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", "flood:app"]
    root = f"http://127.0.0.1:{port}"

    def figures() -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for family in text_string_to_metric_families(get(f"{root}/metrics", timeout=60)[1]):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample.value)
        return found

    def flood(seed: int) -> tuple[int, float]:
        """Half of the requests; the number of series and the workers' memory after them."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda number: send(port, half // threads, seed + number), range(threads)))
        workers = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        pages = sum(int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in workers)
        return sum(map(len, figures().values())), pages * os.sysconf("SC_PAGE_SIZE") / MIB

    with Process(
        [instrument, gunicorn, *served], tmp_path, {"CHATBOT_OTEL_LOG_DIR": str(tmp_path / "logs")}, name="gunicorn"
    ) as server:
        server.wait(lambda: get(f"{root}/health/live")[0] == 200, "gunicorn")
        _, first = flood(1)
        middle, warm = flood(100)
        last, full = flood(200)
        requests = sum(figures()["chatbot_api_requests_total"])
        record_proof(
            "The same over sockets, two workers of four threads",
            requests=int(requests),
            samples_on_metrics_at_two_thirds=middle,
            samples_on_metrics_at_the_end=last,
            RSS_of_both_workers_in_MiB_at_each_third=f"{first:.1f}, {warm:.1f}, {full:.1f}",
        )
        assert requests == 3 * threads * (half // threads)
        assert last - middle <= 60, "a histogram's series are some 20 samples"
        assert full - warm < 12
