"""The steps of the set-up, and the two lists in which they run: one for an instrumented app, one for the public API alone.

Fed by `distro.state` (each step runs once per process); feeds every other module of this room.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
from opentelemetry.sdk.trace import TracerProvider

from .. import config
from ..logs import sink
from ..metrics import record, view
from ..metrics.store import STORE
from ..semconv.attributes import DropReason, Signal
from . import sdk_private
from .delivery import exporters
from .delivery.transport import sender
from .environment import PROMETHEUS, set_defaults
from .instrumentations import INSTRUMENTATIONS, skip_in_other_distros
from .metrics.mirror_reader import MirrorReader
from .process.console_line import print_at_start
from .process.endpoint_server import serve_apart, serve_prometheus
from .process.forked_requests import flush_forked_requests
from .process.reloader import watch_reloader, will_watch
from .process.sigterm import Sigterm
from .process.start_line import announce
from .providers import global_providers
from .providers.adopted import Adopted, Provider
from .providers.app_providers import let_loggers_in, let_meters_in, let_tracers_in, share_spans
from .providers.config_file import apply_config_file
from .providers.lazy_processors import LazySpanProcessor
from .providers.log_feed import feed_logs, somebody_else_feeds
from .state import DistroState
from .warnings import warn_of_settings

_logger = logging.getLogger("otel_chatbot")


def defaults(_: DistroState) -> None:
    """Set what the user left unset in the environment."""
    set_defaults()


def config_file(_: DistroState) -> None:
    """Apply OTEL_CONFIG_FILE, unless a provider is set already: then another distribution has read the file."""
    found = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())
    if all("Proxy" in type(provider).__name__ for provider in found):
        apply_config_file(os.environ.get("OTEL_CONFIG_FILE", ""))


def tracing(setup: DistroState) -> None:
    """Set a tracer provider, or take the one that is there, and add our exporters to it."""
    there = trace.get_tracer_provider()
    provider = None if setup.plan.disabled else global_providers.set_tracer_provider(setup.plan, setup.resource)
    if provider is not None:
        _adopt(setup, provider, there)
        processors = global_providers.add_span_exporters(provider, exporters.make(setup.plan, Signal.TRACES), setup.plan)
        setup.shutdown.add(*(processor.batch for processor in processors))
        if provider is trace.get_tracer_provider():
            let_tracers_in(provider, lambda theirs: _share_spans(setup, provider, theirs, processors))


def light_spans(_: DistroState) -> None:
    """Let our hooks make light spans, if this version of the SDK is one that we know."""
    from .providers import light_maker  # noqa: F401 - an imported module answers `_wiring.LIGHT_SPANS`


def _share_spans(
    setup: DistroState, ours: TracerProvider, theirs: TracerProvider, processors: Sequence[LazySpanProcessor]
) -> None:
    share_spans(ours, theirs, processors)
    setup.shutdown.add(Adopted(theirs))


def _adopt(setup: DistroState, provider: Provider, there: object) -> None:
    """Remember the provider that we use, if it existed before."""
    if provider in (there, getattr(there, "provider", None)):
        setup.adopted.append(provider)


def log_files(setup: DistroState) -> None:
    """Install the sink: it sees every record and writes the rotated files."""
    if not setup.plan.disabled:
        sink.SINK.on_dropped = lambda reason, lines: record.dropped(Signal.LOGS, DropReason(reason), lines)
        sink.install(config.current())


def log_export(setup: DistroState) -> None:
    """Set a logger provider, or take the one that is there, and let the sink feed it."""
    there = _logs.get_logger_provider()
    provider = None if setup.plan.disabled or setup.fed else global_providers.set_logger_provider(setup.plan, setup.resource)
    if provider is not None:
        _adopt(setup, provider, there)
        setup.fed = True
        processors = global_providers.add_log_exporters(provider, exporters.make(setup.plan, Signal.LOGS))
        setup.shutdown.add(*(processor.batch for processor in processors))
        let_loggers_in(provider)
        if sdk_private.log_exporters(provider) and not somebody_else_feeds():
            feed_logs(provider)


def private_log_export(setup: DistroState) -> None:
    """Make a logger provider of our own, not a global one, if log records are to be exported."""
    wanted = [] if setup.plan.disabled or setup.fed else exporters.make(setup.plan, Signal.LOGS)
    if wanted:
        setup.fed = True
        provider = global_providers.make_logger_provider(setup.plan, setup.resource)
        processors = global_providers.add_log_exporters(provider, wanted)
        setup.shutdown.add(*(processor.batch for processor in processors))
        sink.install(config.current())
        feed_logs(provider)


def metrics_export(setup: DistroState) -> None:
    """Export the merged view, from the process's first figure on."""
    if setup.plan.disabled:
        return
    if setup.plan.over_otlp(Signal.METRICS) and setup.plan.temporality not in ("", "cumulative"):
        _logger.warning(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=%s is not supported: metrics are merged over processes, and "
            "only cumulative ones can be; the collector's cumulativetodelta processor converts them",
            setup.plan.temporality,
        )
    setup.shutdown.add(setup.export)
    STORE.beginnings.append(setup.export.start)
    if STORE.segment is not None:
        setup.export.start()


def ratings(_: DistroState) -> None:
    """Every process shows how answers were rated, whichever took the ratings."""
    from ..quality import feedback  # noqa: F401 - who is imported looks whether there are ratings at each view


def metrics_provider(setup: DistroState) -> None:
    """Set a meter provider, or take the one that is there, and mirror its instruments."""
    if setup.plan.disabled:
        return
    pulling = [reader for reader in setup.metric_exporters if isinstance(reader, MetricReader)]
    mirror = MirrorReader()
    there = metrics.get_meter_provider()
    provider = global_providers.set_meter_provider(setup.resource, [mirror, *pulling], setup.export.start)
    if provider is None:
        _define_on_foreign_provider()
        return
    _adopt(setup, provider, there)
    mirror.watch(provider)
    view.VIEW.refreshers.append(mirror.refresh)
    setup.export.mirror(mirror)
    _give_ours(setup, provider, mirror)
    let_meters_in(provider, lambda theirs: _mirror_also(setup, mirror, theirs))


def _mirror_also(setup: DistroState, mirror: MirrorReader, provider: MeterProvider) -> None:
    """Also mirror the instruments of a provider that the application sets later."""
    reader = MirrorReader()
    reader.watch(provider)
    global_providers.read_also(provider, [reader], setup.export.start)
    mirror.add(reader)
    _give_ours(setup, provider, reader)
    setup.shutdown.add(Adopted(provider))


def _give_ours(setup: DistroState, provider: MeterProvider, mirror: MirrorReader) -> None:
    """Give our metrics also to the other readers of a provider, if they cannot get them in another way."""
    others = [exporter for exporter in sdk_private.metric_exporters(provider) if exporter is not mirror]
    otlp = [exporter for exporter in others if isinstance(exporter, MetricExporter) and sdk_private.is_otlp(exporter)]
    if others and not otlp:
        _define(provider)
    elif not setup.plan.over_otlp(Signal.METRICS):
        for exporter in otlp:
            setup.export.also(exporter, setup.collect_ours)


def _define(provider: metrics.MeterProvider) -> None:
    from ..metrics.api import define_instruments

    define_instruments(provider)


def _define_on_foreign_provider() -> None:
    provider = metrics.get_meter_provider()
    _define(provider)
    _logger.warning(
        "the meter provider %s is not the SDK's: the metrics are defined on it through the API, without the figures of "
        "other processes",
        type(provider).__qualname__,
    )


def instrumentations(setup: DistroState) -> None:
    """Install our instrumentations, each at its library's import; upstream's for the same libraries are not loaded."""
    INSTRUMENTATIONS.install(setup.plan)
    skip_in_other_distros()


def budgets(setup: DistroState) -> None:
    """What model calls cost is held against the budgets, if the settings name any; nothing is imported for it otherwise."""
    if config.current().budgets and not setup.plan.disabled:
        from ..quality.budgets.figures import install

        install()


def endpoints(setup: DistroState) -> None:
    """Serve `/metrics*` and `/health/detailed` on a separate port, if set, and on Prometheus's port, if that exporter is."""
    server = serve_apart()
    if server is not None:
        setup.shutdown.add(server)
    if not setup.plan.disabled and PROMETHEUS in setup.plan.exporters[Signal.METRICS]:
        prometheus = serve_prometheus()
        setup.shutdown.add(prometheus)
        setup.export.at_start.append(prometheus.start)  # also if figures are only measured through OpenTelemetry


def ending(setup: DistroState) -> None:
    """Flush within one budget at exit and at SIGTERM. The sender is closed after the exporters that write to the spool."""
    sends = not setup.plan.disabled and any(setup.plan.over_otlp(signal) for signal in Signal)
    if sends:
        setup.shutdown.add(sender())
        setup.export.at_start.append(sender().prepare)
    setup.shutdown.add(*map(Adopted, setup.adopted))
    sigterm = Sigterm(setup.shutdown)
    setup.shutdown.at_exit(sigterm.end_as_asked)
    sigterm.install()

    def end_of_forked_request() -> None:
        if sends:
            sender().lingers = False  # the next request waits for this process to end
        setup.shutdown.run()

    flush_forked_requests(end_of_forked_request)


def start_line(setup: DistroState) -> None:
    """Warn of wrong settings now; write the line about the set-up at the first figure of the run."""
    warn_of_settings()

    def once_a_run() -> None:
        if setup.lead.take():
            setup.shutdown.before(lambda: announce(setup.plan, INSTRUMENTATIONS.active))

    if not setup.plan.disabled:
        setup.export.at_start.append(once_a_run)


def console_line(setup: DistroState) -> None:
    """Print one line on a developer's terminal: observing works."""
    if not setup.plan.disabled:
        print_at_start(setup.plan)


def quiet_parent(setup: DistroState) -> None:
    """Export nothing from the process in which Flask's reloader watches the files."""

    def go_quiet() -> None:
        setup.shutdown.abandon()
        STORE.beginnings.clear()
        sink.uninstall()

    if will_watch(sys.orig_argv, os.environ):
        go_quiet()
    else:
        watch_reloader(go_quiet)


AUTOMATIC = (
    defaults,
    config_file,
    tracing,
    light_spans,
    log_files,
    log_export,
    metrics_export,
    ratings,
    metrics_provider,
    instrumentations,
    budgets,
    endpoints,
    ending,
    start_line,
    console_line,
    quiet_parent,
)
"""For an app that is started with `opentelemetry-instrument` or calls `otel_chatbot.instrument()`."""
PRIVATE = (defaults, private_log_export, metrics_export, ratings, budgets, endpoints, ending)
"""For a plain `python app.py` that uses the public API: no global provider is set, nothing is instrumented."""
