"""`otel_chatbot.budget_guard()`: a view that answers 429 before a model is asked, while a budget is used up.

Fed by `budgets.check`; feeds the client of a view.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .check import UNKNOWN, OverBudget, over_budget

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

_LARGEST: Final = 1024 * 1024
_View = TypeVar("_View", bound=Callable[..., Any])
Name = str | Callable[[], "str | None"] | None


def budget_guard(*, user: Name = None, conversation: Name = None, model: Name = None) -> Callable[[_View], _View]:
    """Decorate a view: while a budget is used up, it answers 429 with Retry-After and JSON that says which, instead of running.

    Each argument is what `over_budget` takes, or a function that is called in the request and returns that. While the ledger is
    away and the setting BUDGET_LEDGER_AWAY says closed, the answer is 503.

    A body in JSON is parsed before the view runs, so that the ids in it are found; the view can still get it by `get_json` or
    `get_data`. Whoever sends it can write any user into it: where that matters, give `user`.
    """

    def ask() -> OverBudget | None:
        _parse()
        return over_budget(user=_value(user), conversation=_value(conversation), model=_value(model))

    def decorate(view: _View) -> _View:
        if inspect.iscoroutinefunction(view):

            async def guarded_async(*args: Any, **kwargs: Any) -> Any:
                over = ask()
                return refusal(over) if over is not None else await view(*args, **kwargs)

            return functools.wraps(view)(guarded_async)  # type: ignore[return-value]

        def guarded(*args: Any, **kwargs: Any) -> Any:
            over = ask()
            return refusal(over) if over is not None else view(*args, **kwargs)

        return functools.wraps(view)(guarded)  # type: ignore[return-value]

    return decorate


def refusal(over: OverBudget) -> Response:
    """The answer to a client."""
    from werkzeug.wrappers import Response

    status = 503 if over.reason == UNKNOWN else 429
    headers = {"Retry-After": str(over.retry_after), "Cache-Control": "no-store"}
    return Response(json.dumps(over.as_dict()), status, headers, mimetype="application/json")


def _parse() -> None:
    """Parse the request's body, if it is JSON and not large: ids are found in what the app has parsed."""
    from flask import has_request_context, request

    if has_request_context() and request.is_json and (request.content_length or 0) <= _LARGEST:
        request.get_json(silent=True)


def _value(name: Name) -> str | None:
    return name() if callable(name) else name
