"""Every name of onnxscript that this back end uses beside its documented ones: parts of its optimiser, by themselves.

Documented is ``onnxscript.optimizer.optimize``, which does all of it; ``simplify`` says what is left out, and why.
"""

from __future__ import annotations

from onnxscript.optimizer import fold_constants_ir
from onnxscript.rewriter import RewritePass, RewriteRule
from onnxscript.rewriter.pattern import Constant
from onnxscript.rewriter.rules import common as rules

__all__ = ["Constant", "RewritePass", "RewriteRule", "fold_constants_ir", "rules"]
