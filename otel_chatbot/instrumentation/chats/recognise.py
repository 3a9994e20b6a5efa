"""What a document is: a message, an exchange, a conversation, or no part of a chat. Applies the table of `shapes`.

Fed by the instrumentations of databases with what the application writes. They learn what that counts for, and which
conversation it belongs to. Pure, but for bounded memories: which fields of documents matter (`plans`), and what names say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from ...config import Settings
from . import shapes
from .counts import BOTH, CONVERSATION, NOTHING, RECEIVED, SENT, Counts, total
from .places import CONVERSATIONS, Places
from .plans import Plan, Plans, at
from .shapes import OWN_NAMES, Place, Side, plain

_MOST_FIELDS: Final = 20
_MOST_ROLES: Final = 1024
_DEPTH: Final = 3
_LONGEST_ROLE: Final = 64
_LONGEST_JSON: Final = 1024 * 1024
_OPENS: Final = ("{", b"{")
_ENDS: Final = ("}", b"}")


class Found(NamedTuple):
    """What a document is."""

    counts: Counts = NOTHING
    chat: bool = False
    """Whether it is part of a chat, even when it counts for nothing (a system's message)."""
    holds: bool = False
    """Whether it is a document with arrays of messages, now or later."""


_NONE: Final = Found()
_SAID: Final = {counts: Found(counts, chat=True) for counts in (NOTHING, SENT, RECEIVED, BOTH)}


class Recogniser:
    """Recognises documents by the table and by one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._messages = settings.messages_collection
        self._array = settings.messages_field
        sent, received = (frozenset(map(_word, roles)) for roles in (settings.user_roles, settings.assistant_roles))
        self._given = sent | received
        self._roles = {
            **dict.fromkeys(shapes.SILENT_ROLES, NOTHING),
            **dict.fromkeys(received or shapes.ASSISTANT_ROLES, RECEIVED),
            **dict.fromkeys(sent or shapes.USER_ROLES, SENT),
        }
        self._plans = Plans(settings)
        self._said_by: dict[str, tuple[str, Counts | None]] = {}  # by the role as it was written
        self._places = Places(settings)

    def document(self, document: Mapping[str, Any], collection: str, *, batch: bool = False) -> Found:
        """What a whole document of a collection is; `batch`: it was written together with more documents."""
        plan = self._plans.of(document)
        here = self._places.collection(collection)
        if not (plan.telling or here.named) or (here.closed and not plan.chats):
            return _NONE
        if here.holds_conversations:
            return Found(CONVERSATION.plus(self._embedded(document, plan, collection)), chat=True, holds=True)
        if here.speaks and not plan.personal and (plan.texts or plan.nested or plan.exchanges or here.holds_messages):
            said = self._said(document, plan, here.chat, sure=here.holds_messages, batch=batch)
            if not said.chat and here.records and plan.asks and plan.exchanges:
                said = self._exchange(document, plan, True, batch=batch)
            if said.chat:
                return said
        return self._conversation(document, plan, collection, here.place) if here.converses else _NONE

    def pushed(self, items: Sequence[Any], array: str, collection: str) -> Counts:
        """What new elements of an array count for. The array lies in documents of the collection, under this name or path."""
        known = self._places.array(array, collection)
        if not known.counts:
            return NOTHING
        found = NOTHING
        for item in items:
            counts = self._item(item, known.chat, 1, sure=known.sure).counts
            if counts is not NOTHING:
                found = counts if found is NOTHING else found.plus(counts)
        return found

    def element(self, item: Any, name: str, *, batch: bool = False) -> Found:
        """What one element of a place with this name is: a message, an exchange, a conversation, or none of them."""
        here = self._places.collection(name)
        if not here.speaks or here.closed:
            return _NONE
        return self._item(item, here.chat, 1, sure=here.holds_messages, batch=batch)

    def elements(self, items: Sequence[Any], path: str, name: str) -> list[Found]:
        """What the elements of an array are; empty if the array's name says that it is no part of a chat."""
        known = self._places.array(path, name)
        return [self._item(item, known.chat, 1, sure=known.sure) for item in items] if known.counts else []

    def names_conversation(self, item: Any) -> object:
        """The id of the conversation that a document, or one that was written as JSON, names."""
        document = _mapping(item)
        return None if document is None else self.conversation_id(document)

    def said(self, document: Mapping[str, Any]) -> tuple[Any, ...]:
        """The text of a document and its speaker, without ids and times."""
        return tuple(document[name] for name in self._plans.of(document).saying)

    def answered(self, changes: Mapping[str, Any], collection: str) -> bool:
        """Whether these fields, set in an existing document, are the answer to a question that was stored before."""
        here = shapes.place(collection)
        if self._messages and collection != self._messages:
            return False
        sides = [(found, _says(value, found)) for name, value in changes.items() if (found := self._plans.side(name))]
        if here not in (Place.CHAT, Place.OPEN) or any(found in _QUESTIONS or found is Side.PERSON for found, _ in sides):
            return False
        return any(says and (found is Side.ANSWER or (found in _ANSWERS and here is Place.CHAT)) for found, says in sides)

    def conversation_id(self, document: Mapping[str, Any]) -> object:
        """The id of the conversation that a document names."""
        for name in self._plans.of(document).ids:
            if (value := document[name]) is not None:
                return value
        return None

    def own_name(self, document: Mapping[str, Any]) -> object:
        """The name that the app itself gave to a conversation (`OWN_NAMES`); None if its fields have none."""
        named = {plain(name): value for name, value in document.items()}
        return next((value for name in OWN_NAMES if isinstance(value := named.get(name), (str, int))), None)

    def holds_conversations(self, collection: str) -> bool:
        """Whether the documents of a collection may be conversations, judged by its name and the settings."""
        return (here := self._places.collection(collection)).named or here.place is Place.OPEN

    def unread(self, document: Mapping[str, Any], collection: str) -> tuple[str, tuple[str, ...]] | None:
        """The fields of a document that was not recognised, where its collection's name does not say why."""
        may_chat = shapes.place(collection) in (Place.CHAT, Place.OPEN)
        return (collection, tuple(list(document)[:_MOST_FIELDS])) if may_chat else None

    def _said(self, document: Mapping[str, Any], plan: Plan, chat: bool, *, sure: bool = False, batch: bool = False) -> Found:
        """The document as a message or as an exchange. `chat`: it lies in a place of chats; `sure`: in a place of messages."""
        if plan.texts or sure:
            found = self._spoken(document, plan, chat or sure, sure=sure)
            if found is not None:
                return _SAID[found]
        return self._unspoken(document, plan, chat, batch=batch)

    def _unspoken(self, document: Mapping[str, Any], plan: Plan, chat: bool, *, batch: bool) -> Found:
        """A document without a speaker: a message may lie inside it, or it may be an exchange."""
        for name in plan.nested:
            inner = self._item(document[name], chat, _DEPTH)
            if inner.chat:
                return inner
        return self._exchange(document, plan, chat, batch=batch) if plan.exchanges else _NONE

    def _spoken(self, document: Mapping[str, Any], plan: Plan, chat: bool, *, sure: bool) -> Counts | None:
        """The speaker of the document; None if it names none. In a place of messages a role is enough."""
        for name, found in plan.speakers:
            value = document[name] if name in document else at(document, name)
            known = self._said_by.get(value) if type(value) is str else None
            role, counts = known or self._role(value)
            if counts is None or not (plan.texts or found == "role"):
                continue
            if not chat and (plan.event or self._loose(found, role)):
                continue
            if plan.letter and not sure and found in shapes.LETTERS_HAVE and self._addressed(document, plan):
                return None
            if plan.tools and any(document[tool] for tool in plan.tools) and not any(_says(document[t]) for t in plan.texts):
                return NOTHING
            return counts
        if plan.texts and (chat or not plan.event):
            for name, by_user in plan.flags:
                if chat or not shapes.names_maker(name):
                    return SENT if document[name] is by_user else RECEIVED
        return None

    def _role(self, value: Any) -> tuple[str, Counts | None]:
        """A role as the table has it, and what it counts for."""
        if isinstance(value, Mapping):
            value = next((value[key] for key in ("role", "kind", "type") if isinstance(value.get(key), str)), None)
        if not isinstance(value, str) or len(value) > _LONGEST_ROLE:
            return "", None
        role = _word(value)
        found = role, self._roles.get(role)
        if found[1] is not None and len(self._said_by) < _MOST_ROLES:
            self._said_by[value] = found
        return found

    def _loose(self, field: str, role: str) -> bool:
        """Whether this role, or a role in this field, may also stand in something that is no chat."""
        if field in shapes.LOOSE_SPEAKERS:
            return role not in shapes.PLAIN_ROLES
        return role in shapes.LOOSE_ROLES and role not in self._given

    def _addressed(self, document: Mapping[str, Any], plan: Plan) -> bool:
        given = (document[name] for name in plan.letter)
        return any(value is not None and self._role(value)[1] is None for value in given)

    def _exchange(self, document: Mapping[str, Any], plan: Plan, chat: bool, *, batch: bool = False) -> Found:
        said = [found for name, found in plan.sides if _says(document[name], found)]
        question = next((found for found in _QUESTIONS if found in said), None)
        answer = next((found for found in _ANSWERS if found in said), None)
        if Side.PERSON in said and question is None and (Side.BOT in said or answer is Side.ANSWER):
            question = Side.QUESTION
        if Side.BOT in said and answer is None and question is Side.QUESTION:
            answer = Side.ANSWER
        clear = question is Side.QUESTION or answer is Side.ANSWER
        if not clear:
            named = bool(plan.ids)
            if plan.knowledge or not (chat or named) or (batch and not named):
                return _NONE
            if question is None or answer is None:
                asked = any(found is Side.LOOSE_ANSWER and document[name] in (None, "") for name, found in plan.sides)
                return _SAID[SENT] if question is not None and asked else _NONE
        if question is not None and answer is not None:
            return _SAID[BOTH]
        if question is Side.QUESTION:
            return _SAID[SENT]
        return _SAID[RECEIVED] if answer is Side.ANSWER else _NONE

    def _conversation(self, document: Mapping[str, Any], plan: Plan, collection: str, here: Place) -> Found:
        items = self._embedded(document, plan, collection)
        if here in (Place.OTHER, Place.PEOPLE) or plan.personal:
            return Found(items, chat=True, holds=True) if items is not NOTHING else _NONE
        if not (plan.called or plan.talk) and (items is not NOTHING or self._begins(document, plan, collection, here)):
            return Found(CONVERSATION.plus(items), chat=True, holds=True)
        return _NONE

    def _begins(self, document: Mapping[str, Any], plan: Plan, collection: str, here: Place) -> bool:
        """Whether the document is a conversation without messages yet, except perhaps messages of the system."""
        if collection == CONVERSATIONS:
            return not (plan.texts and any(found in shapes.SPEAKERS for _, found in plan.speakers))
        if shapes.names_conversations(collection) and not (plan.texts or plan.sides):
            return True
        arrays = [document[name] for name in plan.arrays if shapes.is_history(name)]
        if any(array and self._item(array[0], True, _DEPTH).chat for array in arrays):
            return True
        return not all(arrays) and (here is Place.CHAT or bool(plan.ids))

    def _embedded(self, document: Mapping[str, Any], plan: Plan, collection: str) -> Counts:
        if self._array:
            array = at(document, self._array)
            return self.pushed(array, self._array, collection) if isinstance(array, (list, tuple)) else NOTHING
        if not plan.arrays:
            return NOTHING
        found = NOTHING
        for name in plan.arrays:
            counts = self.pushed(document[name], name, collection)
            if counts is not NOTHING:
                found = counts if found is NOTHING else found.plus(counts)
        return found

    def _item(self, item: Any, chat: bool, depth: int, *, sure: bool = False, batch: bool = False) -> Found:
        """What an element of an array is."""
        document = _mapping(item)
        if document is None:
            return _NONE
        plan = self._plans.of(document)
        if sure or (plan.texts and not plan.personal):
            spoken = self._spoken(document, plan, chat or sure, sure=sure)
            if spoken is not None:
                return _SAID[spoken]
        if plan.personal:
            return _NONE
        said = self._unspoken(document, plan, chat, batch=batch)
        if said.chat or depth >= _DEPTH:
            return said
        if not plan.arrays:
            return _NONE
        inner = total(self._item(element, chat, depth + 1).counts for name in plan.arrays for element in document[name])
        return Found(CONVERSATION.plus(inner), chat=True) if any(inner) else _NONE


_QUESTIONS: Final = (Side.QUESTION, Side.LOOSE_QUESTION)
_ANSWERS: Final = (Side.ANSWER, Side.LOOSE_ANSWER)


def _word(role: str) -> str:
    return plain(role.strip())


def _says(value: Any, half: Side | None = None) -> bool:
    """Whether there is a text. A list in a field whose name says little is a list of results, not an answer."""
    loose = half in (Side.LOOSE_QUESTION, Side.LOOSE_ANSWER)
    return bool(value) and isinstance(value, (str, Mapping) if loose else (str, list, tuple, Mapping))


def _mapping(value: Any) -> Mapping[str, Any] | None:
    """A document, or one that was written as JSON."""
    if type(value) is dict or isinstance(value, Mapping):
        return value
    if isinstance(value, (str, bytes)) and value[:1] in _OPENS and value[-1:] in _ENDS and len(value) <= _LONGEST_JSON:
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
        return parsed if isinstance(parsed, dict) else None
    return None
