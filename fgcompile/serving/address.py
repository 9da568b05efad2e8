"""Where a server listens, and whether it can."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from fgcompile.errors import InputError

_BACKLOG = 1024
"""Connections that the kernel makes before they are accepted."""

_LAST_PORT = 2**16 - 1

_HOSTS = "give --host a name or an address of this machine, or 0.0.0.0 for all of them"

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

    def __post_init__(self) -> None:
        for option, port in (("--port", self.port), ("--grpc-port", self.grpc_port)):
            if not 0 < port <= _LAST_PORT:
                raise InputError(f"{option} {port} is no port: give 1 to {_LAST_PORT}")
        if self.port == self.grpc_port:
            raise InputError(f"--port and --grpc-port are both {self.port}: REST and gRPC take one each")

    @property
    def rest(self) -> str:
        """REST's, as in URLs."""
        return f"{_in_url(self.host)}:{self.port}"

    @property
    def grpc(self) -> str:
        """That of gRPC, as its clients take it."""
        return f"{_in_url(self.host)}:{self.grpc_port}"


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens, for this process and those that it hands it to.

    Raises:
        InputError: Says why it cannot.
    """
    what = f"cannot listen on port {port} of {host}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)  # of a name create_server would say that binding failed
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (socket.gaierror, UnicodeError) as error:
        raise InputError(f"{what}: there is no such host; {_HOSTS}") from error
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)  # its own text has the address again
        way_out = {errno.EADDRINUSE: "give another, or stop what listens there", errno.EADDRNOTAVAIL: _HOSTS}
        advice = way_out.get(error.errno or 0, "give another, from 1024 up")
        raise InputError(f"{what} ({reason}): {advice}") from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


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
