"""An artifact that takes texts: its metadata, its tokenizer, and which of its inputs a text fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fgcompile.artifact.elements import class_axis, output_axes
from fgcompile.artifact.metadata import Metadata, TensorSpec
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.system.text import visible
from fgcompile.text.encoding import Encoded, encode
from fgcompile.text.inputs import IDS, TextInputs, fill, find_inputs
from fgcompile.text.tokenizer import Kept, open_tokenizer, pad_of, unknown_of

_MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True)
class TextModel:
    """What is known of an artifact that keeps a tokenizer.

    Attributes:
        metadata: The artifact's.
        tokenizer: As ``tokenizers`` has it.
        pad: The ids of the token, and of its segment, to pad with.
        inputs: Which inputs are a text's.
        unknown: The id of the token for what is not in the vocabulary.
    """

    metadata: Metadata
    tokenizer: Any
    pad: tuple[int, int] | None
    inputs: TextInputs
    unknown: int | None = None

    @property
    def longest(self) -> int | None:
        """The most tokens of a text, as far as its tokenizer says."""
        return self.metadata["tokenizer"].get("longest")

    @property
    def segments(self) -> int:
        """The most segments of a text."""
        return max(2, len(self.inputs.texts))

    @cached_property
    def writes(self) -> bool:
        """Whether the classes of a place are the tokens of the vocabulary: a language model's."""
        axes, classes = output_axes(self.metadata), class_axis(self.metadata)
        size = axes[classes]["size"] if len(axes) == 2 and classes is not None else 0
        return isinstance(size, int) and size >= max(2, int(self.tokenizer.get_vocab_size(with_added_tokens=False)))

    @cached_property
    def mask(self) -> int | None:
        """The id of the token that stands for a word to be found."""
        return next((number for name in _MASKS if (number := self.tokenizer.token_to_id(name)) is not None), None)

    def encode(self, segments: Sequence[str]) -> list[Encoded]:
        """A text's tokens: of all segments together, or of each alone where they have inputs of their own.

        Raises:
            InputError: It has fewer or more segments than are taken.
        """
        own = len(self.inputs.texts)
        alone = own > 1 or "query" in self.inputs.own
        wanted = own if own > 1 else 2
        if alone and len(segments) != wanted:
            raise InputError(
                f"the artifact compares {wanted} texts, and {len(segments)} is given: give a tuple of {wanted}"
            )
        if alone:
            return [encode(self.tokenizer, (segment,)) for segment in segments]
        return [encode(self.tokenizer, segments)]

    def feeds(self, encoded: Sequence[Encoded]) -> dict[str, Array]:
        """The inputs of one text, by name; ``encoded`` has one for each of the artifact's texts."""
        found: dict[str, Array] = {}
        for specs, each in zip(self.inputs.texts, encoded, strict=True):
            found |= fill(specs, [each], self.pad, self.longest)
        self._require_known(encoded)
        return found

    def _require_known(self, encoded: Sequence[Encoded]) -> None:
        """Refuses tokens that the model has no row for: the tokenizer is another model's."""
        for specs, each in zip(self.inputs.texts, encoded, strict=True):
            rows = _rows(specs[IDS])
            for piece in each.pieces:
                if rows is not None and piece.id >= rows:
                    raise InputError(
                        f"the token {visible(piece.text)!r} has the number {piece.id}, and the model knows {rows}: the "
                        "tokenizer is another model's, compile with its own"
                    )

    def token_name(self, number: int) -> str:
        """A token of the vocabulary as it is read, ``dull``; of one that is no text its name."""
        decoded = str(self.tokenizer.decode([number])).strip()
        return decoded or str(self.tokenizer.id_to_token(number))

    def token_of(self, word: str) -> int:
        """The one token of a word.

        Raises:
            InputError: It is several.
        """
        ids = self.tokenizer.encode(word, add_special_tokens=False).ids
        if len(ids) == 1:
            return int(ids[0])
        if (known := self.tokenizer.token_to_id(word)) is not None:
            return int(known)
        raise InputError(f"{visible(word)!r} is {len(ids)} tokens, and one is explained here: give one of them")


def open_texts(metadata: Metadata, tokenizer: str) -> TextModel:
    """An artifact that keeps a tokenizer.

    Raises:
        InputError: It takes something that no text says.
        MissingPackageError: ``tokenizers`` is not installed.
    """
    opened = open_tokenizer(tokenizer)
    return TextModel(metadata, opened, pad_of(tokenizer), find_inputs(metadata), unknown_of(tokenizer))


def require_texts(metadata: Metadata, kept: Kept) -> None:
    """Passes an artifact that can keep a tokenizer: texts fill its inputs, and the model has a row for each token.

    Tokens that were added to a vocabulary may have none: a text that has one is refused.

    Raises:
        InputError: It takes something that no text says, or knows fewer tokens.
    """
    model = open_texts(metadata, kept.text)
    size = int(model.tokenizer.get_vocab_size(with_added_tokens=False))
    for specs in model.inputs.texts:
        if (rows := _rows(specs[IDS])) is not None and size > rows:
            raise InputError(
                f"the tokenizer has {size} tokens, and '{specs[IDS]['name']}' of the model takes {rows}: give the "
                "model's own tokenizer"
            )


def _rows(spec: TensorSpec) -> int | None:
    """How many tokens the model knows, where its metadata say so."""
    return min((axis["size"] for axis in spec.get("indexes", []) if isinstance(axis["size"], int)), default=None)
