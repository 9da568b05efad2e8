"""Whose turn it is to have what it sent parsed: whoever has cost least so far.

A client can make a few bytes costly (a body in chunks of one byte, a thousand headers, requests behind requests), and
many clients can do so at once. Each gets a piece at a time, and the event loop its turn in between; where all that ask
are costly, the process rests between their turns, so that a probe is answered as if they were not there.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

BLOCK = 1 << 16
"""Bytes that are received at once."""

_PASS = 0.002
"""Seconds of parsing until the event loop has its turn."""

_SHORT, _LONG = 0.0002, 0.0005
"""Seconds that a piece may take, before the next is longer or shorter."""

_SMALLEST = 256
COSTLY = 1024
"""Bytes of a piece, from which on those who have shorter ones are costly: hundreds of times as much as an image."""

_REST = 0.01
"""Seconds between the turns of the costly."""


class Turn(Protocol):
    """One that asks for turns.

    Attributes:
        spent: Seconds that it has cost lately.
        piece: Bytes of its next piece.
    """

    spent: float
    piece: int

    @property
    def ready(self) -> bool:
        """Whether it has something to parse."""

    def take_turn(self) -> None:
        """Parses a piece."""


class Turns:
    """Gives turns, for as long as somebody asks."""

    def __init__(self) -> None:
        self._asking: dict[Turn, None] = {}
        self._next: asyncio.Handle | None = None
        self._resting = False

    def ask(self, turn: Turn) -> None:
        """Takes note of one that may be ready."""
        if turn.ready:
            self._asking[turn] = None
            self._plan(rest=turn.piece <= COSTLY)

    def _plan(self, rest: bool) -> None:
        """Plans the next pass: now, or after a rest, unless it is planned to be as soon."""
        if self._next is not None and (rest or not self._resting):
            return
        if self._next is not None:
            self._next.cancel()
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(_REST, self._run) if rest else loop.call_soon(self._run)
        self._resting = rest

    def _run(self) -> None:
        """One pass: a piece of each, the cheapest first, until it has taken long enough."""
        self._next = None
        start = last = time.thread_time()
        for turn in sorted(self._asking, key=lambda turn: turn.spent):
            if not turn.ready:
                del self._asking[turn]
                continue
            turn.take_turn()
            now = time.thread_time()
            self._adapt(turn, now - last)
            last = now
            if now - start > _PASS:
                break
        if self._asking:
            self._plan(rest=all(turn.piece <= COSTLY for turn in self._asking))

    def _adapt(self, turn: Turn, seconds: float) -> None:
        turn.spent += seconds
        if seconds < _SHORT:
            turn.piece = min(2 * turn.piece, BLOCK)
        elif seconds > _LONG:
            turn.piece = max(turn.piece // 2, _SMALLEST)
