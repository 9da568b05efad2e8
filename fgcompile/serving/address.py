"""Where a server listens, and whether it can."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from fgcompile.errors import InputError

_BACKLOG = 1024
"""Connections that the kernel makes before they are accepted."""

_OWN_FILES = 200
"""Files that a process has open beside its connections, or more."""


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


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens, for this process and those that it hands it to.

    Raises:
        InputError: Says why it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on port {port} of {host} ({error}): choose another") from error


def allow_connections(count: int) -> None:
    """Lets this process have ``count`` connections of each protocol open, beside its own files.

    Raises:
        InputError: The system does not.
    """
    try:
        import resource
    except ImportError:  # a system that has no such limit
        return
    needed = 2 * count + _OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InputError(
            f"{count} connections of each protocol need {needed} open files, {hard} are allowed: raise ulimit -n, or"
            " allow fewer"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def require_free(host: str, port: int) -> None:
    """Passes a port that can be listened on: a server itself would fail in the midst of starting.

    Raises:
        InputError: Says why it cannot.
    """
    open_port(host, port).close()
