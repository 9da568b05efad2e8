"""Where a server listens, and whether it can."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from fgcompile.errors import InputError


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: A name or an address of this machine; ``"0.0.0.0"`` for all.
        port: Of REST.
        grpc_port: Of gRPC.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int = 8081


def listen(host: str, port: int, *, shared: bool = False, backlog: int | None = None) -> socket.socket:
    """A socket that listens, on a port that other processes may share if ``shared``.

    Raises:
        OSError: It cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=backlog, reuse_port=shared)


def require_free(host: str, port: int) -> None:
    """Passes a port that can be listened on: the servers themselves would fail in the midst of starting.

    Raises:
        InputError: Says why it cannot.
    """
    try:
        listen(host, port).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on port {port} of {host} ({error}): choose another") from error
