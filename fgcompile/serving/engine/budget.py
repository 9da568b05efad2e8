"""How much memory requests in flight may take: who would exceed it waits, in order, and not for long.

Whoever keeps memory for a request that is still being sent loses it, after a second, where another waits: else a few
clients that announce much and send nothing would keep all others out.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress

from fgcompile.serving.refusals import TOO_BUSY, RefusalError

_GRACE = 1.0
"""Seconds that a request may take to be sent, whoever waits."""

_STEP = 0.1
"""Seconds after which one that waits looks for somebody to displace."""


class Share:
    """What one request has of a budget.

    Attributes:
        size: Bytes.
        displaced: Whether another took its place while it was being sent.
    """

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget, self.size = budget, size
        self.displaced = False
        self.since = time.monotonic()

    def resize(self, size: int) -> None:
        """Has ``size`` bytes from now on, be they there or not: what a request has become is no longer to be refused,
        and those behind it wait the longer."""
        self._budget.give(self.size - size)
        self.size = size

    @contextmanager
    def waiting(self, timeout: asyncio.Timeout) -> Iterator[None]:
        """While open, the client is waited for, and the timeout ends early where others need the memory."""
        self._budget.note(self, timeout)
        try:
            yield
        finally:
            self._budget.forget(self)


class Budget:
    """Bytes that requests in flight share, in whichever thread they are read.

    Args:
        total: All of them.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._free = total
        self._lock = threading.Lock()
        self._asking: deque[tuple[int, Future[None]]] = deque()
        self._waited_for: dict[Share, tuple[asyncio.Timeout, asyncio.AbstractEventLoop]] = {}

    @asynccontextmanager
    async def take(self, size: int, patience: float) -> AsyncIterator[Share]:
        """Has ``size`` bytes of it, for as long as the context is open.

        Raises:
            RefusalError: They were not free in time.
        """
        size = min(size, self._total)
        granted = self._ask(size)
        try:
            async with asyncio.timeout(patience):
                await self._wait(granted)
        except TimeoutError as error:
            self._withdraw(granted, size)
            raise RefusalError(TOO_BUSY, "the server has no memory left for this request: try again later") from error
        except asyncio.CancelledError:
            self._withdraw(granted, size)
            raise
        share = Share(self, size)
        try:
            yield share
        finally:
            share.resize(0)

    def give(self, size: int) -> None:
        """Gives bytes back; fewer than none takes them, in any case."""
        with self._lock:
            self._free += size
            self._serve()

    def note(self, share: Share, timeout: asyncio.Timeout) -> None:
        """Takes note that a client is waited for."""
        with self._lock:
            self._waited_for[share] = (timeout, asyncio.get_running_loop())

    def forget(self, share: Share) -> None:
        """It is no longer."""
        with self._lock:
            self._waited_for.pop(share, None)

    def _ask(self, size: int) -> Future[None]:
        granted: Future[None] = Future()
        with self._lock:
            self._asking.append((size, granted))
            self._serve()
        return granted

    async def _wait(self, granted: Future[None]) -> None:
        if granted.done():
            return
        future = asyncio.wrap_future(granted)
        while not (await asyncio.wait({future}, timeout=_STEP))[0]:
            self._displace()

    def _displace(self) -> None:
        """Ends waiting for the client that has been waited for longest."""
        with self._lock:
            latest = time.monotonic() - _GRACE
            slow = [share for share in self._waited_for if share.since < latest and not share.displaced]
            if not slow:
                return
            oldest = min(slow, key=lambda share: share.since)
            oldest.displaced = True
            timeout, loop = self._waited_for[oldest]
        with suppress(RuntimeError):  # its loop was closed
            loop.call_soon_threadsafe(_expire, timeout)

    def _serve(self) -> None:
        """Grants what is asked for, first come, first served; the lock is held."""
        while self._asking and (self._asking[0][1].cancelled() or self._asking[0][0] <= self._free):
            size, granted = self._asking.popleft()
            if granted.set_running_or_notify_cancel():
                self._free -= size
                granted.set_result(None)

    def _withdraw(self, granted: Future[None], size: int) -> None:
        """Gives up waiting; what was granted meanwhile goes back."""
        self.give(0 if granted.cancel() or granted.cancelled() else size)


def _expire(timeout: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # it has ended
        timeout.reschedule(0.0)
