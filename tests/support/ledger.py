"""What a script did to an app, kept in the script's own books, and what /metrics has to say of it then: exactly that.

A `Ledger` keeps requests, errors, business events and ids, as the script and the app's answers tell them. `taps` (the wire to
MongoDB and Redis) and the model server's log tell the rest. `Books.check` compares every series of the 16 and of the
conventions' metrics, none more and none less; histograms by their counts, and their sums by bounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .model import Call
from .process import wait_for
from .taps import MongoTap, RedisTap

Labels = frozenset[tuple[str, str]]
Samples = Mapping[tuple[str, Labels], float]

SLACK = 0.005
"""Seconds for rounding between two clocks."""


def labels(**pairs: object) -> Labels:
    """A series' labels; None for those that it has not."""
    return frozenset((name, str(value)) for name, value in pairs.items() if value is not None)


@dataclass
class Ledger:
    """The script's own books. `seconds` is the time that the client spent waiting for counted requests."""

    requests: Counter[tuple[str, str | None, int, str | None]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    conversations: int = 0
    sent: int = 0
    received: int = 0
    hits: int = 0
    misses: int = 0
    users: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def request(
        self,
        method: str,
        route: str | None,
        status: int,
        seconds: float = 0.0,
        *,
        error: str | None = None,
        counts: bool = True,
    ) -> None:
        """A request that was answered; `error` is the kind of its failure; `counts`: it is the first error of its request."""
        self.requests[method, route, status, error] += 1
        self.seconds += seconds
        if error is not None and counts:
            self.errors[error] += 1

    def failed_call(self, error: str) -> None:
        """A call of the model that failed."""
        self.errors[error] += 1


@dataclass
class Books:
    """Everything that is known of what happened, from the script and from the wire."""

    ledger: Ledger
    mongo: MongoTap | None = None
    redis: RedisTap | None = None
    calls: Callable[[], list[Call]] = list
    errors_of_calls: Mapping[int, str] = field(default_factory=dict)
    """The kinds of error with which the app's client reports an answer's status; 0: an answer that was cut off."""
    cache: str = "redis"
    """Where the app's cache is: a value of `db.system.name`."""
    cache_operations: Counter[str] = field(default_factory=Counter)
    """The operations of a cache that is not on the wire."""
    cache_keys: Callable[[], int] | None = None
    """How many keys such a cache has."""
    shared_connections: int = 0
    """Commands that went over a connection which the call that sent them had taken for one before."""

    def check(self, read: Callable[[], Samples]) -> Samples:
        """Compare the figures with the books, after everything has come to an end; the figures."""
        wait_for(lambda: not _total(read(), "http_server_active_requests"), "an end of every request")
        wanted_gauges = self.gauges()
        wait_for(lambda: not _differences(wanted_gauges, read()), f"the gauges {_differences(wanted_gauges, read())}", 6)
        samples = read()
        wanted = self.series()
        differences = _differences({**wanted, **wanted_gauges}, samples)
        assert not differences, "\n".join(["the figures differ from the books:", *differences])
        self._check_times(samples)
        return samples

    def series(self) -> dict[str, Counter[Labels]]:
        """The expected series of the counters and histograms by name of their sample; all without a value are 0."""
        ledger = self.ledger
        wanted: dict[str, Counter[Labels]] = {
            "chatbot_conversations_created_total": Counter({labels(): ledger.conversations}),
            "chatbot_messages_sent_total": Counter({labels(): ledger.sent}),
            "chatbot_messages_received_total": Counter({labels(): ledger.received}),
            "chatbot_cache_hits_total": Counter({labels(db_system_name=self.cache): ledger.hits}),
            "chatbot_cache_misses_total": Counter({labels(db_system_name=self.cache): ledger.misses}),
            "chatbot_errors_total": Counter({labels(error_type=kind): n for kind, n in ledger.errors.items()}),
        }
        names = (
            "chatbot_api_requests_total",
            "chatbot_response_time_seconds_count",
            "http_server_request_duration_seconds_count",
        )
        requests, times, durations = (wanted.setdefault(name, Counter()) for name in names)
        for (method, route, status, error), number in ledger.requests.items():
            key = {"http_request_method": method, "http_route": route, "http_response_status_code": status}
            for counted in (requests, times):
                counted[labels(**key)] += number
            durations[labels(**key, error_type=error, url_scheme="http", network_protocol_version="1.1")] += number
        self._add_mongo(wanted)
        self._add_cache(wanted)
        self._add_model(wanted)
        return wanted

    def _add_mongo(self, wanted: dict[str, Counter[Labels]]) -> None:
        queries = wanted.setdefault("chatbot_db_queries_total", Counter())
        times = wanted.setdefault("chatbot_db_query_time_seconds_count", Counter())
        durations = wanted.setdefault("db_client_operation_duration_seconds_count", Counter())
        if self.mongo is None:
            return
        commands = self.mongo.commands()
        for sent in commands:
            key = {"db_operation_name": sent.name, "db_collection_name": sent.collection}
            queries[labels(**key, error_type=sent.error)] += 1
            times[labels(**key)] += 1
            more = {"db_namespace": sent.database, "db_response_status_code": sent.code, "error_type": sent.error}
            durations[labels(db_system_name="mongodb", **key, **more, **_server(self.mongo.port))] += 1
        pool = labels(db_system_name="mongodb", db_client_connection_pool_name=f"127.0.0.1:{self.mongo.port}")
        wanted["db_client_connection_create_time_seconds_count"] = Counter({pool: len(self.mongo.connections)})
        for name in ("wait_time", "use_time"):
            wanted[f"db_client_connection_{name}_seconds_count"] = Counter({pool: len(commands) - self.shared_connections})
        wanted["db_client_connection_timeouts_total"] = Counter()

    def _add_cache(self, wanted: dict[str, Counter[Labels]]) -> None:
        times = wanted.setdefault("chatbot_cache_operation_time_seconds_count", Counter())
        operations = self.cache_operations
        if self.redis is not None:
            operations = self.redis.operations()
            port = self.redis.server.port
            for name, number in operations.items():
                key = {"db_system_name": "redis", "db_operation_name": name, "db_namespace": 0}
                wanted["db_client_operation_duration_seconds_count"][labels(**key, **_server(port))] += number
            pool = labels(db_system_name="redis", db_client_connection_pool_name=f"127.0.0.1:{port}/0")
            for name in ("wait_time", "use_time"):
                wanted.setdefault(f"db_client_connection_{name}_seconds_count", Counter())[pool] = operations.total()
            created = wanted.setdefault("db_client_connection_create_time_seconds_count", Counter())
            created[pool] = len(self.redis.commands())
        for name, number in operations.items():
            times[labels(db_operation_name=name)] += number

    def _add_model(self, wanted: dict[str, Counter[Labels]]) -> None:
        times = wanted.setdefault("chatbot_ai_response_time_seconds_count", Counter())
        for call in self.calls():
            times[labels(gen_ai_provider_name="openai", gen_ai_request_model=call.model, error_type=self._error_of(call))] += 1

    def _error_of(self, call: Call) -> str | None:
        if not call.failed:
            return None
        return self.errors_of_calls[0 if call.cut else call.status]

    def gauges(self) -> dict[str, Counter[Labels]]:
        """The expected series of the gauges."""
        wanted = {
            "chatbot_active_users": Counter({labels(): len(self.ledger.users)}),
            "chatbot_active_conversations": Counter({labels(): len(self.ledger.active)}),
            "http_server_active_requests": Counter[Labels](),
            "db_client_connection_pending_requests": Counter[Labels](),
        }
        count = wanted["db_client_connection_count"] = Counter[Labels]()
        if self.mongo is not None:
            held = sum(one.open for one in self.mongo.connections)
            wanted["chatbot_db_connections"] = Counter({labels(db_client_connection_state="idle"): held})
            count[_pool("mongodb", f"127.0.0.1:{self.mongo.port}")] = held
        if self.redis is not None:
            count[_pool("redis", f"127.0.0.1:{self.redis.server.port}/0")] = len(self.redis.commands())
        keys = self.redis.keys if self.redis is not None else self.cache_keys
        if keys is not None:
            wanted["chatbot_cache_size"] = Counter({labels(db_system_name=self.cache): keys()})
        return wanted

    def _check_times(self, samples: Samples) -> None:
        """Sums lie between what the other side of the wire measured and what holds them: no call lasts longer than its request."""
        served = _total(samples, "chatbot_response_time_seconds_sum")
        assert 0 < served <= self.ledger.seconds + SLACK * self.ledger.requests.total(), (
            "requests took longer than the client waited"
        )
        assert _total(samples, "http_server_request_duration_seconds_sum") == _close(served)
        if self.mongo is not None:
            on_wire = sum(sent.seconds for sent in self.mongo.commands())
            queries = _total(samples, "chatbot_db_query_time_seconds_sum")
            assert on_wire - SLACK <= queries <= served, (
                f"{on_wire} s on the wire, {queries} s of queries, {served} s of requests"
            )
        calls = self.calls()
        if calls:
            asked = _total(samples, "chatbot_ai_response_time_seconds_sum")
            answered = sum(call.seconds for call in calls if not call.aborted)
            assert answered - SLACK * len(calls) <= asked <= served, f"{answered} s of the model, {asked} s of AI calls"


def _close(value: float) -> object:
    import pytest

    return pytest.approx(value, rel=1e-6)


def _pool(system: str, name: str) -> Labels:
    return labels(db_system_name=system, db_client_connection_pool_name=name, db_client_connection_state="idle")


def _server(port: int) -> dict[str, object]:
    return {"server_address": "127.0.0.1", "server_port": port}


def _total(samples: Samples, name: str) -> float:
    return sum(value for (found, _), value in samples.items() if found == name)


def _differences(wanted: Mapping[str, Mapping[Labels, float]], samples: Samples) -> list[str]:
    found = []
    for name, series in wanted.items():
        actual = {key: value for (sample, key), value in samples.items() if sample == name and value}
        for key in {*actual, *(key for key, value in series.items() if value)}:
            if actual.get(key, 0) != series.get(key, 0):
                shown = ", ".join(f"{label}={value}" for label, value in sorted(key))
                found.append(f"  {name}{{{shown}}}: {actual.get(key, 0):g}, by the books {series.get(key, 0):g}")
    return sorted(found)
