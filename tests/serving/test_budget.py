"""Memory that requests share: first come, first served, and nobody waits for long."""

from __future__ import annotations

import asyncio

import pytest

from fgcompile.serving.engine import budget
from fgcompile.serving.engine.budget import Budget
from fgcompile.serving.refusals import TOO_BUSY, RefusalError


def test_who_comes_first_is_served_first() -> None:
    order = []

    async def take(ours: Budget, name: str, size: int) -> None:
        async with ours.take(size, 5.0):
            order.append(name)
            await asyncio.sleep(0)

    async def run() -> None:
        ours = Budget(10)
        async with ours.take(6, 5.0):
            waiting = [asyncio.create_task(take(ours, name, size)) for name, size in (("a", 8), ("b", 1), ("c", 10))]
            await asyncio.sleep(0.01)
            assert order == []  # b would fit, and waits behind a
        await asyncio.gather(*waiting)

    asyncio.run(run())
    assert order == ["a", "b", "c"]


def test_who_waits_too_long_is_refused_and_leaves_nothing_behind() -> None:
    async def run() -> None:
        ours = Budget(10)
        async with ours.take(6, 5.0):
            with pytest.raises(RefusalError) as caught:
                async with ours.take(5, 0.01):
                    raise AssertionError
            assert caught.value.kind is TOO_BUSY
            task = asyncio.create_task(ours.take(5, 5.0).__aenter__())
            await asyncio.sleep(0.01)
            task.cancel()
            async with ours.take(4, 0.1):
                pass
        async with ours.take(10, 0.1):
            pass

    asyncio.run(run())


def test_what_a_request_has_become_is_counted_and_more_than_all_is_all() -> None:
    async def run() -> None:
        ours = Budget(10)
        async with ours.take(100, 0.1) as share:
            share.resize(3)
            async with ours.take(7, 0.1):
                share.resize(9)  # an answer, which is not refused
            with pytest.raises(RefusalError):
                async with ours.take(2, 0.01):
                    raise AssertionError
        async with ours.take(10, 0.1):
            pass

    asyncio.run(run())


def test_two_event_loops_share_it() -> None:
    ours = Budget(10)

    async def take() -> None:
        for _ in range(50):
            async with ours.take(6, 5.0):
                await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(asyncio.to_thread(asyncio.run, take()), take())

    asyncio.run(run())


def test_who_is_slow_gives_way_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_GRACE", 0.2)

    async def wait(ours: Budget, ended: list[str], name: str) -> None:
        async with ours.take(5, 5.0) as share:
            try:
                async with asyncio.timeout(5.0) as timeout:
                    with share.waiting(timeout):
                        await asyncio.sleep(60)
            except TimeoutError:
                assert share.displaced
                ended.append(name)

    async def run() -> None:
        ours, ended = Budget(10), []
        tasks = [asyncio.create_task(wait(ours, ended, "first"))]
        await asyncio.sleep(0.05)
        tasks.append(asyncio.create_task(wait(ours, ended, "second")))
        await asyncio.sleep(0.05)
        async with ours.take(5, 2.0):
            assert ended == ["first"]
        tasks[1].cancel()

    asyncio.run(run())
