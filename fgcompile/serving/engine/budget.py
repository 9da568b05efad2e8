"""How much memory requests in flight may take: who would exceed it waits, in order, and not for long."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

from fgcompile.serving.refusals import TOO_BUSY, RefusalError


class Share:
    """What one request has of a budget.

    Attributes:
        size: Bytes.
    """

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget, self.size = budget, size

    def resize(self, size: int) -> None:
        """Has ``size`` bytes from now on, be they there or not: what a request has become is no longer to be refused,
        and those behind it wait the longer."""
        self._budget.give(self.size - size)
        self.size = size


class Budget:
    """Bytes that requests in flight share, in whichever thread they are read.

    Args:
        total: All of them.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, size: int, patience: float) -> AsyncIterator[Share]:
        """Has ``size`` bytes of it, for as long as the context is open.

        Raises:
            RefusalError: They were not free in time.
        """
        granted = self._ask(min(size, self._total))
        try:
            async with asyncio.timeout(patience):
                await asyncio.wrap_future(granted)
        except TimeoutError as error:
            self._withdraw(granted, size)
            raise RefusalError(TOO_BUSY, "the server has no memory left for this request: try again later") from error
        except asyncio.CancelledError:
            self._withdraw(granted, size)
            raise
        share = Share(self, min(size, self._total))
        try:
            yield share
        finally:
            share.resize(0)

    def give(self, size: int) -> None:
        """Gives bytes back; fewer than none takes them, in any case."""
        with self._lock:
            self._free += size
            self._serve()

    def _ask(self, size: int) -> Future[None]:
        granted: Future[None] = Future()
        with self._lock:
            self._waiting.append((size, granted))
            self._serve()
        return granted

    def _serve(self) -> None:
        """Grants what is asked for, first come, first served; the lock is held."""
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            size, granted = self._waiting.popleft()
            if granted.set_running_or_notify_cancel():
                self._free -= size
                granted.set_result(None)

    def _withdraw(self, granted: Future[None], size: int) -> None:
        """Gives up waiting; what was granted meanwhile goes back."""
        if not granted.cancel() and not granted.cancelled():
            self.give(min(size, self._total))
        else:
            self.give(0)  # the next in the queue may be served
