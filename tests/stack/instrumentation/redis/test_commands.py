"""Redis operations on a real server: cache hits and misses by key, one operation a call, nothing of their content told."""

from __future__ import annotations

import asyncio
import threading
import uuid

import pytest
import redis
from opentelemetry import trace
from redis import asyncio as aio
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.databases import TRACING, Figures, statement, unkept
from support.process import free_port

from otel_chatbot import config
from otel_chatbot.metrics import record
from otel_chatbot.metrics.store import STORE
from otel_chatbot.semconv import metrics as m

pytestmark = pytest.mark.usefixtures("sampler")


class Reads:
    """Hits and misses since the test began."""

    def __init__(self) -> None:
        self.figures = Figures()

    def __call__(self) -> tuple[float, float]:
        return self.figures(m.CACHE_HITS, "redis"), self.figures(m.CACHE_MISSES, "redis")


@pytest.fixture
def reads(client: redis.Redis) -> Reads:
    return Reads()


READS = [
    (("GET", "a"), (1, 0)),
    (("GET", "none"), (0, 1)),
    (("get", "a"), (1, 0)),
    ((b"GET", b"a"), (1, 0)),
    (("GET a",), (1, 0)),
    (("GETEX", "a"), (1, 0)),
    (("GETEX", "none"), (0, 1)),
    (("GETDEL", "b"), (1, 0)),
    (("GETDEL", "none"), (0, 1)),
    (("MGET", "a", "none", "b", "nor this"), (2, 2)),
    (("HGET", "h", "x"), (1, 0)),
    (("HGET", "h", "z"), (0, 1)),
    (("HMGET", "h", "x", "z", "y"), (2, 1)),
    (("HMGET", "none", "x"), (0, 1)),
    (("HGETALL", "h"), (1, 0)),
    (("HGETALL", "none"), (0, 1)),
    (("EXISTS", "a"), (0, 0)),
    (("SET", "a", "1"), (0, 0)),
    (("STRLEN", "a"), (0, 0)),
]


@pytest.mark.parametrize(("command", "expected"), READS, ids=lambda value: repr(value))
def test_each_key_that_a_read_asks_for_is_a_hit_or_a_miss(client, reads, command, expected) -> None:
    client.execute_command(*command)
    assert reads() == expected


def test_the_clients_methods_count_as_their_commands_do(client, reads) -> None:
    client.get("a"), client.getex("a", ex=60), client.mget(["a", "none"]), client.hgetall("h"), client.hmget("h", ["x", "z"])
    client.getdel("a"), client.get("a"), client.exists("a"), client.set("c", 1, ex=5), client.hget("h", "x")
    assert reads() == (7, 3)


@pytest.mark.parametrize("transaction", [True, False])
def test_a_pipeline_is_one_operation_and_each_key_that_it_reads_is_a_hit_or_a_miss(client, transaction: bool) -> None:
    figures = Figures()
    pipe = client.pipeline(transaction=transaction)
    pipe.get("a").get("none").mget("a", "b", "none").hgetall("h").hget("h", "z").set("c", 1).exists("a")
    pipe.execute()
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (4, 3)
    name = "MULTI" if transaction else "PIPELINE"
    assert figures.series(m.CACHE_OPERATION_TIME) == {(name,): 1}
    assert figures(m.DB_CLIENT_DURATION, "redis", name, "3") == 1


@pytest.mark.parametrize("transaction", [True, False])
def test_a_pipeline_with_one_bad_command_counts_what_the_others_read(client, transaction: bool) -> None:
    figures = Figures()
    pipe = client.pipeline(transaction=transaction).get("a").get("none").lpush("a", "not a list").get("b")
    with pytest.raises(redis.ResponseError):
        pipe.execute()
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (2, 1)
    pipe.get("a").lpush("a", "not a list")
    pipe.execute(raise_on_error=False)
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (3, 1)
    assert figures(m.CACHE_OPERATION_TIME) == 2
    assert figures(m.DB_CLIENT_DURATION, "ResponseError") == 1


def test_an_empty_pipeline_sends_nothing_and_counts_nothing(client) -> None:
    figures = Figures()
    assert client.pipeline().execute() == []
    assert figures.series(m.CACHE_OPERATION_TIME) == {}


def test_a_watched_transaction_counts_its_reads_before_and_inside(client) -> None:
    figures = Figures()
    with client.pipeline() as pipe:
        pipe.watch("a")
        pipe.get("a")
        pipe.multi()
        pipe.get("b").set("b", 5)
        pipe.execute()
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (2, 0)
    assert figures.series(m.CACHE_OPERATION_TIME) == {("WATCH",): 1, ("GET",): 1, ("MULTI",): 1}


def test_a_transaction_that_lost_its_watch_reads_nothing(client, redis_server) -> None:
    figures = Figures()
    with client.pipeline() as pipe:
        pipe.watch("a")
        pipe.multi()
        pipe.get("a")
        with record.own_traffic():
            client.set("a", "changed")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (0, 0)
    assert figures(m.DB_CLIENT_DURATION, "MULTI", "WatchError") == 1


def test_a_script_in_a_pipeline_is_part_of_that_one_operation(client) -> None:
    figures = Figures()
    script = client.register_script("return redis.call('GET', KEYS[1])")
    pipe = client.pipeline()
    script(keys=["a"], client=pipe)
    assert pipe.execute() == [b"1"]
    assert figures.series(m.CACHE_OPERATION_TIME) == {("MULTI",): 1}


def test_every_operation_has_a_time_by_name_and_the_conventions_attributes(client, redis_server) -> None:
    figures = Figures()
    client.set("x", 1), client.get("x"), client.exists("x"), client.incr("x"), client.execute_command("CONFIG GET", "port")
    names = ("SET", "GET", "EXISTS", "INCRBY", "CONFIG")
    assert figures.series(m.CACHE_OPERATION_TIME) == {(name,): 1 for name in names}
    place = "3", "localhost", redis_server.port
    assert figures.series(m.DB_CLIENT_DURATION) == {("redis", name, *place): 1 for name in names}


def test_setting_a_connection_up_is_no_operation(client) -> None:
    figures = Figures()
    client.client_setname("me"), client.select(3), client.execute_command("HELLO")
    client.connection_pool.disconnect()
    client.get("a")
    assert figures.series(m.CACHE_OPERATION_TIME) == {("GET",): 1}


def test_a_failed_command_names_its_error_and_is_neither_hit_nor_miss(client, reads) -> None:
    figures = Figures()
    with pytest.raises(redis.ResponseError):
        client.get("h")
    assert reads() == (0, 0)
    assert figures(m.DB_CLIENT_DURATION, "GET", "ResponseError") == 1
    assert figures(m.CACHE_OPERATION_TIME, "GET") == 1


def test_retries_inside_one_call_are_one_operation() -> None:
    figures = Figures()
    with redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 3)) as nobody, pytest.raises(redis.ConnectionError):
        nobody.get("a")
    assert figures.series(m.CACHE_OPERATION_TIME) == {("GET",): 1}
    assert figures(m.DB_CLIENT_DURATION, "ConnectionError") == 1
    assert figures(m.CACHE_MISSES) == 0


def test_a_prefix_says_which_keys_are_the_cache(client, reads, monkeypatch) -> None:
    settings = config.Settings(cache_prefix="cache:")
    monkeypatch.setattr(config, "current", lambda: settings)
    with record.own_traffic():
        client.set("cache:a", 1)
        client.hset("cache:h", "x", 1)
    client.get("a"), client.get("none"), client.hget("h", "x"), client.hgetall("h")
    assert reads() == (0, 0)
    client.get("cache:a"), client.get(b"cache:none"), client.mget("cache:a", "a", "cache:b"), client.hmget("cache:h", "x", "y")
    assert reads() == (3, 3)


def test_what_the_package_sends_is_counted_nowhere_and_makes_no_span(client, redis_server, reads) -> None:
    figures = Figures()
    with record.own_traffic():
        client.get("a")
        client.pipeline().get("a").execute()
        with redis.Redis(port=redis_server.port) as own:
            own.get("a")
    assert reads() == (0, 0)
    pools = (m.CONNECTION_COUNT, m.CONNECTION_MAX, m.CONNECTION_WAIT_TIME, m.CONNECTION_USE_TIME, m.CONNECTION_CREATE_TIME)
    for spec in (m.CACHE_OPERATION_TIME, m.DB_CLIENT_DURATION, *pools):
        assert [value for value in figures.series(spec).values() if value > 0] == [], spec.name
    assert TRACING.spans == ()


def test_threads_count_exactly(client, scale) -> None:
    figures = Figures()
    number = 100 * scale

    def work() -> None:
        for _ in range(number):
            client.get("a")
            client.pipeline(transaction=False).get("a").get("none").execute()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (8 * number, 4 * number)
    assert figures.series(m.CACHE_OPERATION_TIME) == {("GET",): 4 * number, ("PIPELINE",): 4 * number}
    assert figures(m.DB_CLIENT_DURATION) == 8 * number


def test_the_asyncio_client_counts_alike(client, redis_server) -> None:
    figures = Figures()

    async def chat() -> None:
        async with aio.Redis(port=redis_server.port, db=3) as other:
            await asyncio.gather(*(other.get("a") for _ in range(5)), *(other.mget("none", "b") for _ in range(5)))
            for transaction in (True, False):
                pipe = other.pipeline(transaction=transaction).get("a").lpush("a", 1).get("none")
                with pytest.raises(redis.ResponseError):
                    await pipe.execute()
            async with other.pipeline() as pipe:
                await pipe.watch("a")
                await pipe.get("a")
                pipe.multi()
                pipe.get("b")
                await pipe.execute()
            with pytest.raises(redis.ResponseError):
                await other.get("h")

    asyncio.run(chat())
    assert (figures(m.CACHE_HITS), figures(m.CACHE_MISSES)) == (14, 7)
    expected = {("GET",): 7, ("MGET",): 5, ("MULTI",): 2, ("PIPELINE",): 1, ("WATCH",): 1}
    assert figures.series(m.CACHE_OPERATION_TIME) == expected
    assert figures(m.DB_CLIENT_DURATION, "ResponseError") == 3


def test_a_cancelled_task_spoils_no_later_count(redis_server) -> None:
    figures = Figures()

    async def chat() -> None:
        async with aio.Redis(port=redis_server.port) as other:
            await other.ping()
            task = asyncio.create_task(other.blpop(["nothing:" + uuid.uuid4().hex], timeout=5))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await other.ping()

    asyncio.run(chat())
    assert figures.series(m.CACHE_OPERATION_TIME) == {("PING",): 2, ("BLPOP",): 1}
    assert figures(m.DB_CLIENT_DURATION, "CancelledError") == 1


def test_exemplars_name_the_request_in_which_the_operation_ran(client, sampler) -> None:
    series = STORE.instrument(m.CACHE_OPERATION_TIME).at(("GET",))
    unkept(series)
    with TRACING.request() as span:
        client.get("a")
    cells = series._cells
    assert cells is not None
    trace_id = span.get_span_context().trace_id
    words = cells.cast("B").cast("Q").tolist()
    assert ([trace_id >> 64, trace_id & (2**64 - 1)] in [words[n : n + 2] for n in range(len(words))]) is (
        sampler == "always_on"
    )


def test_spans_are_upstreams_and_hold_no_value(client, sampler) -> None:
    secret = "s3cret-" + uuid.uuid4().hex
    with TRACING.request():
        client.set(secret, secret)
        client.get(secret)
        client.execute_command(f"GET {secret}")
        client.execute_command("CONFIG GET", "port")
        pipe = client.pipeline().set(secret, secret).lpush(secret, secret)
        for call in (
            pipe.execute,
            lambda: client.lpush(secret, secret),
            lambda: client.execute_command("FT.SEARCH", "i", secret),
        ):
            with pytest.raises(redis.ResponseError):
                call()
    if sampler == "always_off":
        assert TRACING.spans == ()
        return
    told = "".join(span.to_json() for span in TRACING.spans)
    assert secret not in told
    names = [span.name for span in TRACING.spans]
    assert names == ["SET", "GET", "GET", "CONFIG GET", "SET LPUSH", "LPUSH", "redis.search", "request"]
    assert [statement(span) for span in TRACING.spans[:3]] == ["SET ? ?", "GET ?", "GET ?"]
    failed = [span for span in TRACING.spans if span.attributes.get("error.type")]
    assert [(span.status.description, len(span.events)) for span in failed] == [("ResponseError", 0)] * 3


def test_a_broken_tracer_reaches_neither_the_application_nor_the_figures(client, monkeypatch) -> None:
    from otel_chatbot import _guard

    monkeypatch.setattr(_guard.Guard, "strict", False)
    TRACING.broken = True
    figures = Figures()
    assert client.get("a") == b"1"
    assert client.pipeline().get("a").execute() == [b"1"]
    TRACING.broken = False
    assert figures(m.CACHE_HITS) == 2


def test_a_span_is_the_current_one_while_its_operation_runs_and_no_longer(client, sampler) -> None:
    inside = []
    client.set_response_callback("GET", lambda reply, **_: inside.append(trace.get_current_span().get_span_context()) or reply)
    with TRACING.request() as request:
        client.get("a")
        assert trace.get_current_span() is request
    if sampler == "always_on":
        [found] = [span for span in TRACING.spans if span.name == "GET"]
        assert inside == [found.context]


def test_a_long_pipeline_has_a_span_of_bounded_length(client, sampler) -> None:
    pipeline = client.pipeline()
    for number in range(400):
        pipeline.mget([f"k{number}"] * 700)
    with TRACING.request():
        pipeline.execute()
    spans = [span for span in TRACING.spans if span.name.startswith("MGET")]
    assert [len(span.name) for span in spans] == ([1000] if sampler == "always_on" else [])
    assert all(len(line) <= 1000 for span in spans for line in str(span.attributes["db.query.text"]).split("\n"))
