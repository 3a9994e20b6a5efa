"""How chatbots write to MongoDB, and what looks like a chat and is none: the data of `stack/instrumentation/mongodb/test_shapes.py`.

A shape is a function that writes with the names and the habits of a family of public chatbots. What users say begins with
`Q`, what the assistant says with `A`, each text is new: so a listener that knows nothing of fields can count them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo import InsertOne, UpdateOne
from pymongo.database import Database

_numbers = itertools.count(1)
NOW = dt.datetime(2026, 11, 1, 12)


def q() -> str:
    """What a user says."""
    return f"Q{next(_numbers)}"


def a() -> str:
    """What an assistant says."""
    return f"A{next(_numbers)}"


class Shape(NamedTuple):
    """A way to store chats."""

    name: str
    write: Callable[[Database], Any]
    conversations: int = 0
    """How many the writing begins."""


def turn(question: str = "role", user: str = "user", bot: str = "assistant", text: str = "content") -> list[dict[str, Any]]:
    """A message of each."""
    return [{question: user, text: q(), "timestamp": NOW}, {question: bot, text: a(), "timestamp": NOW}]


def each(collection: str, *documents: dict[str, Any]) -> Callable[[Database], Any]:
    return lambda db: [db[collection].insert_one(dict(document)) for document in documents]


def grown_array(db: Database) -> None:
    """The whole array is read, grown and written back, three times."""
    db.chats.insert_one({"chat_id": "c1", "user": "u", "messages": []})
    for _ in range(3):
        chat = db.chats.find_one({"chat_id": "c1"})
        chat["messages"] += turn()
        db.chats.update_one({"chat_id": "c1"}, {"$set": {"messages": chat["messages"], "updated": NOW}})


def sliding_window(db: Database) -> None:
    """Only the last four messages are kept, behind the system's."""
    db.sessions.insert_one({"phone": "1", "messages": [{"role": "system", "content": "be kind"}]})
    for _ in range(4):
        found = db.sessions.find_one({"phone": "1"})
        kept = [*found["messages"][1:], *turn()][-4:]
        db.sessions.update_one({"_id": found["_id"]}, {"$set": {"messages": [found["messages"][0], *kept]}})


def replaced_document(db: Database) -> None:
    """The conversation is one object of the application, saved as a whole."""
    db.dialogs.insert_one({"_id": "d", "history": turn("speaker", "human", "bot", "text")})
    saved = db.dialogs.find_one({"_id": "d"})
    saved["history"] += turn("speaker", "human", "bot", "text")
    db.dialogs.replace_one({"_id": "d"}, saved, upsert=True)


def streamlit_save(db: Database) -> None:
    """The application keeps the messages and saves them all after each turn, with an upsert and without a read."""
    messages: list[dict[str, Any]] = []
    for _ in range(3):
        messages += turn()
        db.saved_chats.update_one({"chat_id": 7}, {"$set": {"messages": messages}}, upsert=True)


def pipeline(db: Database) -> None:
    """Updates by aggregation pipelines, which also work where the array is missing."""
    db.threads.insert_one({"_id": 1, "title": "new"})
    for _ in range(2):
        joined = {"$concatArrays": [{"$ifNull": ["$messages", []]}, turn()]}
        db.threads.update_one({"_id": 1}, [{"$set": {"messages": joined, "n": {"$add": ["$n", 1]}}}])


def late_answer(db: Database) -> None:
    """The question is stored at once, the answer when the model has spoken."""
    made = db.chat_logs.insert_one({"user_id": 1, "question": q(), "answer": None})
    db.chat_logs.update_one({"_id": made.inserted_id}, {"$set": {"answer": a(), "seconds": 1.5}})


def streamed_answer(db: Database) -> None:
    """The answer is saved while it comes."""
    made = db.chats.insert_one({"session_id": 1, "user_message": q(), "bot_response": ""})
    answer = a()
    for text in (answer[:1], answer[:1], answer):
        db.chats.update_one({"_id": made.inserted_id}, {"$set": {"bot_response": text, "at": uuid.uuid4().hex}})


def transaction(db: Database) -> None:
    with db.client.start_session() as session, session.start_transaction():
        db.chat_messages.insert_many(turn("sender", "user", "bot", "message"), session=session)
        db.chat_rooms.update_one({"session_id": "s"}, {"$push": {"messages": {"$each": turn()}}}, upsert=True, session=session)


def client_bulk(db: Database) -> None:
    user, bot = turn("from", "user", "bot", "text")
    db.client.bulk_write([
        InsertOne({"chatId": 1, **user}, namespace=f"{db.name}.chatmessages"),
        InsertOne({"chatId": 1, **bot}, namespace=f"{db.name}.chatmessages"),
    ])  # fmt: skip


def langchain(kind: str, text: str) -> str:
    return json.dumps({"type": kind, "data": {"content": text, "additional_kwargs": {}, "type": kind, "example": False}})


def llama(role: str, text: str, number: int) -> dict[str, Any]:
    message = {"role": role, "additional_kwargs": {}, "blocks": [{"block_type": "text", "text": text}]}
    return {"session_id": "s", "index": number, "message": message, "created_at": NOW}


TOOLS = [
    {"role": "system", "content": "be kind"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "sunny"},
]

SHAPES = [
    Shape("messages with a role", each("messages", *turn())),
    Shape("messages with a role in a collection whose name says nothing", each("items", *turn())),
    Shape("capital roles", each("history", *turn("role", "User", "ASSISTANT", "message"))),
    Shape("Gemini: model, parts", each("chat_turns", *turn("role", "user", "model", "parts"))),
    Shape("Gemini: parts in a list", each("chatHistory", {"role": "user", "parts": [{"text": q()}]}, {"role": "model", "parts": [a()]})),
    Shape("OpenAI: parts of content", each("logs_of_chats", {"role": "user", "content": [{"type": "text", "text": q()}]})),
    Shape("OpenAI: system, tools and calls beside", each("messages", *TOOLS, *turn())),
    Shape("sender, snake case", each("chat_history", *({"user_id": 1, **m} for m in turn("sender", "user", "bot", "message")))),
    Shape("sender as a document", each("chat_messages", {"sender": {"id": 1, "kind": "user"}, "body": q()}, {"sender": {"kind": "bot"}, "body": a()})),
    Shape("speaker and text", each("convo", *turn("speaker", "user", "bot", "text"))),
    Shape("type: human, ai, anywhere", each("store", *turn("type", "human", "ai"))),
    Shape("type: user, bot, in a chat", each("chatHistory", *turn("type", "user", "bot"))),
    Shape("from: user, bot", each("bot_messages", *turn("from", "user", "bot", "text"))),
    Shape("from and to between the user and the bot", each("chats", {"from": "user", "to": "bot", "text": q()}, {"from": "bot", "to": "user", "text": a()})),
    Shape("isUser", each("ChatMessage", {"userId": ObjectId(), "text": q(), "isUser": True}, {"text": a(), "isUser": False})),
    Shape("isBot", each("entries", {"isBot": False, "content": q()}, {"isBot": True, "content": a()})),
    Shape("is_user and mes", each("chat", {"name": "Me", "is_user": True, "mes": q()}, {"name": "Eve", "is_user": False, "mes": a()})),
    Shape("isCreatedByUser beside names", each("chat_messages", {"sender": "User", "text": q(), "isCreatedByUser": True}, {"sender": "GPT-4", "text": a(), "isCreatedByUser": False})),
    Shape("is_bot_response", each("replies_sent", {"is_bot_response": False, "text": q()}, {"is_bot_response": True, "text": a()})),
    Shape("directions in a chat", each("chat_messages", *turn("direction", "incoming", "outgoing", "text"))),
    Shape("participants in a chat", each("chat_messages", *turn("participant", "user", "assistant", "text"))),
    Shape("user_type in a chat", each("chat_messages", *turn("user_type", "user", "bot", "message"))),
    Shape("Spanish", each("conversaciones", {"pregunta": q(), "respuesta": a()}, {"mensaje_usuario": q(), "respuesta_bot": a()})),
    Shape("Portuguese roles", each("mensagens", *turn("role", "usuario", "assistente"))),
    Shape("a question with its answer in a history", each("history", {"user_id": "u", "question": q(), "response": a(), "timestamp": NOW})),
    Shape("a prompt with its response in logs", each("logs", {"prompt": q(), "response": a(), "tokens": 5})),
    Shape("an enduser and a chatbot", each("conversation_messages", *turn("sender_type", "end_user", "chatbot", "text"))),
    Shape("question and answer in chats", each("chats", {"question": q(), "answer": a()})),
    Shape("question and answer with the conversation", each("history", {"chat_id": 4, "question": q(), "answer": a(), "date": NOW})),
    Shape("query and response", each("conversation", {"query": q(), "response": a()})),
    Shape("user_message and bot_response", each("interactions", {"user_message": q(), "bot_response": a()})),
    Shape("userMessage and botReply, anywhere", each("records", {"userMessage": q(), "botReply": a(), "createdAt": NOW})),
    Shape("user_query and ai_response", each("stats", {"user_query": q(), "ai_response": a()})),
    Shape("user_input and response in conversations", each("conversations", {"user_input": q(), "response": a()})),
    Shape("message_user and message_bot", each("chat_history", {"message_user": q(), "message_bot": a()})),
    Shape("message and reply with an email", each("chats", {"email": "a@b.c", "message": q(), "reply": a()})),
    Shape("prompt and completion", each("chat_completions_log_of_chats", {"prompt": q(), "completion": a(), "model": "m", "tokens": 9})),
    Shape("prompt and response, camel case collection", each("ChatLog", {"prompt": q(), "response": a(), "provider": "p"})),
    Shape("input and output", each("conversations", {"user_id": "1", "input": q(), "output": a(), "feedback": "none"})),
    Shape("user and bot", each("dialogue", {"user": q(), "bot": a()})),
    Shape("human and ai", each("records", {"human": q(), "ai": a()})),
    Shape("a turn whose answer is a document", each("chats", {"user_message": q(), "bot_response": {"text": a(), "intent": "x"}})),
    Shape("langchain's message_store", each("message_store", {"SessionId": "s", "History": langchain("human", q())}, {"SessionId": "s", "History": langchain("ai", a())})),
    Shape("langchain with other names", each("conversations", {"session_id": "s", "history": langchain("human", q())})),
    Shape("llama-index's chat store", each("sessions", llama("user", q(), 0), llama("assistant", a(), 1))),
    Shape("many messages at once", lambda db: db.messages.insert_many([*turn(), *turn()])),
    Shape("a late answer", late_answer),
    Shape("a streamed answer", streamed_answer),
    Shape("a conversation with its first messages", each("chat_sessions", {"user_id": 1, "title": "t", "messages": turn("sender", "user", "bot", "text")}), 1),
    Shape("an empty conversation, then pushes", lambda db: (
        db.chats.insert_one({"_id": 1, "createdAt": NOW, "messages": []}),
        [db.chats.update_one({"_id": 1}, {"$push": {"messages": message}}) for message in turn()],
    ), 1),
    Shape("an upsert that pushes", lambda db: [
        db.conversation_history.update_one({"conversation_id": "c"}, {"$push": {"messages": m}, "$setOnInsert": {"at": NOW}}, upsert=True)
        for m in turn()
    ], 1),
    Shape("pushes with modifiers into an array of people", lambda db: (
        db.users.insert_one({"_id": 1, "username": "u", "password": "x", "chat_history": []}),
        db.users.update_one({"_id": 1}, {"$push": {"chat_history": {"$each": turn(text="message"), "$slice": -12, "$position": 0}}}),
    )),
    Shape("exchanges pushed into people", lambda db: (
        db.users.insert_one({"email": "e", "history": []}),
        db.users.update_one({"email": "e"}, {"$push": {"history": {"user_input": q(), "response": a(), "timestamp": NOW}}}),
    )),
    Shape("exchanges pushed under user and assistant", lambda db: db.memories_of_chats.update_one(
        {"_id": 1}, {"$push": {"chat_history": {"user": q(), "assistant": a()}}}, upsert=True), 1),
    Shape("addToSet", lambda db: db.convo.update_one({"thread_id": 1}, {"$addToSet": {"turns": {"question": q(), "answer": a()}}}, upsert=True), 1),
    Shape("a chat beside a document", lambda db: (
        db.documents.insert_one({"filename": "f", "text": "a book"}),
        db.documents.update_one({"filename": "f"}, {"$push": {"chat_history": {"$each": turn("role", "user", "ai", "text")}}}),
    )),
    Shape("sessions in a user's document", lambda db: (
        db.voice_users.insert_one({"user_email": "e", "sessions": [{"session_id": "s", "messages": turn()}]}),
        db.voice_users.update_one({"user_email": "e"}, {"$push": {"sessions.0.messages": turn()[0]}}),
    ), 1),
    Shape("Rasa's tracker", lambda db: db.conversations.update_one({"sender_id": "x"}, {
        "$push": {"events": {"$each": [
            {"event": "action", "name": "action_listen"}, {"event": "user", "text": q(), "parse_data": {}},
            {"event": "slot", "name": "n"}, {"event": "bot", "text": a(), "data": {}},
        ]}}, "$set": {"sender_id": "x"}}, upsert=True), 1),
    Shape("find_one_and_update", lambda db: [
        db.threads.find_one_and_update({"thread_id": 1}, {"$push": {"messages": {"$each": turn()}}}, upsert=True) for _ in range(2)
    ], 1),
    Shape("a bulk of updates", lambda db: db.chats.bulk_write([
        UpdateOne({"_id": n}, {"$push": {"messages": {"$each": turn()}}}, upsert=True) for n in (1, 2, 3)
    ]), 3),
    Shape("the client's bulk", client_bulk),
    Shape("the whole array, read before", grown_array, 1),
    Shape("the whole array, a window", sliding_window, 1),
    Shape("the whole array, saved without a read", streamlit_save, 1),
    Shape("the whole document", replaced_document, 1),
    Shape("pipelines", pipeline, 1),
    Shape("a transaction", transaction, 1),
]  # fmt: skip


def pairs(count: int) -> list[dict[str, Any]]:
    return [{"question": f"how {n}?", "answer": f"so {n}."} for n in range(count)]


NONE = [
    Shape("users with roles", each("users", {"role": "user", "name": "n", "email": "e"}, {"role": "assistant", "content": "teaches"})),
    Shape("users elsewhere", each("people_2026", {"role": "user", "name": "n"}, {"role": "user", "text": "bio", "password": "x"})),
    Shape("members with a kind", each("team", {"type": "bot", "name": "helper"}, {"type": "user", "name": "n"})),
    Shape("an audit log", each("audit_log", {"type": "user", "message": "logged in", "session_id": "s"}, {"role": "user", "message": "x", "action": "login"})),
    Shape("an audit log of another name", each("trail", {"type": "user", "message": "logged in"}, {"role": "user", "text": "x", "action": "login", "ip": "::1"})),
    Shape("activities", each("activities", {"author": "user", "text": "changed the title", "type": "bot"})),
    Shape("mails", each("outgoing", {"from": "bot", "to": "a@b.c", "subject": "s", "body": "b"}, {"sender": "user", "recipients": ["x"], "text": "t"})),
    Shape("an inbox", each("emails", {"sender": "a@b.c", "content": "c"}, {"role": "user", "content": "c"})),
    Shape("people's messages", each("messages", {"sender": "alice", "receiver": "bob", "message": "hi"}, {"username": "bob", "message": "hi"})),
    Shape("people's rooms", each("rooms", {"participants": [1, 2], "messages": []}, {"members": ["a"], "session_id": 1, "messages": []})),
    Shape("a contact form", each("contacts", {"name": "n", "email": "e", "message": "please call"})),
    Shape("a ticket", each("tickets", {"question": "why?", "status": "open", "answer": "so"}, {"sender": "user", "message": "broken"})),
    Shape("a ticket of another name", each("requests", {"question": "why?", "answer": None, "priority": 1, "session_id": "s"})),
    Shape("a ticket's comments", lambda db: db.tickets.update_one({"_id": 1}, {"$push": {"comments": {"role": "user", "text": "x"}, "history": {"action": "opened", "by_role": "user"}}}, upsert=True)),
    Shape("frequent questions", lambda db: db.faqs.insert_many(pairs(3))),
    Shape("a knowledge base", lambda db: db.qa_pairs.insert_many(pairs(3))),
    Shape("a chatbot's knowledge", lambda db: db.chatbot.insert_many(pairs(30))),
    Shape("one more question of it", each("chatbot", {"question": "how?", "answer": "so.", "category": "c", "keywords": ["k"]})),
    Shape("intents", each("intents", {"tag": "greeting", "patterns": ["hi"], "responses": ["hello"]})),
    Shape("a survey", each("survey_answers", {"question": "age?", "answer": "30", "user_id": 1})),
    Shape("a survey of another name", each("collected", {"survey_id": 1, "session_id": "s", "question": "age?", "answer": "30"})),
    Shape("requests and responses in logs", each("logs", {"request": "GET /", "response": "200"}, {"query": "SELECT 1", "result": "1"})),
    Shape("a question in a log of other things", each("audit_log", {"question": "why?", "answer": "so"})),
    Shape("texts with a direction", each("trail", {"direction": "inbound", "text": "x"}, {"direction": "out", "message": "x"})),
    Shape("texts of accounts", each("profiles_of_2026", {"is_active_user": True, "bio": "b", "text": "x"}, {"user": True, "text": "x"})),
    Shape("frequent questions in Spanish", each("preguntas_frecuentes", {"pregunta": "q", "respuesta": "a"})),
    Shape("searches", each("kept", {"query": "shoes", "results": [{"name": "n"}], "session_id": "s"})),
    Shape("a quiz", each("sets", {"question": "2+2", "options": ["3", "4"], "answer": "4", "session_id": "s"})),
    Shape("notifications", each("notifications", {"sender": "bot", "message": "ready"}, {"type": "user", "content": "c"})),
    Shape("comments", each("comments", {"author": "user", "text": "nice"}, {"role": "user", "content": "c"})),
    Shape("reviews", each("product_reviews", {"author": "guest", "text": "good", "rating": 5})),
    Shape("feedback on answers", each("chat_feedback", {"user_message": "q", "bot_response": "a", "rating": 1})),
    Shape("orders", each("orders", {"type": "guest", "items": [{"name": "n"}], "message": "thanks"})),
    Shape("web sessions", each("sessions", {"session_id": "s", "data": b"xx", "expires": NOW}, {"_id": "s", "user": "u", "data": {"cart": []}})),
    Shape("a store of passages", each("chunks", {"text": "t", "embedding": [0.1, 0.2], "metadata": {"source": "s", "type": "user"}})),
    Shape("passages of another name", each("vectors_1", {"content": "t", "embedding": [0.1], "source": "web"}, {"question": "q", "answer": "a", "embedding": [0.1]})),
    Shape("a cache of answers", each("llm_cache", {"prompt": "p", "response": "r"}, {"user_query": "q", "ai_response": "a"})),
    Shape("records of model calls", each("usage_records", {"model": "m", "messages": [{"role": "user", "content": "c"}], "choices": [{"message": {"role": "assistant", "content": "c"}}]})),
    Shape("templates", each("prompt_templates", {"role": "user", "content": "{question}"})),
    Shape("bots", each("bots", {"name": "n", "prompt": "be kind", "model": "m"})),
    Shape("settings of chats", each("chat_settings", {"user_id": 1, "model": "m"})),
    Shape("tags of a conversation", lambda db: (db.things.insert_one({"_id": 1, "tags": ["user", "bot"]}), db.things.update_one({"_id": 1}, {"$push": {"tags": "assistant"}, "$set": {"answer": "x"}}))),
]  # fmt: skip
