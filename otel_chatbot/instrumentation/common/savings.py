"""The cost that an answer from the cache has saved: the last known cost of a call of the model that would have been asked.

Fed by `genai.call` (the cost of calls) and `common.chat_turn` (the models that turns asked, and the turns from the cache);
feeds `chatbot.ai.cost.saved`.

The model is the one that was last asked for the same wish: the same route, and the same model in the request, if it names
one. The cost is that of the model's last complete call, in any process of the app. If no model was asked for this wish since
the app started, nothing is counted.
"""

from __future__ import annotations

import functools
import json
from decimal import Decimal
from typing import NamedTuple

from ..._guard import never_raise
from ...metrics import record
from ...metrics.shared.notes import NOTES
from ...semconv import attributes as a
from ...semconv import metrics as m


class Model(NamedTuple):
    """A model, as the attributes of its metrics name it."""

    provider: str
    name: str


class WantedModel(NamedTuple):
    """A request's wish: its route, and the model that the request names (`model` in its JSON, form or query), if any."""

    route: str
    model: str | None


def cost_of(model: Model, dollars: Decimal) -> None:
    """Note the cost of a complete call of this model. The caller is guarded."""
    NOTES.put(_cost(model), str(dollars))


@never_raise
def asked(wish: WantedModel, model: Model) -> None:
    """Note that a turn with this wish has asked this model."""
    name, text = _asked(wish), _text(model)
    if NOTES.get(name) != text:
        NOTES.put(name, text)


@never_raise
def count(wish: WantedModel) -> None:
    """Count the saved cost of a turn with this wish that the cache answered; the application does not count it itself."""
    if record.switched_off(m.AI_COST_SAVED):
        return
    found = NOTES.get(_asked(wish))
    if found is None:
        return
    model = Model(*json.loads(found))
    dollars = NOTES.get(_cost(model))
    if dollars is not None:
        record.count(m.AI_COST_SAVED, float(dollars), {a.GEN_AI_PROVIDER: model.provider, a.GEN_AI_REQUEST_MODEL: model.name})


def _cost(model: Model) -> str:
    return "cost " + _text(model)


def _asked(wish: WantedModel) -> str:
    return "asked " + _text(wish)


@functools.lru_cache(maxsize=1024)
def _text(named: Model | WantedModel) -> str:
    return json.dumps(named)
