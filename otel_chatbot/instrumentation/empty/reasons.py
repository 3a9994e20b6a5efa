"""The reason for each empty figure and the remedy, in words. Told by the figures, the settings, the imports and the facts.

Fed by `empty.figures`; reads the facts that the instrumentations noted (`common.seen`). Every figure has a reason: if nothing
better is known, it is the last one of the figure's function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ...config import Settings
from ...metrics import record
from ...metrics.shared.facts import FACTS
from ...semconv import metrics as m
from ...semconv.spec import MetricSpec
from ..common import seen
from . import libraries


class Reason(NamedTuple):
    """Why a figure is empty. `remedy` is empty if nothing is to be done."""

    why: str
    remedy: str = ""
    lost: bool = False
    """Whether something was seen that the figure should hold."""


class RunFacts:
    """What is known of the run: each metric's total, and the settings."""

    def __init__(self, totals: Mapping[str, float], settings: Settings) -> None:
        self._totals = totals
        self.settings = settings

    @property
    def chats(self) -> bool:
        """Whether any messages were counted."""
        return self.has(m.MESSAGES_SENT) or self.has(m.MESSAGES_RECEIVED)

    def has(self, spec: MetricSpec) -> bool:
        """Whether a metric is not empty."""
        return bool(self._totals.get(spec.name))


def reason(spec: MetricSpec, known: RunFacts) -> Reason:
    """Why a figure is empty."""
    if record.switched_off(spec):
        return Reason("CHATBOT_OTEL_AUTO_OFF names it", f"count it by hand, or take {spec.python} out of that setting")
    if spec.name in record.AUTOMATIC.by_hand:
        return Reason("the app sets it by hand", "look where the app sets it")
    return _REASONS[spec.name](known)


def _conversations(known: RunFacts) -> Reason:
    by_hand = "call conversations_created.inc() where one begins"
    if not _uses_mongodb(known):
        why = "no conversation is stored in MongoDB, and a model's call does not say which one it belongs to"
        return Reason(why, by_hand, known.chats)
    unread = FACTS.of(seen.UNREAD)
    if unread:
        remedy = f"set CHATBOT_OTEL_CONVERSATIONS_COLLECTION if {_shown(unread[0][0])} holds conversations, or {by_hand}"
        return Reason(f"{_inserts(unread)} are not recognised as conversations", remedy, lost=True)
    remedy = f"set CHATBOT_OTEL_CONVERSATIONS_COLLECTION to the collection that holds them, or {by_hand}"
    return Reason("no document that was written to MongoDB is a conversation", remedy, known.chats)


def _messages(known: RunFacts) -> Reason:
    unread = FACTS.of(seen.UNREAD)
    if unread:
        return Reason(
            f"{_inserts(unread)} are not recognised as messages",
            f"set CHATBOT_OTEL_MESSAGES_COLLECTION={unread[0][0]}, and CHATBOT_OTEL_ROLE_FIELD, or CHATBOT_OTEL_QUESTION_FIELD "
            "and CHATBOT_OTEL_ANSWER_FIELD, to the fields that hold them",
            lost=True,
        )
    by_hand = "call messages_sent.inc() and messages_received.inc()"
    outside = FACTS.of(seen.OUTSIDE)
    if outside:
        return Reason(
            "models are asked outside of any request (in a thread, an event of Socket.IO, a queue's worker), and no message is stored",
            f"{by_hand} there, or store messages with their role",
            lost=True,
        )
    if not known.has(m.AI_RESPONSE_TIME):
        return _unseen_calls() or Reason("no message is stored, and no model was asked", by_hand)
    if m.MESSAGES_FROM_MODEL in known.settings.auto_off:
        return Reason("no message is stored, and CHATBOT_OTEL_AUTO_OFF keeps model calls from telling of them", by_hand)
    why = "no message is stored, and no request with a model's whole answer ended below 400"
    return Reason(why, f"look at {m.ERRORS.prometheus} and at the app's log; or {by_hand}", lost=True)


def _ai_calls(_known: RunFacts) -> Reason:
    remedy = "put chat_completion() around calls that are not seen, or name their address in CHATBOT_OTEL_AI_ADDRESSES"
    return _unseen_calls() or Reason("no model was asked by a library that is followed", remedy)


def _unseen_calls() -> Reason | None:
    posted = FACTS.of(seen.POSTED)
    if posted:
        address, *fields = posted[0]
        return Reason(
            f"posts to {address} (fields {_listed(fields)}) look like model calls and are of no known kind",
            f"set CHATBOT_OTEL_AI_ADDRESSES={address}=<provider>:<protocol> if it speaks like a known one, or put "
            "chat_completion() around the call",
            lost=True,
        )
    found = libraries.imported(libraries.MODELS)
    if found:
        why = f"model calls of {found[0]} are not seen: {libraries.MODELS[found[0]]}"
        return Reason(why, "put chat_completion() around the call", lost=True)
    return None


def _no_cache(known: RunFacts) -> Reason | None:
    if not ({"redis", "cachelib"} & sys.modules.keys()):
        why = "no cache is used: neither redis nor cachelib is imported"
        return Reason(why, "nothing, where the app has no cache; another one counts by cache_hits.inc() and cache_misses.inc()")
    if not known.has(m.CACHE_OPERATION_TIME):
        which = " and ".join(name for name in ("redis", "cachelib") if name in sys.modules)
        remedy = "make its client after otel-chatbot is set up, by opentelemetry-instrument, if the app does use one"
        return Reason(f"no cache is used: {which} is imported, and nothing was asked of it", remedy)
    return None


def _cache_reads(known: RunFacts) -> Reason:
    return _no_cache(known) or Reason(
        "the cache is written and not read",
        "nothing, where that is meant: reads of histories, sessions, limits and queues are no cache reads",
    )


def _hits(known: RunFacts) -> Reason:
    return Reason("no read of the cache has found anything yet") if known.has(m.CACHE_MISSES) else _cache_reads(known)


def _misses(known: RunFacts) -> Reason:
    return Reason("every read of the cache has found something") if known.has(m.CACHE_HITS) else _cache_reads(known)


def _cache_size(known: RunFacts) -> Reason:
    found = _no_cache(known)
    if found is not None:
        return found
    prefix = known.settings.cache_prefix
    begins = f" that begins with {prefix} (CHATBOT_OTEL_CACHE_PREFIX)" if prefix else ""
    return Reason(
        f"the cache holds no key{begins}", "look whether its keys expire, or are of histories, sessions and queues alone"
    )


def _uses_mongodb(known: RunFacts) -> bool:
    return known.has(m.DB_QUERIES)


def _database(known: RunFacts) -> Reason:
    if _uses_mongodb(known):
        return Reason("no connection to MongoDB is open now")
    others = [libraries.DATABASES[name] for name in libraries.imported(libraries.DATABASES)]
    if others:
        return Reason(
            f"MongoDB alone is counted, and the app uses {others[0]}", "call db_queries.inc() and db_query_time.observe()"
        )
    if "pymongo" not in sys.modules:
        return Reason("no MongoDB is used: pymongo is not imported", "nothing, where the app has no database")
    remedy = "make its client after otel-chatbot is set up, by opentelemetry-instrument, if the app does use it"
    return Reason("no MongoDB is used: pymongo is imported, and no command was sent", remedy)


def _errors(_known: RunFacts) -> Reason:
    return Reason("nothing has failed: no 5xx answer, no exception, no failed model call")


def _active(kind: str, setting: str, places: tuple[str, ...], *, lost: bool = False) -> Reason:
    if any(fact == (kind,) for fact in FACTS.of(seen.ACTIVE)):
        return Reason("nobody was active within CHATBOT_OTEL_ACTIVE_WINDOW")
    one = kind.removesuffix("s")
    looked = ", ".join(dict.fromkeys(place.partition(":")[0] for place in places))
    return Reason(
        f"no {one} is known: no request that ended below 400 named one (looked for in {looked})",
        f"set {setting} to the place where the app has it, as in json:{one}Key or session:{one}Key",
        lost,
    )


def _users(known: RunFacts) -> Reason:
    return _active("users", "CHATBOT_OTEL_USER_ID_FROM", known.settings.user_id_from)


def _active_conversations(known: RunFacts) -> Reason:
    return _active("conversations", "CHATBOT_OTEL_CONVERSATION_ID_FROM", known.settings.conversation_id_from, lost=known.chats)


def _requests(_known: RunFacts) -> Reason:
    return Reason("every request was a connection that is counted apart", "look at http_server_request_duration_seconds")


_REASONS: Final[dict[str, Callable[[RunFacts], Reason]]] = {
    m.CONVERSATIONS_CREATED.name: _conversations,
    m.MESSAGES_SENT.name: _messages,
    m.MESSAGES_RECEIVED.name: _messages,
    m.CACHE_HITS.name: _hits,
    m.CACHE_MISSES.name: _misses,
    m.DB_QUERIES.name: _database,
    m.ERRORS.name: _errors,
    m.API_REQUESTS.name: _requests,
    m.ACTIVE_CONVERSATIONS.name: _active_conversations,
    m.ACTIVE_USERS.name: _users,
    m.CACHE_SIZE.name: _cache_size,
    m.DB_CONNECTIONS.name: _database,
    m.RESPONSE_TIME.name: _requests,
    m.DB_QUERY_TIME.name: _database,
    m.AI_RESPONSE_TIME.name: _ai_calls,
    m.CACHE_OPERATION_TIME.name: _cache_reads,
}


def _inserts(unread: list[tuple[str, ...]]) -> str:
    first = unread[0]
    more = f" and {len(unread) - 1} more" if len(unread) > 1 else ""
    return f"inserts into {_shown(first[0])} (fields {_listed(first[1:])}){more}"


def _shown(name: str) -> str:
    return f"`{name}`"


def _listed(fields: tuple[str, ...] | list[str]) -> str:
    return ", ".join(fields) or "none"
