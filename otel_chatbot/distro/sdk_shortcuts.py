"""Ways past the SDK's copies, for spans and records that only our own processors see, with the private names that they touch.

Fed by `distro.providers`; feeds the queues of batch processors. Beside `distro.sdk_private`, which holds what the package repairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from opentelemetry.sdk._logs import _internal
from opentelemetry.sdk._logs._internal import SynchronousMultiLogRecordProcessor
from opentelemetry.sdk._logs._internal._logger_metrics import NoOpLoggerMetrics
from opentelemetry.sdk.trace import ReadableSpan, Span

from . import sdk_private


def readable(span: ReadableSpan) -> ReadableSpan:
    """The span as others know it: a light span of ours stands for itself inside of the package only."""
    return span._readable_span() if isinstance(span, Span) else span


def emit_of(processor: sdk_private.Batch) -> Callable[[Any], None]:
    """What puts an item into a batch processor's queue, without the question whether it is sampled."""
    return processor._batch_processor.emit


FEW_ATTRIBUTES: Final = 64
"""A limit that is lower than this is an application's own."""


def plain_log_processors(logger: Any, kind: type) -> tuple[Any, ...] | None:
    """The processors of a logger whose records, of few attributes, go to this kind alone, as they are; None for others."""
    if type(logger) is not _internal.Logger or not logger._is_enabled():
        return None
    limits, processor = logger._log_record_limits, logger._multi_log_record_processor
    most = limits.max_log_record_attributes
    if (
        type(processor) is not SynchronousMultiLogRecordProcessor
        or type(logger._logger_metrics) is not NoOpLoggerMetrics
        or limits.max_log_record_attribute_length is not None
        or (most is not None and most < FEW_ATTRIBUTES)
    ):
        return None
    found = processor._log_record_processors
    for each in found:
        if type(each) is not kind:
            return None
    return found
