"""Health in bad weather: real servers that hang, refuse, flap, fail over, want other credentials or speak no TLS.

In every case `/health/ready` answers within its budget, with the right status, and names no secret.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymongo
import pytest
import redis
from pymongo import ReadPreference
from redis.asyncio import Redis as AsyncRedis
from redis.cluster import RedisCluster
from redis.sentinel import Sentinel
from support.health import fresh_health
from support.process import Process, free_port, port_open, program, wait_for
from support.servers import MongoServer, RedisServer
from support.weather import BlackHole, MongoMember, Proxy, self_signed, stopped

from otel_chatbot.health import HealthChecker, clients

BUDGET = 1.0
SLACK = 15.0
"""What a loaded machine may add to the budget, in seconds; without the budget these cases cost 30, or have no end."""
SECRET = "hush-hush-1234"


@pytest.fixture
def checker() -> Iterator[HealthChecker]:
    with fresh_health() as fresh:
        yield fresh


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server of this module's own, which its tests stop and continue."""
    with MongoServer(tmp_path_factory.mktemp("mongo")) as server:
        yield server


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def probe(checker: HealthChecker, budget: float = BUDGET) -> dict[str, Any]:
    """A readiness answer that came within the budget and holds no secret."""
    start = time.monotonic()
    answer = checker.readiness()
    assert time.monotonic() - start < budget + SLACK
    assert SECRET not in str(answer)
    return answer


def database(checker: HealthChecker) -> tuple[str, str]:
    found = probe(checker)["checks"]["database"]
    return found["status"], found["message"]


def test_both_servers_well(mongo: MongoServer, cache: RedisServer) -> None:
    with fresh_health(MONGODB_URI=mongo.uri, REDIS_URL=cache.url) as checker:
        answer = probe(checker)
        assert answer["status"] == "healthy"
        assert answer["checks"]["database"]["message"] == "MongoDB connected"
        assert answer["checks"]["cache"]["message"] == "Cache OK (redis)"
        assert answer["checks"]["cache"]["backend"] == "redis"
        assert 0 < answer["checks"]["database"]["latency_ms"] < 1000


def test_hanging_servers_cost_the_budget_and_are_well_again_when_they_go_on(mongo: MongoServer, cache: RedisServer) -> None:
    with fresh_health(MONGODB_URI=mongo.uri, REDIS_URL=cache.url) as checker:
        assert probe(checker)["status"] == "healthy"
        with stopped(mongo.pid):
            answer = probe(checker)
            assert answer["status"] == "unhealthy"
            assert "timed out" in answer["checks"]["database"]["message"]
            assert answer["checks"]["cache"]["status"] == "healthy"
        with stopped(cache.pid):
            answer = probe(checker)
            assert answer["checks"]["database"]["status"] == "healthy"
            assert answer["checks"]["cache"]["status"] == "unhealthy"
            assert answer["status"] == "degraded"
        wait_for(lambda: probe(checker)["status"] == "healthy", "the servers to be seen again")


def test_the_budget_is_the_settings(mongo: MongoServer) -> None:
    with fresh_health(MONGODB_URI=mongo.uri, CHATBOT_OTEL_HEALTH_TIMEOUT="0.2") as checker, stopped(mongo.pid):
        assert probe(checker, 0.2)["status"] == "unhealthy"


def test_refused_ports_answer_at_once() -> None:
    ports = free_port(), free_port()
    with fresh_health(
        MONGODB_URI=f"mongodb://127.0.0.1:{ports[0]}", REDIS_URL=f"redis://:{SECRET}@127.0.0.1:{ports[1]}"
    ) as checker:
        answer = probe(checker, 0.0)
        assert answer["status"] == "unhealthy"
        assert "Connection refused" in answer["checks"]["database"]["message"]
        assert "refused" in answer["checks"]["cache"]["message"]


def test_a_black_hole_costs_the_budget_and_leaves_one_connection_at_a_time() -> None:
    with (
        BlackHole() as hole,
        fresh_health(
            MONGODB_URI=f"mongodb://app:{SECRET}@127.0.0.1:{hole.port}", REDIS_URL=f"redis://:{SECRET}@127.0.0.1:{hole.port}"
        ) as checker,
    ):
        for _ in range(2):
            answer = probe(checker)
            assert answer["status"] == "unhealthy"
            assert {check["status"] for check in answer["checks"].values()} == {"unhealthy"}
        assert hole.accepted <= 8  # a monitor's retries count


def test_a_name_that_does_not_resolve() -> None:
    with fresh_health(
        MONGODB_URI=f"mongodb://app:{SECRET}@no-such-host.invalid", REDIS_URL=f"redis://:{SECRET}@no-such-host.invalid"
    ) as checker:
        assert probe(checker)["status"] == "unhealthy"


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://app:{SECRET}@",
        f"mongo://app:{SECRET}@db",
        f"mongodb://app:{SECRET}:x@db",
        "mongodb+srv://no-such-host.invalid",
    ],
)
def test_an_address_that_is_none(uri: str) -> None:
    with fresh_health(MONGODB_URI=uri, REDIS_URL=uri) as checker:
        answer = probe(checker)
        assert answer["status"] == "unhealthy"
        assert answer["checks"]["cache"]["status"] == "unhealthy"


def test_flapping_servers_are_seen_each_time(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    with fresh_health(MONGODB_URI=f"mongodb://127.0.0.1:{ports[0]}", REDIS_URL=f"redis://127.0.0.1:{ports[1]}") as checker:
        for turn in range(2):
            with MongoServer(tmp_path / f"m{turn}", ports[0]), RedisServer(tmp_path / f"r{turn}", ports[1]):
                assert probe(checker)["status"] == "healthy"
            assert probe(checker)["status"] == "unhealthy"


def test_wrong_credentials_name_the_fault_and_not_the_password(
    mongo: MongoServer, checker: HealthChecker, tmp_path: Path
) -> None:
    with (
        RedisServer(tmp_path, 0, "--requirepass", "the-right-one") as locked,
        pymongo.MongoClient(mongo.uri, username="app", password=SECRET) as app_mongo,
        redis.Redis(port=locked.port, password=SECRET) as app_redis,
    ):
        clients.remember_mongo(app_mongo)
        clients.remember_redis(app_redis)
        answer = probe(checker)
        assert answer["status"] == "unhealthy"
        assert answer["checks"]["database"]["message"] == "OperationFailure: AuthenticationFailed (code 18)"
        assert answer["checks"]["cache"]["message"].startswith("AuthenticationError")
        with redis.Redis(port=locked.port, password="the-right-one") as right:
            clients.remember_redis(right)
            assert probe(checker)["checks"]["cache"]["status"] == "healthy"


def test_tls_to_a_plain_port(mongo: MongoServer, cache: RedisServer, checker: HealthChecker) -> None:
    with (
        pymongo.MongoClient(mongo.uri, tls=True, connect=False) as app_mongo,
        redis.Redis(port=cache.port, ssl=True) as app_redis,
    ):
        clients.remember_mongo(app_mongo)
        clients.remember_redis(app_redis)
        answer = probe(checker)
        assert answer["status"] == "unhealthy"
        assert answer["checks"]["cache"]["status"] == "unhealthy"


def test_a_certificate_that_nobody_signed_is_refused_and_the_apps_own_trust_is_kept(
    checker: HealthChecker, tmp_path: Path
) -> None:
    key, certificate = self_signed(tmp_path)
    port = free_port()
    arguments = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with RedisServer(tmp_path, 0, *arguments, "--tls-auth-clients", "no"):
        wait_for(lambda: port_open(port), "the TLS port")
        with redis.Redis("localhost", port, ssl=True) as strict:
            clients.remember_redis(strict)
            message = probe(checker)["checks"]["cache"]["message"]
            assert "CERTIFICATE_VERIFY_FAILED" in message
        with redis.Redis("localhost", port, ssl=True, ssl_ca_certs=str(certificate)) as trusting:
            clients.remember_redis(trusting)
            assert probe(checker)["checks"]["cache"]["message"] == "Cache OK (redis)"


def test_a_replica_that_takes_no_writes_degrades_until_it_is_promoted(cache: RedisServer, tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path, 0, "--replicaof", f"127.0.0.1 {cache.port}") as replica,
        fresh_health(REDIS_URL=replica.url) as checker,
    ):
        answer = probe(checker)
        assert answer["status"] == "degraded"
        assert answer["checks"]["cache"]["message"].startswith("ReadOnlyError")
        with redis.Redis.from_url(replica.url) as admin:
            admin.replicaof("NO", "ONE")
        assert probe(checker)["status"] == "healthy"


def test_a_replica_set_without_a_primary_is_unhealthy_unless_the_app_reads_from_secondaries(
    checker: HealthChecker,
) -> None:
    with MongoMember() as member:
        uri = f"mongodb://127.0.0.1:{member.port}/?replicaSet=rs"
        with pymongo.MongoClient(uri, connect=False) as strict:
            clients.remember_mongo(strict)
            assert database(checker) == (
                "unhealthy", "ServerSelectionTimeoutError: no server for read preference Primary",
            )  # fmt: skip
        with pymongo.MongoClient(uri, connect=False, readPreference="secondaryPreferred") as reader:
            assert reader.read_preference == ReadPreference.SECONDARY_PREFERRED
            clients.remember_mongo(reader)
            assert database(checker)[0] == "healthy"


def test_a_dead_seed_beside_a_living_one_does_no_harm(mongo: MongoServer) -> None:
    uri = f"mongodb://127.0.0.1:{free_port()},127.0.0.1:{mongo.port}/"
    with fresh_health(MONGODB_URI=uri) as checker:
        assert database(checker) == ("healthy", "MongoDB connected")


def test_a_slow_network_within_the_budget_is_healthy(mongo: MongoServer, cache: RedisServer) -> None:
    with (
        Proxy(mongo.port, 0.04) as to_mongo,
        Proxy(cache.port, 0.02) as to_redis,
        fresh_health(
            MONGODB_URI=f"mongodb://127.0.0.1:{to_mongo.port}/?directConnection=true",
            REDIS_URL=f"redis://127.0.0.1:{to_redis.port}",
        ) as checker,
    ):
        assert probe(checker)["status"] == "healthy"


def test_the_apps_own_asyncio_clients_are_asked_with_their_settings(
    mongo: MongoServer, checker: HealthChecker, tmp_path: Path
) -> None:
    async def check(locked: RedisServer) -> dict[str, Any]:
        async with (
            pymongo.AsyncMongoClient(mongo.uri) as app_mongo,
            AsyncRedis(port=locked.port, password="the-right-one", decode_responses=True) as app_redis,
        ):
            clients.remember_mongo(app_mongo)
            clients.remember_redis(app_redis)
            return await asyncio.to_thread(probe, checker)

    with RedisServer(tmp_path, 0, "--requirepass", "the-right-one") as locked:
        answer = asyncio.run(check(locked))
    assert answer["status"] == "healthy"
    assert answer["checks"]["database"]["message"] == "MongoDB connected"
    assert answer["checks"]["cache"]["message"] == "Cache OK (redis)"


def test_redis_behind_a_unix_socket_a_sentinel_and_in_a_cluster(checker: HealthChecker, tmp_path: Path) -> None:
    def cache_message() -> str:
        return str(probe(checker)["checks"]["cache"]["message"])

    path = str(tmp_path / "redis.sock")
    with RedisServer(tmp_path, 0, "--unixsocket", path) as server:
        with redis.Redis(unix_socket_path=path) as by_path:
            clients.remember_redis(by_path)
            assert cache_message() == "Cache OK (redis)"
        with _sentinel(tmp_path, server.port) as sentinel_port:
            sentinel = Sentinel([("127.0.0.1", sentinel_port)])
            with sentinel.master_for("main") as by_sentinel:
                clients.remember_redis(by_sentinel)
                assert cache_message() == "Cache OK (redis)"
            sentinel.sentinels[0].close()
    with RedisServer(tmp_path / "cluster", 0, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as node:
        with redis.Redis.from_url(node.url) as admin:
            admin.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            wait_for(lambda: admin.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "the cluster")
        with RedisCluster(host="127.0.0.1", port=node.port) as by_cluster:
            clients.remember_redis(by_cluster)
            assert cache_message() == "Cache OK (redis)"


@contextmanager
def _sentinel(folder: Path, port: int) -> Iterator[int]:
    """A real sentinel that watches a Redis under the name `main`; yields its port."""
    own = free_port()
    settings = folder / "sentinel.conf"
    settings.write_text(f"port {own}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {port} 1\n")
    binary = program("redis-server", "install Debian's redis-server, or run `make setup`")
    with Process([binary, str(settings), "--sentinel"], folder, name="sentinel") as process:
        process.wait(lambda: port_open(own), "the sentinel")
        yield own


def test_a_thousand_concurrent_probes_cost_the_servers_one_run(mongo: MongoServer, cache: RedisServer) -> None:
    with (
        Proxy(mongo.port, 0.02) as to_mongo,
        redis.Redis.from_url(cache.url) as admin,
        fresh_health(MONGODB_URI=f"mongodb://127.0.0.1:{to_mongo.port}/?directConnection=true", REDIS_URL=cache.url) as checker,
    ):
        start = threading.Barrier(1001)

        def one() -> str:
            start.wait(60)
            return str(checker.readiness()["status"])

        admin.config_resetstat()
        with ThreadPoolExecutor(1000) as pool:
            answers = [pool.submit(one) for _ in range(1000)]
            began = time.monotonic()
            start.wait(60)
            assert {answer.result(60) for answer in answers} == {"healthy"}
            lasted = time.monotonic() - began
        runs = to_mongo.sent.count(b"ping\x00")
        print(
            f"1,000 probes in {lasted:.2f} s: {runs} MongoDB pings, {admin.info('commandstats')['cmdstat_set']['calls']} SETs"
        )
        allowed = 1 + int(lasted)  # a run answers a burst for a second at most
        assert 1 <= runs <= allowed
        assert 1 <= admin.info("commandstats")["cmdstat_set"]["calls"] <= allowed


def test_a_thousand_concurrent_probes_while_the_servers_hang_cost_one_run(mongo: MongoServer, cache: RedisServer) -> None:
    with (
        Proxy(mongo.port) as to_mongo,
        fresh_health(MONGODB_URI=f"mongodb://127.0.0.1:{to_mongo.port}", REDIS_URL=cache.url) as checker,
    ):
        with stopped(mongo.pid, cache.pid), ThreadPoolExecutor(1000) as pool:
            began = time.monotonic()
            answers = [pool.submit(checker.readiness) for _ in range(1000)]
            assert {answer.result(60)["status"] for answer in answers} == {"unhealthy"}
            lasted = time.monotonic() - began
        assert lasted < 2 * BUDGET + SLACK
        assert to_mongo.accepted <= 2 * (1 + int(lasted))
        wait_for(lambda: probe(checker)["status"] == "healthy", "the servers to be seen again")


def test_bad_weather_leaves_no_thread_and_no_descriptor(mongo: MongoServer, cache: RedisServer) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with (
        BlackHole() as hole,
        fresh_health(MONGODB_URI=mongo.uri, REDIS_URL=cache.url, CHATBOT_OTEL_HEALTH_TIMEOUT="0.3") as checker,
    ):
        probe(checker)
        wait_for(lambda: not _own_threads(), "the threads of the first probe to end")
        before = descriptors()
        for _ in range(5):
            probe(checker)
        with pymongo.MongoClient(port=hole.port, connect=False) as lost, redis.Redis(port=hole.port) as lost_redis:
            clients.remember_mongo(lost)
            clients.remember_redis(lost_redis)
            for _ in range(3):
                assert probe(checker)["status"] == "unhealthy"
        wait_for(lambda: not _own_threads(), "the threads to end")
        wait_for(lambda: descriptors() <= before + hole.accepted, "the descriptors to be closed")


def _own_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("otel_chatbot-health", "pymongo_"))]


def test_the_keys_of_the_check_expire_or_are_gone(cache: RedisServer) -> None:
    with redis.Redis.from_url(cache.url) as admin, fresh_health(REDIS_URL=cache.url) as checker:
        with admin.monitor() as monitor:
            probe(checker)
            admin.echo("end")
            seen = []
            for command in monitor.listen():
                if command["command"].startswith("ECHO"):
                    break
                seen.append(command["command"])
        writes = [command for command in seen if command.startswith("SET ")]
        assert len(writes) == 1
        assert writes[0].startswith("SET otel_chatbot:health:")
        assert " EX 5" in writes[0]
        assert not list(admin.scan_iter("otel_chatbot:*"))
