"""Texts that clients send to an artifact that keeps a tokenizer, in an input ``text`` in place of the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fgcompile.artifact.questions import PREDICTED, asked_axes
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.runtime.session import Session
from fgcompile.serving.admission import Limits
from fgcompile.serving.protocol.texts import DATATYPE, DTYPE
from fgcompile.text.encoding import Encoded, as_segments
from fgcompile.text.inputs import fill
from fgcompile.text.model import TextModel, open_texts
from fgcompile.text.questions import next_place
from fgcompile.text.words import group_words

TEXT = "text"
TOKENS, OFFSETS, WORDS = "tokens", "offsets", "words"
KNOWN = (TOKENS, OFFSETS, WORDS)
"""Further outputs of an answer to texts: the tokens, the characters of each, and the number of its word, or −1."""


class Texts:
    """What reads the texts of a session's clients.

    Args:
        session: The artifact.
    """

    def __init__(self, session: Session) -> None:
        self._model: TextModel | None = None
        self._reason = "the artifact keeps no tokenizer: send the inputs that it takes"
        if session.tokenizer is None or any(spec["name"] == TEXT for spec in session.metadata["inputs"]):
            return
        try:
            self._model = open_texts(session.metadata, session.tokenizer)
        except (InputError, MissingPackageError) as error:  # arrays can be served all the same
            self._reason = str(error)

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """The input ``text``, as the protocol describes tensors."""
        return [] if self._model is None else [{"name": TEXT, "datatype": DATATYPE, "shape": [-1]}]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The further outputs."""
        if self._model is None:
            return []
        return [
            {"name": TOKENS, "datatype": DATATYPE, "shape": [-1, -1]},
            {"name": OFFSETS, "datatype": "INT64", "shape": [-1, -1, 2]},
            {"name": WORDS, "datatype": "INT64", "shape": [-1, -1]},
        ]

    def read(self, tensors: Mapping[str, Array], limits: Limits) -> tuple[dict[str, Array], dict[str, Array]]:
        """The tensors with the model's inputs in place of the texts, and what is known of their tokens.

        Args:
            tensors: The request's; ``text`` is (N,), (N, 1), or (N, 2) for two segments.
            limits: What is allowed.

        Raises:
            InputError: The artifact takes no texts; one is empty, too large or too long; the model's own inputs are
                there too.
        """
        given = dict(tensors)
        texts = given.pop(TEXT)
        if self._model is None:
            raise InputError(f"{TEXT} cannot be read: {self._reason}")
        model = self._model
        encoded = self._encode(model, texts, limits)
        feeds = self._fill(model, encoded, limits)
        if twice := sorted(feeds.keys() & given.keys()):
            raise InputError(f"the request has {TEXT} and {', '.join(twice)}: send one of them")
        return {**_asked(model, encoded, given), **feeds}, _known(model, encoded, feeds)

    def _encode(self, model: TextModel, texts: Array, limits: Limits) -> list[Encoded]:
        if texts.dtype != DTYPE or not 1 <= texts.ndim <= 2 or texts.size == 0:
            raise InputError(
                f"{TEXT} is {texts.dtype} of shape {list(texts.shape)}: send {DATATYPE} of shape [N] or [N, 2]"
            )
        if len(model.inputs.texts) > 1 or {"query", "tokens"} & set(model.inputs.own):
            raise InputError(f"{TEXT} is one text, the artifact compares several or continues one: send its inputs")
        if len(texts) > limits.batch:
            raise InputError(f"{TEXT} has {len(texts)} texts, {limits.batch} are allowed: send fewer at once")
        for each in texts.flat:
            if (size := len(each.encode("utf-8", "surrogatepass"))) > limits.text:
                raise InputError(f"a text has {size} bytes, {limits.text} are allowed: send a shorter one")
        return [model.encode(as_segments(tuple(row), 2))[0] for row in texts.reshape(len(texts), -1)]

    def _fill(self, model: TextModel, encoded: list[Encoded], limits: Limits) -> dict[str, Array]:
        (specs,) = model.inputs.texts
        # One long text makes all rows as long.
        size = len(encoded) * max(len(each.pieces) for each in encoded) * len(specs) * 8
        if size > limits.body:
            raise InputError(
                f"the tokens of all texts take {size} bytes, {limits.body} are allowed: send fewer at once"
            )
        return fill(specs, encoded, model.pad, model.longest)


def _asked(model: TextModel, encoded: list[Encoded], given: dict[str, Array]) -> dict[str, Array]:
    """The request's other tensors, with what is explained where it does not say: the next token of a language model."""
    found = dict(given)
    places = [name for name in ("position", "token") if name in model.inputs.own and name not in given]
    if "position" in places:
        found["position"] = np.array([next_place(model, each) for each in encoded], np.int64)
    if "token" in places:
        found["token"] = np.full(len(encoded), PREDICTED, np.int64)
    if len(asked_axes(model.metadata)) == 2 and "target" not in given and model.metadata["target"] == "input":
        if not model.writes:
            raise InputError(
                "the artifact tags each token: send the target, int64 of shape [N, 2], a token and a class"
            )
        found["target"] = np.array([[next_place(model, each), PREDICTED] for each in encoded], np.int64)
    return found


def _known(model: TextModel, encoded: list[Encoded], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Tokens, offsets and words, in the rows and columns of the map; of pads an empty text, and −1."""
    (specs,) = model.inputs.texts
    size = max(feeds[specs["input_ids"]["name"]].size // len(encoded), 1)
    tokens = np.full((len(encoded), size), "", DTYPE)
    offsets, words = np.zeros((len(encoded), size, 2), np.int64), np.full((len(encoded), size), -1, np.int64)
    for row, each in enumerate(encoded):
        for column, piece in enumerate(each.pieces):
            tokens[row, column] = piece.text
            offsets[row, column] = piece.start, piece.end
        for number, group in enumerate(group_words(each)):
            words[row, list(group.pieces)] = number
    return {TOKENS: tokens, OFFSETS: offsets, WORDS: words}
