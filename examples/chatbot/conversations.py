"""Conversations and their messages in MongoDB: the views read and write through this module; no other code uses MongoDB."""

import threading
from datetime import datetime, timezone
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument
from pymongo.collection import Collection

Document = dict[str, Any]
MOST_LISTED = 50
LONGEST_TITLE = 60


class Conversations:
    """The collections `conversations` and `messages` of one database.

    The client connects at first use, and gives up in seconds: a person is waiting. The URI may say otherwise.
    """

    def __init__(self, uri: str) -> None:
        client: MongoClient[Document] = MongoClient(
            uri, connect=False, serverSelectionTimeoutMS=2000, connectTimeoutMS=2000, socketTimeoutMS=5000, tz_aware=True
        )
        self._database = client.get_default_database("chatbot")
        self._indexed = False
        self._indexing = threading.Lock()

    def create(self, user_id: str, first_message: str) -> ObjectId:
        """A new conversation; its title is the beginning of its first message."""
        now = datetime.now(timezone.utc)
        title = " ".join(first_message.split())
        if len(title) > LONGEST_TITLE:
            title = title[: LONGEST_TITLE - 1].rstrip() + "…"
        document = {"user_id": user_id, "title": title, "created_at": now, "updated_at": now}
        return self._conversations.insert_one(document).inserted_id

    def touch(self, conversation_id: ObjectId) -> Document | None:
        """Move the conversation to the top of its owner's list and return it; None if there is none."""
        now = {"$set": {"updated_at": datetime.now(timezone.utc)}}
        return self._conversations.find_one_and_update({"_id": conversation_id}, now, return_document=ReturnDocument.AFTER)

    def find(self, conversation_id: ObjectId) -> Document | None:
        return self._conversations.find_one({"_id": conversation_id})

    def of_user(self, user_id: str) -> list[Document]:
        """The user's latest conversations, the newest first."""
        return list(self._conversations.find({"user_id": user_id}).sort("updated_at", DESCENDING).limit(MOST_LISTED))

    def delete(self, conversation_id: ObjectId) -> bool:
        """Delete a conversation with its messages; False if there is none."""
        deleted = self._conversations.delete_one({"_id": conversation_id}).deleted_count
        self._messages.delete_many({"conversation_id": conversation_id})
        return deleted > 0

    def add(self, conversation_id: ObjectId, role: str, content: str, **details: Any) -> None:
        """Keep one message; `details` describes an answer (`model`, `cached`, `interrupted`)."""
        self._messages.insert_one(self._message(conversation_id, role, content) | details)

    def add_many(self, conversation_id: ObjectId, messages: list[tuple[str, str]]) -> None:
        self._messages.insert_many([self._message(conversation_id, role, content) for role, content in messages])

    def messages(self, conversation_id: ObjectId) -> list[Document]:
        """All messages, the oldest first."""
        return list(
            self._messages.find({"conversation_id": conversation_id}).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
        )

    def latest(self, conversation_id: ObjectId, count: int) -> list[Document]:
        """The last `count` messages, the oldest of them first."""
        newest_first = [("created_at", DESCENDING), ("_id", DESCENDING)]
        return list(self._messages.find({"conversation_id": conversation_id}).sort(newest_first).limit(count))[::-1]

    @staticmethod
    def _message(conversation_id: ObjectId, role: str, content: str) -> Document:
        now = datetime.now(timezone.utc)
        return {"conversation_id": conversation_id, "role": role, "content": content, "created_at": now}

    @property
    def _conversations(self) -> Collection[Document]:
        self._create_indexes()
        return self._database["conversations"]

    @property
    def _messages(self) -> Collection[Document]:
        return self._database["messages"]

    def _create_indexes(self) -> None:
        """Runs once per process, at the first use of the database. After a failure, the next request tries again."""
        if self._indexed:
            return
        with self._indexing:
            if not self._indexed:
                self._database["conversations"].create_index([("user_id", ASCENDING), ("updated_at", DESCENDING)])
                self._database["messages"].create_index([("conversation_id", ASCENDING), ("created_at", ASCENDING)])
                self._indexed = True
