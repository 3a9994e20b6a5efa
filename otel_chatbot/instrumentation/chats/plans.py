"""Which fields of a document say what it is. Told by their names and types, once for all documents with the same fields.

Fed by `recognise`, which then looks at the values; reads names by the table of `shapes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ...config import Settings
from . import shapes
from .shapes import Side, plain

_LIMIT: Final = 1024
"""The most plans that are remembered; beyond it all are forgotten. An app whose users choose the names of fields has many."""
_MOST_REMEMBERED: Final = 64
"""The most fields of a document whose plan is remembered. A document with more fields is read each time."""
_MOST_FIELDS: Final = 200
"""A document with more fields than this is no part of a chat."""
_LONGEST_NAME: Final = 64
_SPEAKERS: Final = {name: number for number, name in enumerate((*shapes.SPEAKERS, *shapes.LOOSE_SPEAKERS))}
_RANKS: Final = {name: number for number, name in enumerate(shapes.CONVERSATION_IDS)}


class Plan(NamedTuple):
    """Where to look in documents with the same fields."""

    speakers: tuple[tuple[str, str], ...]
    """Fields that may name the speaker, as written and as the table has them."""
    flags: tuple[tuple[str, bool], ...]
    nested: tuple[str, ...]
    sides: tuple[tuple[str, Side], ...]
    exchanges: bool
    """Its sides may be an exchange: a side whose name says little needs a second side."""
    asks: bool
    """It has a field that is named after a question."""
    arrays: tuple[str, ...]
    chats: bool
    """It has an array that is named after a chat."""
    letter: tuple[str, ...]
    texts: tuple[str, ...]
    tools: tuple[str, ...]
    event: bool
    knowledge: bool
    called: bool
    personal: bool
    """It is somebody's account, not a part of a chat."""
    talk: bool
    ids: tuple[str, ...]
    """Fields that name its conversation, the best first."""
    saying: tuple[str, ...]
    """Fields that hold what it says, and who speaks."""
    telling: bool
    """It has a field that may make it a part of a chat."""


class Plans:
    """The plans of one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._role = settings.role_field
        self._sides = (settings.question_field, settings.answer_field)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def side(self, name: str) -> Side | None:
        """Which half of an exchange a field is."""
        question, answer = self._sides
        if question and name == question:
            return Side.QUESTION
        if answer and name == answer:
            return Side.ANSWER
        return None if (question and answer) or len(name) > _LONGEST_NAME else shapes.side(name)

    def of(self, document: Mapping[str, Any]) -> Plan:
        """Where to look in a document."""
        if len(document) > _MOST_REMEMBERED:
            return self._read(document if len(document) <= _MOST_FIELDS else {})
        known = (*document, *map(type, document.values()))
        plan = self._plans.get(known)
        if plan is None:
            if len(self._plans) >= _LIMIT:
                self._plans.clear()
            plan = self._plans[known] = self._read(document)
        return plan

    def _read(self, document: Mapping[str, Any]) -> Plan:
        fields = [(name, plain(name), document[name]) for name in document if len(name) <= _LONGEST_NAME]
        has = {found for _, found, _ in fields}
        speakers = sorted(
            ((n, p) for n, p, v in fields if p in _SPEAKERS and isinstance(v, (str, Mapping))),
            key=lambda pair: _SPEAKERS[pair[1]],
        )
        plan = Plan(
            speakers=((self._role, "role"),) if self._role else tuple(speakers),
            flags=tuple(
                (n, of_user)
                for n, _, v in fields
                if isinstance(v, bool) and not self._role and (of_user := shapes.flag(n)) is not None
            ),
            nested=tuple(n for n, p, v in fields if p in shapes.NESTED and isinstance(v, (str, Mapping))),
            sides=tuple((n, found) for n, _, v in fields if (found := self.side(n)) is not None and may_say(v)),
            asks=any(shapes.asks(n) for n, _, v in fields if may_say(v)),
            arrays=tuple(n for n, _, v in fields if isinstance(v, (list, tuple))),
            chats=any(isinstance(v, (list, tuple)) and shapes.names_conversations(n) for n, _, v in fields),
            letter=tuple(n for n, p, _ in fields if p in shapes.ADDRESSED),
            texts=tuple(n for n, p, v in fields if p in shapes.TEXTS and may_say(v)),
            tools=tuple(n for n, p, _ in fields if p in shapes.TOOLS),
            event=bool(has & shapes.EVENTS_HAVE),
            knowledge=bool(has & shapes.KNOWLEDGE),
            called=bool(has & shapes.CALLED),
            personal=bool(has & shapes.PERSONAL),
            talk=bool(has & shapes.PEOPLE_TALK),
            ids=tuple(
                n for n, p, v in sorted((f for f in fields if f[1] in _RANKS), key=lambda f: _RANKS[f[1]]) if _may_be_id(v)
            ),
            exchanges=False,
            saying=(),
            telling=False,
        )
        who, sides = ((name for name, _ in (*plan.speakers, *plan.flags) if name in document), (name for name, _ in plan.sides))
        kinds = {found for _, found in plan.sides}
        exchanges = len(kinds) > 1 or bool(kinds & {Side.QUESTION, Side.ANSWER})
        telling = bool(plan.speakers or plan.flags or plan.nested or plan.sides or plan.arrays)
        return plan._replace(
            saying=tuple(dict.fromkeys((*who, *plan.texts, *plan.nested, *sides))), exchanges=exchanges, telling=telling
        )


def may_say(value: Any) -> bool:
    """Whether a field of this kind can hold a text."""
    return value is None or isinstance(value, (str, list, tuple, Mapping))


def _may_be_id(value: Any) -> bool:
    return value is not None and not isinstance(value, (bool, list, tuple, Mapping))


def at(document: Any, path: str) -> Any:
    """The value at a dotted path, or under the path written as one key (`{"$set": {"a.b": 1}}`)."""
    if not isinstance(document, Mapping):
        return None
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    return at(document.get(head), rest) if dot else None
