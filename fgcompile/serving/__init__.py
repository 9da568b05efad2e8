"""Explanations served to clients that nobody here wrote: what a request may hold, whatever protocol brings it."""

from fgcompile.serving.admission import Limits, admit, check_body

__all__ = ["Limits", "admit", "check_body"]
