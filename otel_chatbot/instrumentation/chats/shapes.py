"""What a message, an exchange and a conversation look like in a database: one table, and how its names are read.

Fed by nothing; feeds `recognise`, which applies it to documents. The rule, as the documentation says it:

- A **message** says who speaks (`role: user`, `sender: bot`, `isUser: true`) and what (`content`, `text`, `message`).
- An **exchange** holds a question and an answer, side by side, under names that say so (`user_message` and `bot_reply`).
- A **conversation** holds an array of messages or of exchanges, or it lies in a collection that is named after conversations.
- **What could be something else needs a place.** `type: user` with a text may be an audit log; `question` and `answer` may be
  a list of frequent questions. They count only if the name of the collection or of the array speaks of chats. A question with
  its answer also counts if it names its conversation. A message beside an `action`, an address or a level needs a place too.
- **A name decides ties, by its last word that says something**: `user_chats` are chats, `chat_users` are users. In a collection
  of people only arrays count. In a collection of other things (notes, mails, tickets, reviews, caches) only an array that is
  named after a chat counts.
- **A letter is no message**: a letter has a receiver or a subject, and is not addressed to the assistant. These are no messages
  either: a document with a password; a question and answer with the marks of a knowledge base, a survey or a quiz; a batch of
  questions and answers that names no conversation.

Names are read word by word (`botReply` and `bot_reply` are the same), so the table holds words, not spellings.
"""

from __future__ import annotations

import enum
import functools
import re
from typing import Final

USER_ROLES: Final = frozenset({
    "user", "human", "customer", "visitor", "guest", "enduser", "you", "me", "incoming", "inbound", "usuario",
})  # fmt: skip
"""Values that say that a person speaks."""
ASSISTANT_ROLES: Final = frozenset({
    "assistant", "ai", "bot", "model", "chatbot", "agent", "llm", "gpt", "chatgpt", "robot", "copilot", "gemini", "claude",
    "aiassistant", "aibot", "chatassistant", "virtualassistant", "outgoing", "outbound", "asistente", "assistente",
})  # fmt: skip
"""Values that say that the assistant speaks."""
SILENT_ROLES: Final = frozenset({"system", "tool", "function", "developer", "toolresult"})
"""Values of messages that are part of a chat but are neither sent nor received."""
LOOSE_ROLES: Final = frozenset({
    "agent", "customer", "visitor", "guest", "you", "me", "incoming", "inbound", "outgoing", "outbound",
})  # fmt: skip
"""Values that also occur where people talk to each other: they need a place."""
PLAIN_ROLES: Final = frozenset({"human", "ai"})
"""Values that occur in chats alone: they count in any field of a speaker, in any place."""

SPEAKERS: Final = (
    "role", "sender", "sendertype", "senderrole", "speaker", "messagetype", "msgtype", "authorrole", "sentby",
)  # fmt: skip
"""Fields that name the speaker."""
LOOSE_SPEAKERS: Final = (
    "type", "from", "author", "source", "event", "kind", "by", "who", "name", "origin", "direction", "participant",
    "participanttype", "usertype", "authortype", "actor",
)  # fmt: skip
"""Fields that may name the speaker or much else: they need a place."""
ADDRESSED: Final = frozenset({"to", "cc", "bcc", "recipient", "recipients", "receiver", "subject"})
"""Fields of a letter. A `role`, or a flag, says more than they do."""
LETTERS_HAVE: Final = frozenset({"sender", "speaker", "sentby", *LOOSE_SPEAKERS})
"""Fields of a speaker that letters have too."""
_FLAG_WORDS: Final = frozenset({
    "is", "was", "from", "by", "of", "created", "sent", "generated", "message", "msg", "reply", "response", "answer",
})  # fmt: skip
"""Words that a boolean's name may have beside the speaker's."""
_FLAG_MAKERS: Final = frozenset({"created", "generated"})
"""Words of booleans that say who made a thing, which may be a picture or a story as well as a message."""
_FLAG_USERS: Final = frozenset({"user", "human"})
_FLAG_BOTS: Final = frozenset({"bot", "ai", "assistant", "chatbot"})
_FLAGS_IN_ONE: Final = {
    **dict.fromkeys(("isuser", "fromuser", "byuser", "ishuman", "isfromuser", "isusermessage"), True),
    **dict.fromkeys(("isbot", "isai", "frombot", "fromai", "isassistant", "isfrombot", "isbotmessage", "isaimessage"), False),
}
"""Names that are written without a break, and whether it is the user who speaks."""

TEXTS: Final = frozenset({
    "content", "contents", "text", "message", "msg", "body", "parts", "blocks", "messagetext", "messagecontent", "mes",
    "utterance", "transcript", "data", "textcontent",
})  # fmt: skip
"""Fields that hold what a message says."""
TOOLS: Final = frozenset({"toolcalls", "functioncall", "tooluse"})
"""Fields of a message in which the assistant calls a tool; without a text it says nothing."""
NESTED: Final = frozenset({"message", "msg", "data", "history"})
"""Fields that may hold a whole message, as a document or as JSON (langchain's `History`, llama-index's `message`)."""

_PEOPLE_SAY: Final = frozenset({"user", "human", "customer", "visitor", "student", "patient", "usuario"})
_BOTS_SAY: Final = frozenset({"bot", "ai", "assistant", "chatbot", "model", "llm", "gpt", "agent", "gemini", "chatgpt"})
_SAID: Final = frozenset({
    "message", "msg", "text", "content", "utterance", "say", "said", "transcript", "mensaje", "mensagem",
})  # fmt: skip
_WRITTEN: Final = frozenset({"message", "msg", "text", "mensaje", "mensagem"})
_QUESTION: Final = frozenset({"question", "prompt", "ques", "pregunta", "pergunta", "frage", "pertanyaan"})
"""Words of questions alone. `request` is not among them: any call has one."""
_ASKED: Final = _QUESTION | {"query", "input", "request"}
_ANSWERED: Final = frozenset({
    "answer", "response", "reply", "output", "completion", "result", "ans", "answered", "respuesta", "resposta", "reponse",
    "antwort", "jawaban",
})  # fmt: skip
_FILLING: Final = frozenset({"generated", "final", "full", "raw", "original"})

CONVERSATION_IDS: Final = (
    "conversationid", "conversation", "convid", "convoid", "chatid", "chatsessionid", "chat", "threadid", "thread", "dialogid",
    "dialogueid", "discussionid", "sessionid", "session", "conversationuuid", "sessionuuid",
)  # fmt: skip
"""Fields that name the conversation, in the order in which they are preferred."""
OWN_NAMES: Final = ("id", "uuid", "number", "room", "roomid", "channel", "channelid", "key", "slug", "code", "ref")
"""Fields by which an app finds a conversation in a collection of conversations. None of them names a person."""
EVENTS_HAVE: Final = frozenset({
    "action", "ip", "ipaddress", "level", "loglevel", "severity", "statuscode", "endpoint", "useragent",
})  # fmt: skip
"""Fields of the record of an event: with them a message needs a place."""
PERSONAL: Final = frozenset({"password", "passwordhash", "hashedpassword", "passwd", "pwd"})
PEOPLE_TALK: Final = frozenset({"participants", "members", "userlist"})
"""Fields of a room in which people talk to each other."""
CALLED: Final = frozenset({"choices"})
"""Fields of the record of a model call: the messages in it are its input."""
KNOWLEDGE: Final = frozenset({
    "category", "categories", "tags", "keywords", "patterns", "options", "correct", "correctanswer", "iscorrect", "difficulty",
    "surveyid", "survey", "quizid", "quiz", "formid", "examid", "questionid", "embedding", "embeddings", "vector", "priority",
    "assignee", "productid", "rating", "targetlanguage", "targetlang",
})  # fmt: skip
"""Fields that say that a question with its answer is no part of a chat."""

CHAT_WORDS: Final = frozenset({
    "chat", "chatbot", "bot", "conversation", "convo", "conv", "dialog", "dialogue", "thread", "turn", "transcript", "exchange",
    "interaction", "assistant", "copilot", "message", "msg", "conversacion", "conversacione", "conversa", "conversacao",
    "mensaje", "mensagem", "mensagen",
})  # fmt: skip
CONVERSATION_WORDS: Final = frozenset({
    "chat", "conversation", "convo", "dialog", "dialogue", "thread", "conversacion", "conversacione", "conversa", "conversacao",
})  # fmt: skip
"""The words after which conversations are named. `message` is not among them: many other things have messages."""
PEOPLE_WORDS: Final = frozenset({
    "user", "account", "member", "customer", "client", "profile", "person", "people", "patient", "student", "admin", "employee",
    "contact", "lead", "visitor", "guest", "usuario", "cliente",
})  # fmt: skip
OTHER_WORDS: Final = frozenset({
    "note", "mail", "email", "inbox", "outbox", "newsletter", "notification", "alert", "ticket", "issue", "case", "faq", "kb",
    "knowledge", "question", "answer", "article", "post", "comment", "review", "rating", "feedback", "survey", "poll", "quiz",
    "exam", "form", "questionnaire", "flashcard", "audit", "activity", "event", "login", "access", "security", "error", "order",
    "cart", "product", "payment", "invoice", "booking", "appointment", "document", "doc", "file", "chunk", "embedding",
    "vector", "page", "dataset", "training", "intent", "pattern", "example", "template", "cache", "usage", "metric", "trace",
    "span", "call", "job", "task", "queue", "backup", "setting", "config", "evaluation", "eval", "summary", "report", "token",
    "announcement", "tag", "label", "keyword", "attachment", "bookmark", "violation", "search", "run", "execution", "experiment",
    "workflow", "translation", "prediction", "memory", "fact", "reminder",
    "pregunta", "respuesta",
})  # fmt: skip
HISTORY_WORDS: Final = frozenset({"history", "log", "entry", "event", "turn", "exchange", "interaction", "message", "msg"})
"""Last words of the names of arrays that hold a conversation, if the collection is one of chats."""


_RECORDS: Final = frozenset({"history", "log"})


class Place(enum.Enum):
    """What a name says of what lies there."""

    CHAT = "chat"
    PEOPLE = "people"
    OTHER = "other"
    OPEN = "open"
    """The name says nothing."""


class Side(enum.Enum):
    """Which half of an exchange a field is."""

    QUESTION = "question"
    """Its name alone says that it is a user's text."""
    ANSWER = "answer"
    """Its name alone says that it is an assistant's text."""
    LOOSE_QUESTION = "loose question"
    LOOSE_ANSWER = "loose answer"
    PERSON = "person"
    """`user`, `human`: beside a `BOT` it is a question, else a name or an id."""
    BOT = "bot"


_HALVES: Final[tuple[tuple[Side, tuple[frozenset[str], ...], frozenset[str]], ...]] = (
    (Side.PERSON, (frozenset({"user", "human"}),), frozenset({"user", "human"})),
    (Side.BOT, (_BOTS_SAY,), _BOTS_SAY - {"model"}),
    (Side.QUESTION, (_PEOPLE_SAY, _SAID | _ASKED), _PEOPLE_SAY | _SAID | _ASKED),
    (Side.ANSWER, (_BOTS_SAY, _SAID | _ANSWERED), _BOTS_SAY | _SAID | _ANSWERED),
    (Side.LOOSE_ANSWER, (_ANSWERED,), _ANSWERED | _SAID),
    (Side.LOOSE_QUESTION, (_ASKED | _WRITTEN,), _ASKED | _WRITTEN),
)
"""The first row that fits a field's name decides: the name has a word of each set, and no word outside of the last set."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_KNOWN: Final = (
    CHAT_WORDS
    | PEOPLE_WORDS
    | OTHER_WORDS
    | HISTORY_WORDS
    | _SAID
    | _ASKED
    | _ANSWERED
    | {"session", "room", "data", "store", "id"}
)
_FIRST: Final = ("chatbot", "chat", "conversation", "message", "user", "bot", "ai")
"""Words that may be followed by a second word without a break (`chatmessages`)."""
_SINGULAR: Final = frozenset({"news"})


@functools.lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name in one spelling: `sessionId`, `session_id` and `SessionID` are `sessionid`."""
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


@functools.lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case and the singular; `chatmessages` is two of them."""
    return tuple(part for word in _WORD.findall(name) for part in _parts(_singular(word.lower())))


@functools.lru_cache(maxsize=4096)
def place(name: str) -> Place:
    """What a collection's or an array's name says, by its last word that says something."""
    for word in reversed(words(name)):
        if word in CHAT_WORDS:
            return Place.CHAT
        if word in PEOPLE_WORDS:
            return Place.PEOPLE
        if word in OTHER_WORDS:
            return Place.OTHER
    return Place.OPEN


@functools.lru_cache(maxsize=4096)
def names_conversations(name: str) -> bool:
    """Whether a collection's or an array's name speaks of conversations, not of single messages."""
    if place(name) is not Place.CHAT:
        return False
    return next(word for word in reversed(words(name)) if word in CHAT_WORDS) in CONVERSATION_WORDS


@functools.lru_cache(maxsize=4096)
def is_history(name: str) -> bool:
    """Whether an array's name is usual for the messages of a conversation."""
    found = words(name)
    return bool(found) and (place(name) is Place.CHAT or found[-1] in HISTORY_WORDS)


@functools.lru_cache(maxsize=4096)
def keeps_records(name: str) -> bool:
    """Whether a collection's name says that it is a history or a log, but not of what."""
    found = words(name)
    return bool(found) and found[-1] in _RECORDS and place(name) is Place.OPEN


@functools.lru_cache(maxsize=4096)
def asks(name: str) -> bool:
    """Whether a field's name is that of a question in any document."""
    return not _QUESTION.isdisjoint(words(name))


@functools.lru_cache(maxsize=4096)
def flag(name: str) -> bool | None:
    """Who speaks if a boolean of this name is true: True means the user, False the assistant, None neither."""
    if plain(name) in _FLAGS_IN_ONE:
        return _FLAGS_IN_ONE[plain(name)]
    found = frozenset(words(name))
    who = found - _FLAG_WORDS
    if len(who) != 1 or (len(found) == 1 and not who <= _FLAG_BOTS):
        return None
    return True if who <= _FLAG_USERS else False if who <= _FLAG_BOTS else None


@functools.lru_cache(maxsize=4096)
def names_maker(name: str) -> bool:
    """Whether a boolean of this name says who made a thing: only in a place of chats is that the speaker."""
    return not _FLAG_MAKERS.isdisjoint(words(name))


@functools.lru_cache(maxsize=4096)
def side(name: str) -> Side | None:
    """Which half of an exchange a field of this name is; None for other fields."""
    found = frozenset(words(name)) - _FILLING
    return next((half for half, needed, allowed in _HALVES if found <= allowed and all(found & one for one in needed)), None)


def _parts(word: str) -> tuple[str, ...]:
    if word not in _KNOWN:
        for first in _FIRST:
            rest = word[len(first) :]
            if word.startswith(first) and rest in _KNOWN:
                return first, rest
    return (word,)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 and word not in _SINGULAR else word
