"""What an answer from the cache has saved: the last known cost of a call of the model that would have been asked.

Fed by `genai.call` (what calls cost) and `common.chat_turn` (what turns asked, and which came from the cache); feeds
`chatbot.ai.cost.saved`.

The model is the one that the same route asked last; its cost is that of the last finished call of it, in whichever
process of the app. A route that has not asked a model since the app started has nothing to save.
"""

from __future__ import annotations

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


@never_raise
def cost_of(model: Model, dollars: Decimal) -> None:
    """A call of this model has ended, whole, and cost so much."""
    NOTES.put(_cost(model), str(dollars))


@never_raise
def asked(route: str, model: Model) -> None:
    """A turn of this route has asked this model."""
    name, text = _asked(route), json.dumps(model)
    if NOTES.get(name) != text:
        NOTES.put(name, text)


@never_raise
def count(route: str) -> None:
    """A turn of this route was answered from the cache, and the application does not say itself what that saved."""
    if record.switched_off(m.AI_COST_SAVED):
        return
    found = NOTES.get(_asked(route))
    if found is None:
        return
    model = Model(*json.loads(found))
    dollars = NOTES.get(_cost(model))
    if dollars is not None:
        record.count(m.AI_COST_SAVED, float(dollars), {a.GEN_AI_PROVIDER: model.provider, a.GEN_AI_REQUEST_MODEL: model.name})


def _cost(model: Model) -> str:
    return "cost " + json.dumps(model)


def _asked(route: str) -> str:
    return "asked " + route
