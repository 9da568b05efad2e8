"""Explanations served to clients that nobody here wrote: what a request may hold, whatever protocol brings it."""

from fgcompile.serving.admission import Limits, check_body, check_request

__all__ = ["Limits", "check_body", "check_request"]
