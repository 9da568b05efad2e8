"""Explanations served to clients that nobody here wrote: what a request may hold, whatever protocol brings it.

``server`` checks what was asked for, ``process`` is one process that serves, ``workers`` keeps several alive;
``protocol/`` reads requests and writes answers, ``rest/`` and ``rpc/`` listen, ``engine/`` is what both ask. Why it is
our own: docs/decisions/server.md.
"""

from fgcompile.serving.admission import Limits, admit, check_body

__all__ = ["Limits", "admit", "check_body"]
