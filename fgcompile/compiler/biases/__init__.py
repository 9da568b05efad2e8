"""The bias table of full-gradients: for each operator ``y = g(a)``, how its bias ``b_g = y − Σ J_i a_i`` is obtained.

One file per family; a row is an operator and its rule. An operator in no row takes the fallback, exact for every
twice differentiable operator.
"""

from __future__ import annotations

from collections.abc import Mapping

from fgcompile.compiler.biases.addition import ADDITION
from fgcompile.compiler.biases.complex_numbers import COMPLEX
from fgcompile.compiler.biases.elementwise import ELEMENTWISE
from fgcompile.compiler.biases.embedding import EMBEDDING, LOOKUP
from fgcompile.compiler.biases.formula import double_vjp
from fgcompile.compiler.biases.homogeneous import HOMOGENEOUS
from fgcompile.compiler.biases.linear import LINEAR
from fgcompile.compiler.biases.normalization import NORMALIZATION
from fgcompile.compiler.biases.own_backward import OWN
from fgcompile.compiler.biases.rule import (
    Application,
    Bias,
    BiasCall,
    BiasRule,
    Explicit,
    Formula,
    Homogeneous,
    Implicit,
)
from fgcompile.compiler.biases.sampling import SAMPLING
from fgcompile.compiler.biases.softmax import SOFTMAX
from fgcompile.compiler.ir.activity import is_lookup
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.tables import join_tables
from fgcompile.compiler.ir.torch_internals import OpOverload

__all__ = [
    "COMPLEX",
    "FALLBACK",
    "LOOKUP",
    "Application",
    "Bias",
    "BiasCall",
    "BiasRule",
    "Explicit",
    "Formula",
    "Homogeneous",
    "Implicit",
    "bias_table",
    "bind",
    "is_lookup",
]

FALLBACK = BiasRule("other", lambda call: Implicit(double_vjp), "fallback: y − J a, with J a by two VJPs")


def bias_table() -> Mapping[OpOverload, BiasRule]:
    """Every row, by operator.

    Raises:
        ValueError: Two families have a row for the same operator.
    """
    families = (LINEAR, ADDITION, HOMOGENEOUS, ELEMENTWISE, SOFTMAX, NORMALIZATION, SAMPLING, EMBEDDING, OWN)
    return join_tables("the bias table", families)
