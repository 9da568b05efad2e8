"""Why a request is not answered, in the words of both protocols, and texts of clients made safe to print."""

from __future__ import annotations

from dataclasses import dataclass

from fgcompile.errors import FgcompileError
from fgcompile.system.text import visible

LONGEST = 500
"""Characters of a reason: it may quote what a client sent."""


@dataclass(frozen=True)
class Kind:
    """A kind of refusal.

    Attributes:
        http: The status of REST.
        grpc: The name of gRPC's.
    """

    http: int
    grpc: str


MALFORMED = Kind(400, "INVALID_ARGUMENT")
NO_TOKEN = Kind(401, "UNAUTHENTICATED")
FORBIDDEN = Kind(403, "PERMISSION_DENIED")
UNKNOWN_MODEL = Kind(404, "NOT_FOUND")
TOO_SLOW = Kind(408, "DEADLINE_EXCEEDED")
TOO_LARGE = Kind(413, "RESOURCE_EXHAUSTED")
TOO_BUSY = Kind(429, "RESOURCE_EXHAUSTED")
FAILED = Kind(500, "INTERNAL")
NOT_READY = Kind(503, "UNAVAILABLE")


class RefusalError(FgcompileError):
    """A request that is not answered.

    Args:
        kind: Whose fault it is.
        reason: One line: what is wrong, and what to do.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(printable(reason))
        self.kind = kind


def printable(text: str) -> str:
    r"""A text on one line, cut where it is long: a newline as ``\n``, whatever else would move a cursor likewise."""
    return visible(f"{text[:LONGEST]}…" if len(text) > LONGEST else text)
