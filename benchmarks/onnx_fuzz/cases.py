"""A case: a node that is drawn, as a file of one opset; by its seed and number alone it is drawn again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.onnx_fuzz.drawing import Array, Draw, Fixed, Node, Row, present
from benchmarks.onnx_fuzz.elementwise import ELEMENTWISE
from benchmarks.onnx_fuzz.fused import FUSED, OF_ONNX
from benchmarks.onnx_fuzz.levels import LEVELS, OF_MICROSOFT
from benchmarks.onnx_fuzz.sequences import SEQUENCES
from benchmarks.onnx_fuzz.shapes import SHAPES
from benchmarks.onnx_fuzz.sums import SUMS
from benchmarks.onnx_fuzz.tables import OF_ML
from benchmarks.onnx_fuzz.windows import WINDOWS


def _of(domain: str, rows: Mapping[str, Row]) -> dict[tuple[str, str], Row]:
    return {(domain, name): row for name, row in rows.items()}


FAMILIES: Mapping[str, Mapping[tuple[str, str], Row]] = {
    "by element": _of("", ELEMENTWISE),
    "windows": _of("", WINDOWS),
    "shapes and indices": _of("", SHAPES),
    "products, sums, norms": _of("", SUMS),
    "sequences": _of("", SEQUENCES),
    "levels": _of("", LEVELS) | _of("com.microsoft", OF_MICROSOFT),
    "tables": _of("ai.onnx.ml", OF_ML),
    "fused": _of("com.microsoft", FUSED) | _of("", OF_ONNX),
}
"""Rows by domain and operator, by family."""

VERSIONS = {"ai.onnx.ml": 3, "com.microsoft": 1}


@dataclass(frozen=True)
class Case:
    """A file of one node.

    Attributes:
        family: Which its operator is of.
        operator: Its domain and type.
        node: As drawn.
        opset: The file's.
        named: Whether the file names its inputs' sizes, and does not say them.
    """

    family: str
    operator: tuple[str, str]
    node: Node
    opset: int
    named: bool

    @property
    def inputs(self) -> dict[str, Array]:
        """What the file is given, by name."""
        return {name: each for name, each in self._given() if isinstance(each, np.ndarray)}

    def save(self, path: Path) -> None:
        """Writes the file."""
        constants = [
            numpy_helper.from_array(each.array, name) for name, each in self._given() if isinstance(each, Fixed)
        ]
        takes = [_described(name, array, self.named) for name, array in self.inputs.items()]
        outputs = [f"y{place}" for place in range(self.node.outputs)]
        names = [name if each is not None else "" for name, each in self._given()]
        domain, operator = self.operator
        node = helper.make_node(operator, names, outputs, "the_node", domain=domain, **self.node.attributes)
        graph = helper.make_graph([node], "g", takes, [onnx.ValueInfoProto(name=name) for name in outputs], constants)
        imports = [helper.make_opsetid("", self.opset), *map(helper.make_opsetid, VERSIONS, VERSIONS.values())]
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)

    def describe(self) -> str:
        """It in words, for who looks for a fault."""
        given = [f"{name}: {_shown(each)}" for name, each in self._given()]
        attributes = ", ".join(f"{name}={value}" for name, value in self.node.attributes.items())
        return f"{'.'.join(filter(None, self.operator))} of opset {self.opset} ({'; '.join([*given, attributes])})"

    def _given(self) -> Sequence[tuple[str, Any]]:
        return [(f"x{place}", each) for place, each in enumerate(present(self.node.inputs))]


def case(seed: int, number: int, only: Sequence[str] = ()) -> Case:
    """The case of a number: operators take turns, of those that are named if any are."""
    rows = [
        (family, operator, row)
        for family, found in FAMILIES.items()
        for operator, row in found.items()
        if not only or operator[1] in only
    ]
    family, operator, row = rows[number % len(rows)]
    draw = Draw(f"{seed}/{number}")
    node = row(draw)
    return Case(family, operator, node, draw.randint(*node.opsets), draw.chance(0.3))


def _described(name: str, array: Array, named: bool) -> onnx.ValueInfoProto:
    shape = [f"{name}_{axis}" if named else size for axis, size in enumerate(array.shape)]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape)


def _shown(given: Any) -> str:
    if given is None:
        return "none"
    array = given.array if isinstance(given, Fixed) else given
    values = f" = {array.tolist()}" if isinstance(given, Fixed) and array.size < 9 else ""
    return f"{'constant ' if isinstance(given, Fixed) else ''}{array.dtype}{list(array.shape)}{values}"
