"""The queue of a batch processor: it reports dropped items, and lets the processor's thread sleep while it is empty.

Fed by the light spans and log records of `distro.providers`; feeds the SDK's batch processors (`distro.sdk_private` puts it there).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

_append_left: Final = deque.appendleft


class CountingQueue(deque[Any]):
    """A batch processor's queue that reports every item that it drops because it is full; exact under threads."""

    def __init__(self, limit: int, on_pushed_out: Callable[[], None]) -> None:
        super().__init__(maxlen=limit)
        self._on_pushed_out = on_pushed_out
        self.renew()

    def renew(self) -> None:
        """In a forked child, a fresh lock, and no thread that waits."""
        self._lock = threading.RLock()  # reentrant: a signal handler may log
        self.filled: SimpleQueue[None] | None = None
        """If a thread waits, it gets an entry when the queue is no longer empty. Its `put` is reentrant, too."""

    def appendleft(self, item: Any) -> None:
        """Put an item in; the oldest goes when there is no room."""
        lock = self._lock
        lock.acquire()  # `with` and `super` take as long as the rest: every span and every record comes here
        try:
            before = len(self)
            _append_left(self, item)
        finally:
            lock.release()
        if not before:
            if self.filled is not None:
                self.filled.put(None)
        elif before == self.maxlen:
            self._on_pushed_out()

    def pop(self) -> Any:  # type: ignore[override]
        """Take the oldest out."""
        with self._lock:
            return super().pop()


def has_real_threads() -> bool:
    """Whether a thread may wait for a real queue. Where gevent or eventlet makes the threads, that would stop all of them."""
    return type(threading.Lock()).__module__ == "_thread"


class Awaken(threading.Event):
    """The event that a batch processor's thread waits for. While the queue is empty, the thread sleeps until there is an item.

    By itself the SDK's thread looks each second (for spans each five seconds), which an idle application pays for. A forked child
    gets the SDK's own event, and so looks that often.
    """

    def __init__(self, queue: CountingQueue) -> None:
        super().__init__()
        self._queue = queue
        self._filled: SimpleQueue[None] = SimpleQueue()
        queue.filled = self._filled

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the first item, then so many seconds for the rest of the batch; `set` ends both waits."""
        if not self._queue and not self.is_set():
            self._filled.get()
        while not self._filled.empty():
            self._filled.get()
        return super().wait(timeout)

    def set(self) -> None:
        """End the wait."""
        super().set()
        self._filled.put(None)
