"""`otel-chatbot compare OLD NEW`: whether a version is worse than another: errors, times, costs, refusals, bad answers, ratings.

Fed by Prometheus, which knows from `target_info` when which `service.version` ran (or from a label `service_version` of the
series themselves); feeds the terminal, and pipelines by its exit status: 0 not worse, 1 worse, 2 it cannot be said.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from ..render.promql import eq, like, selector, unlike
from ..semconv import attributes as a
from ..semconv import metrics as m
from ..semconv import prometheus as p
from ..semconv.spec import MetricSpec, label_name
from .prometheus_api import PrometheusApi, PrometheusError

_MOST_POINTS = 10_000
"""Fewer than a Prometheus answers with."""
_QUANTILE = 0.95


@dataclass(frozen=True)
class Comparison:
    """Two versions, and how to compare them.

    Times are in seconds, `tolerance` is in percent, `least` is how many requests, ratings and the like there must be.
    """

    old: str
    new: str
    prometheus: str
    service: str = ""
    window: float = 1800.0
    since: float = 86400.0
    tolerance: float = 20.0
    least: int = 20
    json: bool = False


@dataclass(frozen=True)
class Lifetime:
    """When a version ran last, at most a window of it, and the matchers of its series.

    `answers` are the matchers of what is told of its answers, whichever version tells it; `told` is when that was told last.
    """

    start: float
    end: float
    matchers: tuple[str, ...]
    answers: tuple[str, ...] = ()
    told: float = 0.0

    def events(self, spec: MetricSpec, *matchers: str, part: str = "", by: str = "") -> str:
        """How often something happened: a series that began in this time counts whole, as `increase` would not have it."""
        window = f"{max(1, round(self.end - self.start))}s"
        series = selector(spec, *self.matchers, *matchers, part=part)
        kept = f" by ({by})" if by else ""
        return f"sum{kept} (({series} unless {series} offset {window}) or increase({series}[{window}]))"

    def quantile(self, spec: MetricSpec, *matchers: str) -> str:
        """The value that most observations do not exceed."""
        return f"histogram_quantile({_QUANTILE}, {self.events(spec, *matchers, part='_bucket', by=p.EDGE)})"

    def ratings(self, *matchers: str) -> str:
        """How many of its answers are rated: users do that later too, and all instances say the same."""
        series = selector(m.FEEDBACK, *self.answers, *matchers)
        return f"sum (max by ({_RATED}) ({series} @ {self.told:.3f}))"


@dataclass(frozen=True)
class Figure:
    """What is compared: its name, unit, how to ask for it in order of preference, and a difference too small to matter.

    `of` asks for the number of things that it is a share of: with too few of them it says nothing.
    """

    name: str
    unit: str
    questions: tuple[Callable[[Lifetime], str], ...]
    slack: float
    of: Callable[[Lifetime], str] | None = None


@dataclass(frozen=True)
class Compared:
    """One figure of both versions; None where nothing was recorded, or `too_few` for it to say something."""

    name: str
    unit: str
    old: float | None
    new: float | None
    worse: bool
    too_few: bool = False


_RATED = ", ".join(label_name(name) for name in m.FEEDBACK.attributes)
_NOT_LIKED = unlike(a.RATING, "|".join(a.LIKED))
_FIRST_CHUNK = eq(a.PHASE, a.Phase.FIRST_CHUNK.value)
_TOTAL = eq(a.PHASE, a.Phase.TOTAL.value)
_REFUSED = eq(a.ANSWER_SIGNAL, a.AnswerSignal.REFUSED.value)


def _calls(life: Lifetime) -> str:
    """How often a model was called."""
    return life.events(m.AI_RESPONSE_TIME, part="_count")


def _signals(life: Lifetime, *matchers: str) -> str:
    """How many signs of bad answers there are per model call."""
    return f"({life.events(m.ANSWER_SIGNALS, *matchers)} or vector(0)) / ({_calls(life)} > 0)"


FIGURES = (
    Figure(
        "errors per request",
        "",
        (lambda life: f"({life.events(m.ERRORS)} or vector(0)) / {life.events(m.API_REQUESTS)}",),
        0.01,
    ),
    Figure("response time, p95", "s", (lambda life: life.quantile(m.RESPONSE_TIME),), 0.05),
    Figure(
        "first chunk, p95",
        "s",
        (lambda life: life.quantile(m.TURN_TIME, _FIRST_CHUNK), lambda life: life.quantile(m.GEN_AI_FIRST_CHUNK)),
        0.05,
    ),
    Figure(
        "cost per turn",
        "USD",
        (
            lambda life: f"{life.events(m.AI_COST)} / ({life.events(m.TURN_TIME, _TOTAL, part='_count')} > 0)",
            lambda life: f"{life.events(m.AI_COST)} / ({life.events(m.MESSAGES_RECEIVED)} > 0)",
        ),
        0.0,
    ),
    Figure("refused per AI call", "", (lambda life: _signals(life, _REFUSED),), 0.01, of=_calls),
    Figure("signs of bad answers per AI call", "", (_signals,), 0.02, of=_calls),
    Figure(
        "not liked, per rating",
        "",
        (lambda life: f"({life.ratings(_NOT_LIKED)} or 0 * {life.ratings()}) / ({life.ratings()} > 0)",),
        0.05,
        of=Lifetime.ratings,
    ),
)


def compare(asked: Comparison) -> int:
    """Print the figures of both versions; the exit status says whether the new one is worse."""
    try:
        api = PrometheusApi(asked.prometheus)
        lives = [_served(api, asked, version) for version in (asked.old, asked.new)]
        old, new = (replace(life, told=max(one.end for one in lives)) for life in lives)
        compared = [_compared(api, figure, old, new, asked) for figure in FIGURES]
    except PrometheusError as error:
        print(error, file=sys.stderr)
        return 2
    worse = any(one.worse for one in compared)
    if asked.json:
        print(
            json.dumps(
                {"old": asked.old, "new": asked.new, "worse": worse, "figures": [asdict(one) for one in compared]}, indent=2
            )
        )
    else:
        print(as_table(asked, compared))
    return 1 if worse else 0


def _served(api: PrometheusApi, asked: Comparison, version: str) -> Lifetime:
    """When a version ran; PrometheusError when it has answered too few requests for its figures to say something."""
    life = life_of(api, asked, version)
    requests = api.value(life.events(m.API_REQUESTS), life.end) or 0.0
    if requests < asked.least:
        raise PrometheusError(
            f"{version} has answered {requests:.0f} requests and {asked.least} are needed: wait, or use --least"
        )
    return life


def life_of(api: PrometheusApi, asked: Comparison, version: str) -> Lifetime:
    """When a version ran last; PrometheusError when it did not."""
    now = time.time()
    step = max(1.0, asked.since / _MOST_POINTS)
    matchers = [eq(a.SERVICE_VERSION, version), *([eq(p.JOB, asked.service)] if asked.service else [])]
    release = eq(a.RELEASE, version)
    told = api.series(selector(p.TARGET_INFO, *matchers), now - asked.since, now, step)
    if told:
        start, end = _last_run([times for _, times in told], step)
        alive = [labels for labels, times in told if times[-1] >= start]
        job, instance = (_one_of(name, [labels.get(name, "") for labels in alive]) for name in (p.JOB, p.INSTANCE))
        start = max(start - 2 * step, end - asked.window)  # from before the first scrape: what it found counts
        return Lifetime(start, end, (job, instance), (job, release))
    labelled = api.series(selector(m.API_REQUESTS, *matchers), now - asked.since, now, step)
    if labelled:
        start, end = _last_run([times for _, times in labelled], step)
        return Lifetime(max(start - 2 * step, end - asked.window), end, tuple(matchers), (*matchers[1:], release))
    known = sorted(
        {
            labels[name]
            for labels, _ in api.vector(p.TARGET_INFO.prometheus)
            if (name := label_name(a.SERVICE_VERSION)) in labels
        }
    )
    raise PrometheusError(f"no {a.SERVICE_VERSION}={version} within {asked.since:g} s; there now: {', '.join(known) or 'none'}")


def _last_run(times: Sequence[list[float]], step: float) -> tuple[float, float]:
    """Start and end of the last time without a gap in which any of the series had a value."""
    every = sorted({moment for one in times for moment in one})
    start = every[-1]
    for moment in reversed(every):
        if start - moment > 5 * step + 60:
            break
        start = moment
    return start, every[-1]


def _one_of(name: str, values: Sequence[str]) -> str:
    pattern = "|".join(re.escape(value) for value in sorted(set(values)))
    return like(name, pattern.replace("\\", "\\\\").replace('"', '\\"'))


def _compared(api: PrometheusApi, figure: Figure, old: Lifetime, new: Lifetime, asked: Comparison) -> Compared:
    before, after = (_value(api, figure, life) for life in (old, new))
    if before is None or after is None:
        return Compared(figure.name, figure.unit, before, after, worse=False)
    if figure.of is not None and min(api.value(figure.of(life), life.end) or 0.0 for life in (old, new)) < asked.least:
        return Compared(figure.name, figure.unit, before, after, worse=False, too_few=True)
    worse = after > before * (1 + asked.tolerance / 100) + figure.slack
    return Compared(figure.name, figure.unit, before, after, worse)


def _value(api: PrometheusApi, figure: Figure, life: Lifetime) -> float | None:
    for question in figure.questions:
        value = api.value(question(life), life.end)
        if value is not None:
            return value
    return None


def as_table(asked: Comparison, compared: Sequence[Compared]) -> str:
    """For people."""
    rows = [("", asked.old, asked.new, "")]
    for one in compared:
        verdict = "WORSE" if one.worse else "too few" if one.too_few else "not compared" if None in (one.old, one.new) else "ok"
        rows.append((one.name, _shown(one.old, one.unit), _shown(one.new, one.unit), verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _shown(value: float | None, unit: str) -> str:
    return "no figures" if value is None else f"{value:.4g} {unit}".rstrip()
