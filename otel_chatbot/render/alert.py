"""What an alert is: its expression, how long it must hold, and its words, which become templates of Prometheus.

Feeds `render.alerts`, `render.budget_alerts` and `render.rules`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..semconv.spec import label_name


@dataclass(frozen=True)
class Alert:
    """One alert. `says` is what users feel and `measured` what was seen; a label stands there as `{name}` or `{name|else}`."""

    name: str
    expr: str
    hold: str
    severity: str
    says: str
    measured: str
    value: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """The name of the runbook's page."""
        return re.sub("(?<=[a-z])(?=[A-Z])", "-", self.name).lower()

    @property
    def all_labels(self) -> dict[str, str]:
        """What the alert carries beside the labels of its expression."""
        return {"severity": self.severity, **self.labels}

    @property
    def summary(self) -> str:
        """What users feel, as a template of Prometheus."""
        return self._template(self.says)

    @property
    def description(self) -> str:
        """What was measured, as a template of Prometheus."""
        return self._template(self.measured)

    def _template(self, text: str) -> str:
        shown = f" | {self.value}" if self.value else ""
        found = text.replace("{value}", f"{{{{ $value{shown} }}}}")
        return _LABEL.sub(_as_template, found)


_LABEL = re.compile(r"(?<!\{)\{([\w.]+)(?:\|([^}]*))?\}(?!\})")


def _as_template(label: re.Match[str]) -> str:
    name = f"$labels.{label_name(label[1])}"
    return f'{{{{ or {name} "{label[2]}" }}}}' if label[2] else f"{{{{ {name} }}}}"
