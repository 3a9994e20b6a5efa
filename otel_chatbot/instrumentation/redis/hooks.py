"""Instrumentation of Redis: spans and figures, by wrapping redis-py's calls once.

Fed by the distribution, which calls `instrument` when the application imports redis; feeds `redis.commands`,
`redis.pool` and `common.cache_size` with the calls of every client, sync, asyncio and cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.trace import TracerProvider

from ..._guard import never_raise
from ...health.clients import remember_redis
from ...metrics import record
from ...semconv.spec import Source
from ..common import cache_size
from ..common.patching import Method, Patches, imported_before, living
from . import commands as redis_commands
from . import history_keys, pool, spans
from .commands import State, begin
from .spans import operation_name

_patches = Patches()
Wrapper = Callable[[Method], Method]


def instrument(tracer_provider: TracerProvider | None = None) -> None:
    """Switch Redis's figures and spans on; a second call does nothing. Imports redis."""
    if State.on:
        return
    earlier = imported_before("redis")
    from redis import client, cluster
    from redis.asyncio import client as aio_client
    from redis.asyncio import cluster as aio_cluster

    State.on = True
    record.activate_source(Source.REDIS)
    cache_size.ask_redis(cache_size.Histories(history_keys.TYPES, history_keys.of_type, history_keys.named))
    _wrap(client.Redis, client.Pipeline, _one, _many, _remembering)
    _wrap(aio_client.Redis, aio_client.Pipeline, _one_async, _many_async, _remembering)
    _wrap(cluster.RedisCluster, cluster.ClusterPipeline, _one, _many, _remembering_cluster)
    _wrap(aio_cluster.RedisCluster, aio_cluster.ClusterPipeline, _one_async, _many_async, _remembering_cluster)
    pool.follow(_patches)
    if earlier:
        clients = (client.Redis, aio_client.Redis, cluster.RedisCluster, aio_cluster.RedisCluster)
        _find(clients, (client.Pipeline, aio_client.Pipeline, cluster.ClusterPipeline))
    spans.SPANS.switch_on(tracer_provider)


def uninstrument() -> None:
    """Switch them off again."""
    if not State.on:
        return
    State.on = False
    spans.SPANS.switch_off()
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
    # The call empties the stack, so the commands are copied before it.
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
    return begin(pipeline, "MULTI" if multi else "PIPELINE", commands, pipeline=True)


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
