"""How many calls of an artifact a worker runs side by side, and that those whose clients have gone are dropped."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("prometheus_client", reason="needs prometheus_client: pip install 'fgcompile[serve]'")

from fgcompile.serving import Limits
from fgcompile.serving.engine.engine import Engine
from fgcompile.serving.engine.model import Model
from fgcompile.serving.protocol.messages import Request
from tests.support.tiny_artifacts import tiny_metadata

REQUEST = Request("", {"x": np.zeros((1, 3, 4, 4), np.float32)}, [], True)


class Slow:
    """A session that takes its time."""

    metadata, tokenizer = tiny_metadata(), None

    def __init__(self) -> None:
        self.running, self.most, self.calls, self.lock = 0, 0, 0, threading.Lock()

    def run(self, feeds: object) -> dict[str, np.ndarray]:
        with self.lock:
            self.running += 1
            self.calls += 1
            self.most = max(self.most, self.running)
        time.sleep(0.05)
        with self.lock:
            self.running -= 1
        return {"logits": np.zeros((1, 5), np.float32), "saliency": np.zeros((1, 1, 4, 4), np.float32)}


def _engine(session: Slow, concurrency: int) -> Engine:
    return Engine({"tiny": Model("tiny", lambda: session)}, Limits(), ThreadPoolExecutor(concurrency))  # type: ignore


async def _ask(engine: Engine) -> None:
    await engine.infer("tiny", 1, lambda: REQUEST, lambda request, outputs: None)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_run_side_by_side_than_allowed(concurrency: int) -> None:
    session = Slow()

    async def ask() -> None:
        engine = _engine(session, concurrency)
        await asyncio.gather(*(_ask(engine) for _ in range(12)))

    asyncio.run(ask())
    assert session.most == concurrency


def test_who_gives_up_while_waiting_is_dropped() -> None:
    session = Slow()

    async def ask() -> None:
        engine = _engine(session, 1)
        tasks = [asyncio.create_task(_ask(engine)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in tasks[1:]:
            task.cancel()
        await tasks[0]
        await _ask(engine)

    asyncio.run(ask())
    assert session.calls == 2
