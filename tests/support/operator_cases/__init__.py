"""The one table of operator cases: small functions of tensors, with the arguments that models give them.

Every registry of the compiler (lowerings, biases) is checked against this table. A row names an operator's use, the
function, and the shapes of its inputs (without the batch, which comes first) and of its constants (weights). To cover a
new operator, add a row to its family's file.
"""

from __future__ import annotations

from tests.support.operator_cases.activations import ACTIVATIONS
from tests.support.operator_cases.attentions import ATTENTIONS
from tests.support.operator_cases.case import OperatorCase
from tests.support.operator_cases.convolutions import CONVOLUTIONS
from tests.support.operator_cases.creations import CREATIONS
from tests.support.operator_cases.embeddings import EMBEDDINGS
from tests.support.operator_cases.indexings import INDEXINGS
from tests.support.operator_cases.interpolations import INTERPOLATIONS
from tests.support.operator_cases.layers import LAYERS
from tests.support.operator_cases.poolings import AVERAGE_POOLINGS, MAX_POOLINGS
from tests.support.operator_cases.products import PRODUCTS
from tests.support.operator_cases.quantizations import QUANTIZATIONS
from tests.support.operator_cases.recurrences import RECURRENCES
from tests.support.operator_cases.reductions import REDUCTIONS
from tests.support.operator_cases.samplings import SAMPLINGS

__all__ = [
    "ACTIVATIONS",
    "ATTENTIONS",
    "AVERAGE_POOLINGS",
    "CONVOLUTIONS",
    "CREATIONS",
    "EMBEDDINGS",
    "INDEXINGS",
    "INTERPOLATIONS",
    "LAYERS",
    "MAX_POOLINGS",
    "OPERATOR_CASES",
    "PRODUCTS",
    "QUANTIZATIONS",
    "RECURRENCES",
    "REDUCTIONS",
    "SAMPLINGS",
    "OperatorCase",
]

OPERATOR_CASES = (
    *PRODUCTS,
    *CONVOLUTIONS,
    *MAX_POOLINGS,
    *AVERAGE_POOLINGS,
    *ACTIVATIONS,
    *INTERPOLATIONS,
    *INDEXINGS,
    *CREATIONS,
    *REDUCTIONS,
    *RECURRENCES,
    *ATTENTIONS,
    *LAYERS,
    *SAMPLINGS,
    *EMBEDDINGS,
    *QUANTIZATIONS,
)
"""Every case of the table."""
