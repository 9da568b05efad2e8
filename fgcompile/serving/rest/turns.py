"""Whose turn it is to have what it sent parsed: whoever has cost least so far.

A client can make a few bytes costly (a body in chunks of one byte, a thousand headers, requests behind requests), and
many clients can do so at once. Each gets a piece at a time, and the event loop its turn in between, so that a probe is
answered as if they were not there.
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
        self._running = False

    def ask(self, turn: Turn) -> None:
        """Takes note of one that may be ready."""
        if turn.ready:
            self._asking[turn] = None
            self._run_soon()

    def _run_soon(self) -> None:
        if not self._running:
            self._running = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        """One pass: a piece of each, the cheapest first, until it has taken long enough."""
        self._running = False
        end = time.perf_counter() + _PASS
        for turn in sorted(self._asking, key=lambda turn: turn.spent):
            if not turn.ready:
                del self._asking[turn]
                continue
            start = time.perf_counter()
            turn.take_turn()
            now = time.perf_counter()
            self._adapt(turn, now - start)
            if now > end:
                break
        if self._asking:
            self._run_soon()

    def _adapt(self, turn: Turn, seconds: float) -> None:
        turn.spent += seconds
        if seconds < _SHORT:
            turn.piece = min(2 * turn.piece, BLOCK)
        elif seconds > _LONG:
            turn.piece = max(turn.piece // 2, _SMALLEST)
