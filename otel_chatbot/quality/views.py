"""`POST /feedback` over HTTP: a client's rating goes in as JSON, what became of it comes out as JSON.

Fed by the app's clients, at the blueprint or where `instrumentation.flask.routes` has mounted it; feeds `quality.feedback`. The answers: 200 taken; 400 a body that is none or a forged id; 403 an id of
another app; 410 an answer that is too old; 411 and 413 a body without a length, or too large; 429 too many from one client;
503 not to be kept now.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._wiring import ensure_configured
from .evaluation import LONGEST_COMMENT
from .feedback import FeedbackResult, feedback, refuse
from .ledger import PATIENT, LedgerUnavailable, key_of

if TYPE_CHECKING:
    from flask import Blueprint, Request
    from werkzeug.wrappers import Response

PATH: Final = "/feedback"
"""Where ratings are taken, unless the app says otherwise."""
PER_MINUTE: Final = 60
MOST_BYTES: Final = 64 * 1024
"""The most bytes of a body: enough for the longest comment in any script."""
_MINUTE: Final = 60
_STATUS: Final = {
    FeedbackResult.COUNTED: (200, ""),
    FeedbackResult.CHANGED: (200, ""),
    FeedbackResult.UNCHANGED: (200, ""),
    FeedbackResult.FORGED: (400, "answer_id is not one that this app has given"),
    FeedbackResult.FOREIGN: (403, "answer_id belongs to another app, or to an earlier run of this one"),
    FeedbackResult.EXPIRED: (410, "the answer is too old to be rated"),
    FeedbackResult.UNAVAILABLE: (503, "the rating cannot be kept at the moment; please send it again"),
    FeedbackResult.LIMITED: (429, "too many ratings; please send it again later"),
}


class _Options(NamedTuple):
    """How ratings are taken; see `create_feedback_blueprint`."""

    per_minute: int = PER_MINUTE
    labels: Collection[str] = ()
    user: Callable[[], str | None] | None = None


def create_feedback_blueprint(
    *,
    path: str = PATH,
    per_minute: int = PER_MINUTE,
    labels: Collection[str] = (),
    user: Callable[[], str | None] | None = None,
) -> Blueprint:
    """A Flask blueprint named `feedback` that takes ratings as JSON by POST.

    The body: `answer_id`; and either `score` (true, false, "up", "down", or a number from 0 to 1) or `stars` (1 to 5); and if
    you like `comment`, which is kept only where content is captured, and `label`, one of `labels`.

    `per_minute` is how many ratings a client may send, by its address; 0 means any number. `user` tells who rates; without it,
    it is the user that the request names.
    """
    from flask import Blueprint

    ensure_configured()
    blueprint = Blueprint("feedback", __name__)
    blueprint.post(path)(view_function(_Options(per_minute, frozenset(labels), user)))
    return blueprint


def view_function(options: _Options = _Options()) -> Callable[[], Response]:  # noqa: B008 - it cannot be changed
    """A plain function for Flask that takes a rating from the running request."""
    from flask import request

    def feedback() -> Response:
        """POST /feedback: take a rating of an answer."""
        return _rate(request, options)

    return feedback


def _rate(request: Request, options: _Options) -> Response:
    if not _may(request.remote_addr or "", options.per_minute):
        refuse(FeedbackResult.LIMITED)
        return _answer(FeedbackResult.LIMITED, retry_after=_MINUTE - int(time.time()) % _MINUTE)
    length = request.content_length
    if length is None and "Transfer-Encoding" in request.headers:
        return _error(411, "the body must come with its length")
    if (length or 0) > MOST_BYTES:
        return _error(413, f"the body is larger than {MOST_BYTES} bytes")
    try:
        given = _parsed(request.get_data() if length else b"", options.labels)
        user = options.user() if options.user is not None else None
        result = feedback(given["answer_id"], given["score"], user=user, label=given.get("label"), comment=given.get("comment"))
    except ValueError as error:
        return _error(400, str(error))
    return _answer(result)


def _may(address: str, per_minute: int) -> bool:
    """Whether a client may send another rating in this minute. It may while the ledger is away: the rating will say so."""
    if per_minute <= 0:
        return True
    try:
        sent = PATIENT.add(key_of("feedback-rate", _client(address), str(int(time.time()) // _MINUTE)), 1, 2 * _MINUTE)
    except LedgerUnavailable:
        return True
    return sent <= per_minute


def _client(address: str) -> str:
    """Who counts as one client: an address; of IPv6 the network of 64 bits, of which one person has all."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _parsed(body: bytes, labels: Collection[str]) -> dict[str, Any]:
    """The rating in a body. ValueError says what is wrong with it."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not valid JSON") from None
    if not isinstance(given, dict) or "answer_id" not in given:
        raise ValueError("the body must be a JSON object with answer_id")
    if ("score" in given) == ("stars" in given):
        raise ValueError("either score or stars must be given")
    if "stars" in given:
        stars = given.pop("stars")
        if isinstance(stars, bool) or not isinstance(stars, int):
            raise ValueError("stars must be a whole number from 1 to 5")
        given["score"] = stars
    elif isinstance(given["score"], int) and not isinstance(given["score"], bool):
        # JavaScript writes 1.0 as 1. So a number of `score` is always one from 0 to 1.
        given["score"] = float(given["score"])
    label = given.get("label")
    if label is not None and (not isinstance(label, str) or label not in labels):
        raise ValueError("label must be one of those that the app has named")
    if len(str(given.get("comment") or "")) > LONGEST_COMMENT:
        raise ValueError(f"comment is longer than {LONGEST_COMMENT} characters")
    return given


def _answer(result: FeedbackResult, retry_after: int = 5) -> Response:
    status, reason = _STATUS[result]
    headers = {"Retry-After": str(retry_after)} if status in (429, 503) else {}
    return _json(status, {"result": result.value, **({"error": reason} if reason else {})}, headers)


def _error(status: int, reason: str) -> Response:
    return _json(status, {"result": "invalid", "error": reason})


def _json(status: int, payload: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
    from werkzeug.wrappers import Response

    no_store = {"Cache-Control": "no-store", **(headers or {})}
    return Response(json.dumps(payload) + "\n", status, no_store, content_type="application/json")
