"""PromQL from the table of metrics: expressions are made of the rows of metrics and the names of attributes.

Fed by `semconv`; feeds `render.rules` and the dashboards. No name of a metric is typed here. Rules answer with 0 for something
that did not happen (`Scope.or_zero`). Dashboards never do: an empty panel means that nothing was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..semconv import metrics as m
from ..semconv import prometheus as p
from ..semconv.attributes import DEPLOYMENT_ENVIRONMENT_NAME, GEN_AI_REQUEST_MODEL, HTTP_ROUTE
from ..semconv.spec import Kind, MetricSpec, label_name


def eq(attribute: str, value: object = "") -> str:
    """A matcher: the attribute has this value; without `value`, it has none."""
    return f'{label_name(attribute)}="{value}"'


def ne(attribute: str, value: object = "") -> str:
    """A matcher: the attribute has another value; without `value`, it has any."""
    return f'{label_name(attribute)}!="{value}"'


def like(attribute: str, pattern: str) -> str:
    """A matcher: a regular expression fits the attribute's whole value."""
    return f'{label_name(attribute)}=~"{pattern}"'


def unlike(attribute: str, pattern: str) -> str:
    """A matcher: a regular expression does not fit."""
    return f'{label_name(attribute)}!~"{pattern}"'


@dataclass(frozen=True)
class Scope:
    """Of which series a question is asked: `matchers` limit them, `by` keeps labels apart, `window` is the time looked at.

    `zero` is what answers for something that did not happen: 0 for each app that is there.
    """

    matchers: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    window: str = "5m"
    zero: str = ""

    def over(self, window: str) -> Scope:
        """The same for another time."""
        return replace(self, window=window)

    def split(self, *attributes: str) -> Scope:
        """The same with these attributes kept apart."""
        return replace(self, by=self.by + attributes)

    def each(self, *attributes: str) -> Scope:
        """The same with these attributes kept apart, for the series that have them.

        A public metric has a series without attributes, which is 0 from the start. It is no value of an attribute.
        """
        return self.split(*attributes).only(*map(ne, attributes))

    def only(self, *matchers: str) -> Scope:
        """The same for fewer series."""
        return replace(self, matchers=self.matchers + matchers)

    def labels(self, *more: str) -> str:
        """The labels that are kept apart, as PromQL lists them."""
        return ", ".join(label_name(name) for name in (*self.by, *more))

    def series(self, spec: MetricSpec, *matchers: str, part: str = "") -> str:
        """The bare series of a metric; `part` is `_bucket`, `_sum` or `_count` of a histogram."""
        return selector(spec, *self.matchers, *matchers, part=part)

    def value(self, spec: MetricSpec, *matchers: str, how: str = "sum") -> str:
        """A gauge, added up (`sum`), or the largest or smallest (`max`, `min`) of what several instances say."""
        return self._aggregate(how, self.series(spec, *matchers))

    def rate(self, spec: MetricSpec, *matchers: str, part: str = "") -> str:
        """How often something happens per second; without `part`, a histogram's observations."""
        return self._aggregate("sum", f"rate({self.series(spec, *matchers, part=part or _counted(spec))}[{self.window}])")

    def increase(self, spec: MetricSpec, *matchers: str, part: str = "") -> str:
        """How often something happened in the window."""
        return self._aggregate("sum", f"increase({self.series(spec, *matchers, part=part or _counted(spec))}[{self.window}])")

    def events(self, spec: MetricSpec, *matchers: str) -> str:
        """How often something rare happened in the window, the first time too.

        A series begins with its first event, which `increase` cannot see: a series that was not there before the window
        counts as a whole.
        """
        series = self.series(spec, *matchers)
        return self._aggregate("sum", f"({series} unless {series} offset {self.window}) or increase({series}[{self.window}])")

    def buckets(self, spec: MetricSpec) -> str:
        """How many observations fell into each bucket of a histogram, per edge."""
        return self.split(p.EDGE).increase(spec, part="_bucket")

    def within(self, spec: MetricSpec, edge: float) -> str:
        """How many observations per second were at most `edge`, which is one of the histogram's edges."""
        if edge not in spec.buckets:
            raise ValueError(f"{edge} is no edge of {spec.name}: {spec.buckets}")
        return self.rate(spec, eq(p.EDGE, edge), part="_bucket")

    def quantile(self, share: float, spec: MetricSpec, *matchers: str) -> str:
        """The value that a share of the observations does not exceed; nothing where nothing was observed, instead of NaN."""
        buckets = self.split(p.EDGE).rate(spec, *matchers, part="_bucket")
        return f"histogram_quantile({share}, {buckets}) >= 0"

    def mean(self, spec: MetricSpec, *matchers: str) -> str:
        """The mean of what was observed in the window."""
        return ratio(self.rate(spec, *matchers, part="_sum"), self.rate(spec, *matchers, part="_count"))

    def or_zero(self, expression: str) -> str:
        """The expression, and 0 where it has no answer because nothing happened.

        Raises ValueError for a scope without `zero`.
        """
        if not self.zero:
            raise ValueError("this scope does not know which apps are there: use APPS, or a scope made from it")
        return f"{expression} or {self.zero}"

    def _aggregate(self, how: str, expression: str) -> str:
        kept = f" by ({self.labels()})" if self.by else ""
        return f"{how}{kept} ({expression})"


def selector(spec: MetricSpec, *matchers: str, part: str = "") -> str:
    """The series of a metric, limited by matchers."""
    return f"{spec.prometheus}{part}" + (f"{{{', '.join(matchers)}}}" if matchers else "")


def ratio(part: str, whole: str) -> str:
    """A part of a whole, as long as there is a whole."""
    return f"{part} / ({whole} > 0)"


def joined(operator: str, expressions: Iterable[str]) -> str:
    """Expressions with an operator between them, each on a line of its own."""
    return f"\n{operator} ".join(expressions)


def _counted(spec: MetricSpec) -> str:
    return "_count" if spec.kind is Kind.HISTOGRAM else ""


_APP = (p.JOB, DEPLOYMENT_ENVIRONMENT_NAME)

APPS = Scope(by=_APP, zero=f"0 * sum by ({', '.join(map(label_name, _APP))}) (rate({selector(m.API_REQUESTS)}[5m]))")
"""Each service in each environment by itself: what rules look at. An app that is there answers 0."""

COLLECTORS = Scope(by=(p.INSTANCE,))
"""Each collector by itself."""

CHOSEN = Scope(
    matchers=tuple(
        like(name, f"${variable}")
        for name, variable in ((p.JOB, "service"), (DEPLOYMENT_ENVIRONMENT_NAME, "environment"), (p.INSTANCE, "instance"))
    ),
    window="$__rate_interval",
)
"""What is chosen at the top of a dashboard, all of it together."""

CHOSEN_ROUTES = CHOSEN.only(like(HTTP_ROUTE, "$route"))
"""The chosen routes of it, for metrics of requests."""

CHOSEN_MODELS = CHOSEN.only(like(GEN_AI_REQUEST_MODEL, "$model"))
"""The chosen models of it, for metrics of AI calls."""
