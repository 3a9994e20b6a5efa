"""Shortcuts that avoid the SDK's copies, for spans and records that only our own processors see; they use private names.

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
    """The span as code outside of the package may see it: a light span is passed as it is only inside of the package."""
    return span._readable_span() if isinstance(span, Span) else span


def emit_of(processor: sdk_private.Batch) -> Callable[[Any], None]:
    """The function that puts an item into a batch processor's queue, without a check whether it is sampled."""
    return processor._batch_processor.emit


FEW_ATTRIBUTES: Final = 64
"""A lower limit was set by the application."""


def plain_log_processors(logger: Any, kind: type) -> tuple[Any, ...] | None:
    """A logger's processors, if all are of this kind and take records of few attributes unchanged; None otherwise."""
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
