"""What ``Session.explain_text`` returns."""

from __future__ import annotations

from dataclasses import dataclass

from fgcompile.text.explained import ExplainedText


@dataclass(frozen=True)
class TextExplanation(ExplainedText):
    """A text, what the model says of it, and which words say so."""
