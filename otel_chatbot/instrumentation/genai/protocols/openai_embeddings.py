"""OpenAI's embeddings, and every provider with the same interface.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import re
from typing import Any, Final

from ....semconv import attributes as a
from ....semconv.attributes import GenAiOperation, GenAiProvider
from .answer import Answer, count_of, name_of
from .openai_chat import usage
from .protocol import Body, ModelRequest, Protocol, model_in, model_of

_DEPLOYMENT: Final = re.compile(r"/deployments/([^/]+)/")


def request(body: Body, path: str) -> ModelRequest:
    """A request."""
    model = model_of(body.get("model")) or model_in(path, _DEPLOYMENT)
    told: dict[str, Any] = {}
    if (size := count_of(body.get("dimensions"))) is not None:
        told[a.GEN_AI_DIMENSIONS] = size
    if (form := name_of(body.get("encoding_format"))) is not None:
        told[a.GEN_AI_ENCODING_FORMATS] = (form,)
    return ModelRequest(model, operation=GenAiOperation.EMBEDDINGS, attributes=told, said=body.get("input"))


def whole(found: dict[str, Any], answer: Answer) -> None:
    """An answer; the vectors are not read."""
    answer.by(found.get("model"))
    usage(found.get("usage"), answer)


def chunk(_name: str, found: dict[str, Any], answer: Answer) -> None:
    """Embeddings are not streamed."""
    whole(found, answer)


ROWS: Final = (
    Protocol(
        "openai_embeddings",
        GenAiProvider.OPENAI,
        ("embeddings",),
        re.compile(r"/embeddings$"),
        ("input",),
        request,
        whole,
        chunk,
    ),
)
