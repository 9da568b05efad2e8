"""When a connection is closed, by a clock and a transport that only tell."""

from __future__ import annotations

import asyncio
import time

import pytest

from fgcompile.serving.rest import connections
from fgcompile.serving.rest.connections import Connection, Connections
from fgcompile.serving.rest.turns import Turn, Turns

PATIENCE, IDLE = 10.0, 60.0


class Transport:
    """Remembers what was done to it."""

    def __init__(self, port: int) -> None:
        self.port, self.pending, self.done, self.written = port, 0, "", b""

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def get_write_buffer_size(self) -> int:
        return self.pending

    def is_closing(self) -> bool:
        return bool(self.done)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.done = "closed"

    def abort(self) -> None:
        self.done = "aborted"


class AtOnce(Turns):
    """Gives turns when they are asked for."""

    def ask(self, turn: Turn) -> None:
        while turn.ready:
            turn.take_turn()


class Inner(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.flow = transport

    def data_received(self, data: bytes) -> None:
        self.received += data


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(connections.time, "monotonic", lambda: now[0])
    return now


def _connect(every: Connections, port: int = 1) -> tuple[Connection, Transport]:
    every.turns = AtOnce()
    connection, transport = Connection(Inner(), every), Transport(port)
    connection.connection_made(transport)
    return connection, transport


def _receive(connection: Connection, data: bytes) -> None:
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))


def _pass(every: Connections, clock: list[float], seconds: float) -> None:
    clock[0] += seconds
    every.check()


def test_a_head_has_its_time_however_it_comes(clock: list[float]) -> None:
    every = Connections(5, PATIENCE, IDLE)
    connection, transport = _connect(every)
    _pass(every, clock, 9)
    _receive(connection, b"G")
    for _ in range(9):
        _pass(every, clock, 1)
        _receive(connection, b"E")
    assert not transport.done
    _pass(every, clock, 1.5)
    assert transport.done == "closed"
    assert b"408" in transport.written


def test_between_requests_there_is_more_time(clock: list[float]) -> None:
    every = Connections(5, PATIENCE, IDLE)
    connection, transport = _connect(every)
    _receive(connection, b"GET")
    connection.begin()
    _pass(every, clock, 10 * IDLE)  # a request may be answered slowly
    connection.finish()
    _pass(every, clock, IDLE - 1)
    assert not transport.done
    _pass(every, clock, 2)
    assert (transport.done, transport.written) == ("closed", b"")


def test_who_reads_slowly_may_and_who_does_not_is_ended(clock: list[float]) -> None:
    every = Connections(5, PATIENCE, IDLE)
    connection, transport = _connect(every)
    connection.begin()
    connection.count(1 << 20)
    transport.pending = 1 << 20
    _pass(every, clock, 1)
    for _ in range(10):
        transport.pending -= 20_000
        _pass(every, clock, 9)
    assert not transport.done
    for _ in range(3):
        transport.pending -= 1
        _pass(every, clock, 6)
    assert transport.done == "aborted"


def test_where_there_are_too_many_the_oldest_idle_one_goes(clock: list[float]) -> None:
    every = Connections(3, PATIENCE, IDLE)
    pairs = []
    for port in range(3):
        clock[0] += 1
        pairs.append(_connect(every, port))
    pairs[0][0].begin()
    assert every.make_room(0)
    assert [transport.done for _, transport in pairs] == ["", "aborted", ""]
    assert len(every) == 2
    pairs[2][0].begin()
    _connect(every, 7)[0].begin()
    assert not every.make_room(0)


def test_who_is_told_to_go_has_little_time(clock: list[float]) -> None:
    every = Connections(5, PATIENCE, IDLE)
    idle, working = _connect(every, 1), _connect(every, 2)
    working[0].begin()
    every.hurry(2.0)
    _pass(every, clock, 3)
    assert (idle[1].done, working[1].done) == ("closed", "")
    working[0].finish()
    _pass(every, clock, 3)
    assert working[1].done == "closed"


def test_what_follows_a_request_waits_for_its_answer(clock: list[float]) -> None:
    every = Connections(5, PATIENCE, IDLE)
    inner, transport = Inner(), Transport(1)
    connection = Connection(inner, every)
    every.turns = AtOnce()
    connection.connection_made(transport)
    _receive(connection, b"first")
    connection.begin()
    _receive(connection, b"body")
    connection.complete()
    _receive(connection, b"second")
    assert (inner.received, transport.reading) == (b"firstbody", False)
    connection.finish()
    assert (inner.received, transport.reading) == (b"firstbodysecond", True)


def test_a_protocol_that_has_enough_gets_no_more(clock: list[float]) -> None:
    every = Connections(5, PATIENCE, IDLE)
    inner = Inner()
    connection = Connection(inner, every)
    every.turns = AtOnce()
    connection.connection_made(Transport(1))
    inner.flow.pause_reading()
    _receive(connection, b"a")
    assert inner.received == b""
    inner.flow.resume_reading()
    assert inner.received == b"a"


class Costly:
    """A turn of which each piece takes its time."""

    def __init__(self, name: str, seconds: float, turns: int, order: list[str]) -> None:
        self.name, self.seconds, self.turns, self.order = name, seconds, turns, order
        self.spent, self.piece = 0.0, 4096

    @property
    def ready(self) -> bool:
        return self.turns > 0

    def take_turn(self) -> None:
        self.turns -= 1
        self.order.append(self.name)
        end = time.thread_time() + self.seconds
        while time.thread_time() < end:
            pass


def test_who_has_cost_least_is_next() -> None:
    order: list[str] = []

    async def run() -> None:
        turns = Turns()
        costly = [Costly(name, 0.005, 5, order) for name in "ab"]
        for turn in costly:
            turns.ask(turn)
        await asyncio.sleep(0)
        turns.ask(Costly("cheap", 0.0, 1, order))
        while any(turn.ready for turn in costly):
            await asyncio.sleep(0.001)
        assert all(turn.piece == 256 for turn in costly)

    asyncio.run(run())
    assert order.index("cheap") <= 2
    assert len(order) == 11
