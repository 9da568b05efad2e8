"""A page on this machine: served to its own browser alone, with what lets WebAssembly have more than one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fgcompile.errors import InputError

HOST = "127.0.0.1"

_ISOLATED = (("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Embedder-Policy", "require-corp"))
"""What a browser wants to be told before a page may share memory between threads."""


@contextmanager
def open_server(folder: Path, port: int) -> Iterator[ThreadingHTTPServer]:
    """A server of a folder's files for this machine's own programs, which answers once it is run.

    Args:
        folder: As ``write_page`` writes it.
        port: Where it listens; 0 for any that is free.

    Raises:
        InputError: The port is taken, or may not be listened on.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"port {port} of {HOST} cannot be listened on ({reason}): give another --port") from error
    with server:
        yield server


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        """Adds what isolates the page, and that it is to be asked for again when it has changed."""
        for name, value in (*_ISOLATED, ("Cache-Control", "no-cache")):
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *values: Any) -> None:
        """Says nothing of each request."""
