"""The rule sets: what of a captured graph counts as a constant when it is differentiated.

A rule set is a rewrite of the captured graph that keeps its values and changes its gradient; every later stage works as
before, and completeness stays exact, since it holds for whatever graph there is.
"""

from __future__ import annotations

from collections.abc import Mapping

from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.runner import Pass, run_program_passes
from fgcompile.compiler.rules import attnlrp, libragrad
from fgcompile.compiler.rules.absorption import warn_of_absorption
from fgcompile.compiler.rules.choice import choose_rules

__all__ = ["RULE_SETS", "apply_rules", "choose_rules", "warn_of_absorption"]

RULE_SETS: Mapping[str, tuple[Pass[CapturedProgram, CapturedProgram], ...]] = {
    "taylor": (),
    "libragrad": (libragrad.linearize,),
    "attnlrp": (attnlrp.linearize,),
}
"""Each rule set by name, as the passes that it is made of: ``taylor``, the true gradient, needs none; ``libragrad``
and ``attnlrp`` are those of locally linear models."""


def apply_rules(captured: CapturedProgram, rules: str) -> CapturedProgram:
    """The captured program as a rule set sees it; the given one is left as it is."""
    return run_program_passes(captured, RULE_SETS[rules])
