"""Artifacts at work: ``load`` one, ``explain`` inputs with it. Needs NumPy and the runtime of the artifact's format."""

from fgcompile.runtime.explanation import Explanation
from fgcompile.runtime.session import Session, load

__all__ = ["Explanation", "Session", "load"]
