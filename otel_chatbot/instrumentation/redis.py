"""Instrumentation of Redis: spans by OpenTelemetry's own instrumentor, figures by wrapping redis-py's calls once.

Fed by the distribution, which calls `instrument` when the application imports redis; feeds `redis_commands`,
`redis_pool` and `cache_size` with the calls of every client, sync, asyncio and cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.trace import Span, TracerProvider

from .._guard import never_raise, report
from ..health.clients import remember_redis
from ..metrics import record
from ..semconv import attributes as a
from ..semconv import metrics as m
from . import cache_size, redis_commands, redis_pool
from .patching import Method, Patches, being_imported, imported_before, living
from .redis_commands import begin, operation_name
from .tracing import GuardedTracerProvider

_patches = Patches()
Wrapper = Callable[[Method], Method]
_UPSTREAM = "opentelemetry.instrumentation.redis"
_SEARCH_SPAN = "redis.search"
_SEARCH = "FT.SEARCH"


class State:
    """Whether the instrumentation is on, and whether the spans are ours to switch off."""

    on = False
    spans = False


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Switch Redis's figures and spans on; a second call does nothing. Imports redis."""
    if State.on:
        return
    earlier = imported_before("redis")
    from redis import client, cluster
    from redis.asyncio import client as aio_client
    from redis.asyncio import cluster as aio_cluster

    State.on = redis_commands.State.on = redis_pool.State.on = True
    record.activate(m.CACHE_HITS, m.CACHE_MISSES, m.CACHE_OPERATION_TIME)
    cache_size.ask_redis()
    _wrap(client.Redis, client.Pipeline, _one, _many, _remembering)
    _wrap(aio_client.Redis, aio_client.Pipeline, _one_async, _many_async, _remembering)
    _wrap(cluster.RedisCluster, cluster.ClusterPipeline, _one, _many, _remembering_cluster)
    _wrap(aio_cluster.RedisCluster, aio_cluster.ClusterPipeline, _one_async, _many_async, _remembering_cluster)
    redis_pool.follow(_patches)
    if earlier:
        clients = (client.Redis, aio_client.Redis, cluster.RedisCluster, aio_cluster.RedisCluster)
        _find(clients, (client.Pipeline, aio_client.Pipeline, cluster.ClusterPipeline))
    _trace(tracer_provider)


def uninstrument() -> None:
    """Switch them off again."""
    if not State.on:
        return
    from opentelemetry.instrumentation.redis import RedisInstrumentor

    State.on = redis_commands.State.on = redis_pool.State.on = False
    if State.spans:
        State.spans = False
        RedisInstrumentor().uninstrument()
    _patches.restore()


def _wrap(client: type, pipeline: type, one: Wrapper, many: Wrapper, remembering: Wrapper) -> None:
    _patches.wrap(client, "__init__", remembering)
    _patches.wrap(client, "execute_command", one)
    _patches.wrap(pipeline, "immediate_execute_command", one)
    _patches.wrap(pipeline, "execute", many)
    _patches.wrap(pipeline, "raise_first_error", _noting)


def _one(original: Method) -> Method:
    def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        operation = begin(self, operation_name(args), (args,))
        if operation is None:
            return original(self, *args, **options)
        try:
            reply = original(self, *args, **options)
        except BaseException as error:
            operation.failed(error)
            raise
        operation.succeeded((reply,))
        return reply

    return execute_command


def _one_async(original: Method) -> Method:
    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        operation = begin(self, operation_name(args), (args,))
        if operation is None:
            return await original(self, *args, **options)
        try:
            reply = await original(self, *args, **options)
        except BaseException as error:
            operation.failed(error)
            raise
        operation.succeeded((reply,))
        return reply

    return execute_command


def _many(original: Method) -> Method:
    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        operation = _begin_pipeline(self)
        if operation is None:
            return original(self, *args, **kwargs)
        try:
            replies = original(self, *args, **kwargs)
        except BaseException as error:
            operation.failed(error)
            raise
        operation.succeeded(replies)
        return replies

    return execute


def _many_async(original: Method) -> Method:
    async def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        operation = _begin_pipeline(self)
        if operation is None:
            return await original(self, *args, **kwargs)
        try:
            replies = await original(self, *args, **kwargs)
        except BaseException as error:
            operation.failed(error)
            raise
        operation.succeeded(replies)
        return replies

    return execute


@never_raise
def _begin_pipeline(pipeline: Any) -> redis_commands.Operation | None:
    # The stack is emptied by the call: the commands are copied before it.
    strategy = getattr(pipeline, "_execution_strategy", None)
    if strategy is None:
        stack = getattr(pipeline, "command_stack", None) or ()
        commands = [item[0] if isinstance(item, tuple) else item.args for item in stack]
        # A sync pipeline keeps its flag as `transaction`, an asyncio one as `is_transaction`: `transaction` is a method there.
        flags = vars(pipeline)
        multi = flags.get("transaction") or flags.get("is_transaction") or flags.get("explicit_transaction")
    else:
        queue = getattr(strategy, "command_queue", None) or getattr(strategy, "_command_queue", None) or ()
        commands = [item.args for item in queue]
        multi = "Transaction" in type(strategy).__name__
    if not commands and not getattr(pipeline, "watching", False):
        return None  # nothing is sent
    return begin(pipeline, "MULTI" if multi else "PIPELINE", commands)


def _noting(original: Method) -> Method:
    def raise_first_error(self: Any, commands: Any, response: Any) -> Any:
        redis_commands.note_replies(response)
        return original(self, commands, response)

    return raise_first_error


def _remembering(original: Method) -> Method:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not redis_commands.is_inside():  # a cluster client makes a client for each of its nodes
            _remember(self)

    return init


def _remembering_cluster(original: Method) -> Method:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        token = redis_commands.inside_library()
        try:
            original(self, *args, **kwargs)
        finally:
            redis_commands.outside_library(token)
        _remember(self)

    return init


_remember = never_raise(remember_redis)


@never_raise
def _find(clients: tuple[type, ...], pipelines: tuple[type, ...]) -> None:
    """Remember the clients that are older than the instrumentation."""
    for client in living(clients, pipelines):
        remember_redis(client)


def _trace(tracer_provider: TracerProvider | None) -> None:
    if being_imported(_UPSTREAM):
        return  # redis is imported by upstream's instrumentor itself: whoever imports that will use it
    try:
        from opentelemetry.instrumentation.redis import RedisInstrumentor

        instrumentor = RedisInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(
                tracer_provider=GuardedTracerProvider(tracer_provider), request_hook=_on_request, response_hook=_on_response
            )
            State.spans = instrumentor.is_instrumented_by_opentelemetry
    except Exception as error:
        report("instrumenting redis's spans", error)


def _on_request(span: Span, _client: Any, command: Sequence[Any], _options: Any) -> None:
    """Keep values out of the span: upstream takes the whole first argument for a name, and copies search results."""
    if not span.is_recording() or not command:
        return
    if getattr(span, "name", "") == _SEARCH_SPAN:
        span.update_name(_SEARCH)  # upstream adds the query and the documents to spans of the other name
    first = command[0].decode("utf-8", "replace") if isinstance(command[0], bytes) else str(command[0])
    if len(first.split()) > 1 and operation_name(command) not in _WITH_SUBCOMMANDS:
        span.update_name(operation_name(command))
        for name in {a.DB_QUERY_TEXT, a.DB_STATEMENT}.intersection(getattr(span, "attributes", None) or ()):
            span.set_attribute(name, operation_name(command) + " ?" * (len(first.split()) - 1 + len(command) - 1))


def _on_response(span: Span, _client: Any, _reply: Any) -> None:
    if span.is_recording() and getattr(span, "name", "") == _SEARCH:
        span.update_name(_SEARCH_SPAN)


_WITH_SUBCOMMANDS = frozenset({
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT", "PUBSUB",
    "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO",
})  # fmt: skip
"""Commands whose second word is a part of the name; redis-py gives both as one argument."""
