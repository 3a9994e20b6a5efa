"""What an answer from the cache has saved: the last known cost of a call of the model that would have been asked.

Fed by `genai.call` (what calls cost) and `common.chat_turn` (what turns asked, and which came from the cache); feeds
`chatbot.ai.cost.saved`.

The model is the one that was asked last for the same wish: the same route, with the same model named in the request, if
it names one. Its cost is that of the last whole call of it, in whichever process of the app. A wish for which no model was
asked since the app started has saved nothing that is known.
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
    """What a request wants of a model: its route, and the model that it names itself (`model` in its JSON, form or query)."""

    route: str
    model: str | None


def cost_of(model: Model, dollars: Decimal) -> None:
    """A call of this model has ended, whole, and cost so much. The caller is guarded."""
    NOTES.put(_cost(model), str(dollars))


@never_raise
def asked(wish: WantedModel, model: Model) -> None:
    """A turn with this wish has asked this model."""
    name, text = _asked(wish), _text(model)
    if NOTES.get(name) != text:
        NOTES.put(name, text)


@never_raise
def count(wish: WantedModel) -> None:
    """A turn with this wish was answered from the cache, and the application does not say itself what that saved."""
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
