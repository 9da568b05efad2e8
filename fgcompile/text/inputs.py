"""Which inputs of an artifact a text fills, by their names, and what with.

``input_ids``, ``attention_mask``, ``token_type_ids`` and ``position_ids`` (0, 1, 2, …) are those of one text. A model
of two texts has each name twice, with a word in front or behind: ``query_input_ids`` and ``document_input_ids``,
``input_ids_a`` and ``input_ids_b``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fgcompile.artifact.metadata import Metadata, TensorSpec, batch_axis
from fgcompile.artifact.validation import Array, input_specs
from fgcompile.errors import InputError
from fgcompile.text.encoding import Encoded

IDS, MASK, TYPES, POSITIONS = "input_ids", "attention_mask", "token_type_ids", "position_ids"
ROLES = (IDS, MASK, TYPES, POSITIONS)
SCORE_INPUTS = ("tokens", "position", "token", "query")
"""The inputs of scores that are known here: those of ``Continuation``, ``Token`` and ``Similarity``."""

_NAME = re.compile(rf"(?:(?P<front>\w+)_)?(?P<role>{'|'.join(ROLES)})(?:_(?P<behind>\w+))?")
_DECODER = "decoder"


def role_of(name: str) -> tuple[str, str] | None:
    """What an input is to a text, and which text's; None where it is no text's."""
    found = _NAME.fullmatch(name)
    if found is None or _DECODER in (found["front"], found["behind"]):
        return None  # what a decoder has said so far is no text that is given
    return found["role"], f"{found['front'] or ''}|{found['behind'] or ''}"


@dataclass(frozen=True)
class TextInputs:
    """The inputs of an artifact.

    Attributes:
        texts: For each text the specs of its inputs by role.
        own: Names of the score's own inputs.
    """

    texts: tuple[Mapping[str, TensorSpec], ...]
    own: tuple[str, ...]


def find_inputs(metadata: Metadata) -> TextInputs:
    """The inputs of an artifact that takes texts.

    Raises:
        InputError: It takes something that no text says.
    """
    texts: dict[str, dict[str, TensorSpec]] = {}
    own = [name for name in metadata.get("score_inputs", []) if name in SCORE_INPUTS]
    for spec in input_specs(metadata):
        if spec["name"] in own:
            continue
        found = role_of(spec["name"])
        if found is None or len(spec["shape"]) != 2:
            shape = ", ".join(map(str, spec["shape"]))
            raise InputError(
                f"the artifact takes '{spec['name']}' ({shape}), which no text says: a text fills {', '.join(ROLES)} "
                "of shape (batch, length); give arrays to explain"
            )
        texts.setdefault(found[1], {})[found[0]] = spec
    for specs in texts.values():
        if IDS not in specs:
            name = next(iter(specs.values()))["name"]
            raise InputError(f"the artifact takes '{name}' and no {IDS} beside it: give arrays to explain")
    return TextInputs(tuple(texts.values()), tuple(own))


def length_of(specs: Mapping[str, TensorSpec]) -> int | str:
    """The tokens that an artifact takes of a text, or the name of any number."""
    return specs[IDS]["shape"][1 - batch_axis(specs[IDS])]


def fill(
    specs: Mapping[str, TensorSpec], encoded: Sequence[Encoded], pad: tuple[int, int] | None, longest: int | None
) -> dict[str, Array]:
    """The inputs of a text's, by name: N texts, each padded behind to the artifact's length or the longest of them.

    Args:
        specs: The inputs by role.
        encoded: The texts.
        pad: The ids of the token and the segment to pad with; None where the tokenizer has none.
        longest: The most tokens that the tokenizer says a text may have.

    Raises:
        InputError: A text is too long, or has to be padded, and cannot be.
    """
    counts = [len(each.pieces) for each in encoded]
    size = _size(specs, counts, longest)
    if min(counts) < size:
        _require_padding(specs, counts, size, pad)
    number, kind = pad or (0, 0)
    rows = {role: np.zeros((len(encoded), size), np.int64) for role in ROLES}
    rows[IDS][:], rows[TYPES][:] = number, kind
    rows[POSITIONS][:] = np.arange(size)
    for row, each in enumerate(encoded):
        count = len(each.pieces)
        rows[IDS][row, :count] = [piece.id for piece in each.pieces]
        rows[TYPES][row, :count] = [piece.type_id for piece in each.pieces]
        rows[MASK][row, :count] = 1
    return {spec["name"]: _as_spec(rows[role], spec) for role, spec in specs.items()}


def _as_spec(values: Array, spec: TensorSpec) -> Array:
    cast = values.astype(spec["dtype"])
    return cast.T if batch_axis(spec) == 1 else cast


def _size(specs: Mapping[str, TensorSpec], counts: Sequence[int], longest: int | None) -> int:
    most, length = max(counts), length_of(specs)
    if longest is not None and most > longest:
        raise InputError(f"a text has {most} tokens, its model takes {longest} at most: shorten it, or give its parts")
    if isinstance(length, int):
        if most > length:
            padded = ", or with examples padded to as many" if MASK in specs else ""
            raise InputError(
                f"a text has {most} tokens, the artifact takes {length}: shorten it, or compile with dynamic_sizes=True"
                f"{padded}"
            )
        return length
    axis = 1 - batch_axis(specs[IDS])
    least = specs[IDS].get("smallest", specs[IDS]["shape"])[axis]
    size = max(most, least) if isinstance(least, int) and MASK in specs else most
    factor = length.partition("*")[0]
    step = int(factor) if factor.isdigit() else 1
    return -(-size // step) * step


def _require_padding(
    specs: Mapping[str, TensorSpec], counts: Sequence[int], size: int, pad: tuple[int, int] | None
) -> None:
    """Refuses to make a text longer where the model would take the pads for tokens."""
    if MASK in specs and pad is not None:
        return
    lacking = f"the artifact takes no {MASK}" if MASK not in specs else "its tokenizer has no token to pad with"
    ways = ["one at a time" if isinstance(length_of(specs), str) else "or compile with dynamic_sizes=True"]
    if MASK in specs:
        ways.append("or compile with a tokenizer that pads, by its enable_padding(pad_id=…, pad_token=…)")
    raise InputError(
        f"a text has {min(counts)} tokens, and {size} are due here, but {lacking}: give texts of {size} tokens, "
        f"{', '.join(ways)}"
    )
