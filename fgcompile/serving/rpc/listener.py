"""gRPC's server, with bounds on what a connection may cost, in a thread with an event loop of its own.

gRPC copies a message as a whole, and nobody else's turn comes meanwhile: REST, which probes ask, is in another loop.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import grpc
from grpc import aio

from fgcompile.errors import InputError
from fgcompile.serving.access import Access
from fgcompile.serving.address import Address
from fgcompile.serving.engine.engine import Engine
from fgcompile.serving.rpc.service import ENVELOPE, Service

_STREAMS = 64
_METADATA = 1 << 14
_WINDOW = 1 << 16
_CONNECTION_AGE = 30.0
_OLDEST_CONNECTION = 3600.0
"""Seconds after which clients are asked to connect anew: by and by to a worker that replaced another, too."""

_KEEPALIVE = 30.0


def _options(engine: Engine, shared: bool) -> list[tuple[str, int]]:
    limits = engine.limits
    options = {
        "so_reuseport": int(shared),
        "max_receive_message_length": limits.body + ENVELOPE,
        "max_send_message_length": -1,
        "max_concurrent_streams": _STREAMS,
        "max_allowed_incoming_connections": limits.connections,
        "max_metadata_size": _METADATA // 2,
        "absolute_max_metadata_size": _METADATA,
        # What a stream may send before its message is read, and what is read ahead of its turn.
        "http2.lookahead_bytes": _WINDOW,
        "http2.bdp_probe": 0,
        # A few bytes become a large message, in one step during which nobody else's turn comes.
        "compression_enabled_algorithms_bitset": 1,
        "server_handshake_timeout_ms": _milliseconds(limits.patience),
        "max_connection_idle_ms": _milliseconds(limits.idle),
        "max_connection_age_ms": _milliseconds(_CONNECTION_AGE if shared else _OLDEST_CONNECTION),
        "keepalive_time_ms": _milliseconds(_KEEPALIVE),
        "keepalive_timeout_ms": _milliseconds(limits.patience),
        "keepalive_permit_without_calls": 1,
        "http2.min_recv_ping_interval_without_data_ms": _milliseconds(limits.patience),
        "http2.max_ping_strikes": 2,
    }
    return [(f"grpc.{name}", value) for name, value in options.items()]


def _milliseconds(seconds: float) -> int:
    return max(1, round(1000 * seconds))


class GrpcListener:
    """Listens from ``start`` to ``stop``.

    Args:
        engine: What answers.
        access: What a client needs.
        address: Where to listen.
        shared: Whether other processes listen on the same port.
    """

    def __init__(self, engine: Engine, access: Access, address: Address, *, shared: bool) -> None:
        self._engine, self._access, self._address, self._shared = engine, access, address, shared
        self._started: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="grpc", daemon=True)
        self._grace = 0.0

    def start(self) -> None:
        """Listens, once it returns.

        Raises:
            InputError: It cannot.
        """
        self._thread.start()
        self._started.result()

    async def stop(self, grace: float) -> None:
        """Tells clients to go, and returns when calls have ended, or were ended after ``grace`` seconds."""
        self._grace = grace
        self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        most = self._engine.limits.connections * _STREAMS
        server = aio.server(options=_options(self._engine, self._shared), maximum_concurrent_rpcs=most)
        server.add_generic_rpc_handlers((Service(self._engine, self._access),))
        try:
            self._bind(server)
        except RuntimeError as error:
            raise InputError(f"cannot listen on port {self._address.grpc_port}: choose another") from error
        await server.start()
        self._started.set_result(None)
        await self._stop.wait()
        await server.stop(self._grace)

    def _bind(self, server: aio.Server) -> None:
        host = f"[{self._address.host}]" if ":" in self._address.host else self._address.host
        place = f"{host}:{self._address.grpc_port}"
        if self._access.certificate is None:
            server.add_insecure_port(place)
        else:
            pair = (self._access.key, self._access.certificate)
            server.add_secure_port(place, grpc.ssl_server_credentials([pair]))
