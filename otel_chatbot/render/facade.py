"""The chatbot metrics as objects that an application imports, typed: written from the rows, so that a new row is enough.

Fed by `semconv.metrics` and by the facade as it is, of which two lists are replaced; feeds `otel_chatbot/metrics/chatbot.py`
and `otel_chatbot/__init__.py`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ..semconv import metrics as m
from ..semconv.spec import Kind, MetricSpec

_OBJECTS: Final = "otel_chatbot/metrics/chatbot.py"
_FACADE: Final = "otel_chatbot/__init__.py"
_CLASS: Final = {Kind.COUNTER: "Counter", Kind.GAUGE: "Gauge", Kind.HISTOGRAM: "Histogram"}
_HEAD: Final = '''"""The chatbot metrics, which an application imports by name. Written by `otel-chatbot render` from `semconv.metrics`.

Fed by the application's own calls; feeds `metrics.store` through `metrics.instruments`.
"""

from __future__ import annotations

from ..semconv import metrics as m
from .instruments import {classes}

'''
_IMPORTS: Final = re.compile(r"(    from \.metrics\.chatbot import \(\n)[^)]*(    \)\n)")
_NAMES: Final = re.compile(r"(\n__all__ \+= \[\n)[^\]]*(\]\n)")


def files() -> dict[str, str]:
    """The module of the objects, and the facade that exports them."""
    facade = Path(__file__).parents[1].joinpath("__init__.py").read_text(encoding="utf-8")
    names = sorted(spec.python for spec in m.CHATBOT)
    for region, line in ((_IMPORTS, "        {},\n"), (_NAMES, '    "{}",\n')):
        facade = region.sub(lambda found, line=line: found[1] + "".join(map(line.format, names)) + found[2], facade)  # type: ignore[misc]
    return {_OBJECTS: _objects(), _FACADE: facade}


def _objects() -> str:
    classes = ", ".join(sorted({_CLASS[spec.kind] for spec in m.CHATBOT}))
    return _HEAD.format(classes=classes) + "".join(f"{spec.python} = {_made(spec)}\n" for spec in m.CHATBOT)


def _made(spec: MetricSpec) -> str:
    row = next(name for name, value in vars(m).items() if value is spec)
    unit = f", unit=m.{row}.unit" if spec.kind is Kind.HISTOGRAM else ""
    return f"{_CLASS[spec.kind]}(m.{row}.name{unit})"
