"""What is asked of a text: a class; of a class at each token where, too; or how likely a continuation is.

Where a language model is asked nothing, it is the token that it expects behind the text, or in the place of ``[MASK]``;
where a tagger is, the surest tag of a token of the text, those called ``O``, for outside of any entity, left aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fgcompile.artifact.elements import Element, class_axis, output_axes, resolve
from fgcompile.artifact.metadata import BATCH
from fgcompile.artifact.names import WHOLE_NUMBER
from fgcompile.artifact.questions import PREDICTED, asked_axes, check_target, whole
from fgcompile.artifact.validation import Array
from fgcompile.artifact.wishes import WORD, read_element
from fgcompile.errors import InputError
from fgcompile.system.text import visible
from fgcompile.text.encoding import Encoded, encode
from fgcompile.text.model import TextModel
from fgcompile.text.words import group_words

TextTarget = str | int | tuple[int | str, int | str] | None
"""A class by its number or its name; where there is one for each token, also ``(token, class)``."""

_OUTSIDE = "O"


def choose_element(
    model: TextModel, encoded: Encoded, target: TextTarget, continuation: str | None, predict: Callable[[], Array]
) -> Element | None:
    """The element to explain; None where the artifact does not ask, −1 for the largest there.

    Args:
        model: The artifact.
        encoded: The text.
        target: What was asked for.
        continuation: A token that is to come behind the text.
        predict: The text's logits, without the batch.

    Raises:
        InputError: There is no such class or token; the artifact cannot be asked it.
    """
    metadata = model.metadata
    scored = bool({"tokens", "token"} & set(model.inputs.own))
    if continuation is not None and metadata["target"] != "score" and not scored and not model.writes:
        what = "a class of the text" if len(output_axes(metadata)) == 1 else "no token that is to come"
        raise InputError(f"this artifact's output is {what}; a continuation is for language models: leave it out")
    if metadata["target"] != "input":
        check_target(None if target is None else 0, {BATCH: 1}, metadata)  # which refuses any
        if continuation is not None and not scored:
            raise InputError("the artifact's score takes no continuation: compile it with one of fgcompile.scores")
        return None
    axes, classes = asked_axes(metadata), class_axis(metadata)
    if len(axes) == 1 and continuation is None:
        return read_element(target, metadata)
    if len(axes) != 2 or classes is None:
        raise InputError(
            f"the artifact explains {len(axes)} axes of its output that a text's target says: give arrays to explain"
        )
    where, kind = _parts(target)
    if continuation is not None:
        if kind is not None:
            raise InputError("target and continuation are given: give one of them")
        kind = model.token_of(continuation)
    elif isinstance(kind, str) and model.writes and kind != WORD:
        kind = model.token_of(kind)
    place = _place(model, encoded, where, predict)
    named = PREDICTED if kind is None else kind
    element = read_element((named, place) if classes == 0 else (place, named), metadata)
    return resolve(element, predict()) if classes == 0 and PREDICTED in element else element


def _parts(target: TextTarget) -> tuple[int | str | None, int | str | None]:
    """The token and the class of a target; a text has a comma between them."""
    if isinstance(target, str) and "," in target:
        where, _, kind = target.partition(",")
        word, named = where.strip(), kind.strip()
        return int(word) if WHOLE_NUMBER.fullmatch(word) else word, int(named) if named.isdecimal() else named
    if isinstance(target, tuple):
        if len(target) != 2:
            raise InputError(f"target has {len(target)} parts: give (token, class)")
        return target
    return None, target


def _place(model: TextModel, encoded: Encoded, where: int | str | None, predict: Callable[[], Array]) -> int:
    """The token that is asked about."""
    if isinstance(where, str):
        return _place_of_word(encoded, where)
    if where is not None and (where := whole(where, "target's token")) != PREDICTED:
        if not 0 <= where < len(encoded.pieces):
            raise InputError(f"the text has no token {where}: give one of 0 to {len(encoded.pieces) - 1}, or a word")
        return where
    return next_place(model, encoded) if model.writes else _surest_place(model, encoded, predict())


def _place_of_word(encoded: Encoded, word: str) -> int:
    for group in group_words(encoded):
        if encoded.texts[group.segment][group.start : group.end].casefold() == word.casefold():
            return group.pieces[0]
    raise InputError(f"the text has no word {visible(word)!r}: give one of its words, or the number of a token")


def next_place(model: TextModel, encoded: Encoded) -> int:
    """The place at which a language model says what it expects.

    Raises:
        InputError: The tokenizer adds something behind the text, and nothing is masked.
    """
    masked = [place for place, piece in enumerate(encoded.pieces) if piece.id == model.mask]
    if len(masked) == 1:
        return masked[0]
    if masked:
        raise InputError(f"{len(masked)} words are masked: mask one, or give target=(token, class)")
    last = encoded.pieces[-1]
    if last.segment is None:
        name = "mask" if model.mask is None else str(model.tokenizer.id_to_token(model.mask))
        raise InputError(
            f"the tokenizer ends a text in {last.text}, behind which nothing comes: put {name} in the place of the "
            "word to be explained, or give target=(token, class)"
        )
    return len(encoded.pieces) - 1


def _surest_place(model: TextModel, encoded: Encoded, logits: Array) -> int:
    """Of the text's own tokens the one whose best class has the largest logit."""
    labels = model.metadata["labels"]
    rows = logits.T if class_axis(model.metadata) == 0 else logits
    own = [place for place, piece in enumerate(encoded.pieces) if piece.segment is not None]
    inside = [place for place in own if labels is None or labels[int(rows[place].argmax())] != _OUTSIDE]
    return max(inside or own, key=lambda place: float(rows[place].max()))


def score_feeds(model: TextModel, encoded: Encoded, continuation: str | None) -> dict[str, Array]:
    """The score's own inputs for a text, its continuation included.

    Raises:
        InputError: The score needs a continuation, or one of another length.
    """
    own = model.inputs.own
    feeds: dict[str, Array] = {}
    if "tokens" in own:
        spec = next(spec for spec in model.metadata["inputs"] if spec["name"] == "tokens")
        added = _added(encoded, continuation)
        if spec["shape"][1] not in (len(added), str(spec["shape"][1])):
            raise InputError(
                f"the continuation is {len(added)} tokens, the artifact takes {spec['shape'][1]}: give another, or "
                f"compile with Continuation({len(added)})"
            )
        feeds["tokens"] = np.array([added], np.int64)
    if "position" in own:
        feeds["position"] = np.array([next_place(model, encoded)], np.int64)
    if "token" in own:
        token = PREDICTED if continuation is None else model.token_of(continuation)
        feeds["token"] = np.array([token], np.int64)
    return feeds


def with_continuation(model: TextModel, segments: Sequence[str], continuation: str | None) -> tuple[str, ...]:
    """The text that the model is given: where the score takes a continuation's tokens, these are its last."""
    if "tokens" not in model.inputs.own:
        return tuple(segments)
    if not continuation:
        raise InputError("the artifact explains how likely a continuation is: give one, continuation=' dull'")
    if len(segments) != 1:
        raise InputError("a text with a continuation has one segment: give a str")
    before = encode(model.tokenizer, segments).pieces
    if before[-1].segment is None:
        raise InputError(f"the tokenizer ends a text in {before[-1].text}, behind which nothing comes")
    whole = segments[0] + continuation
    after = encode(model.tokenizer, (whole,)).pieces
    if [piece.id for piece in after[: len(before)]] != [piece.id for piece in before]:
        raise InputError(
            f"the tokens of the text are others when {visible(continuation)!r} stands behind it: begin the "
            "continuation where a token begins, as with a space"
        )
    return (whole,)


def _added(encoded: Encoded, continuation: str | None) -> list[int]:
    """The tokens behind the text."""
    begin = len(encoded.texts[0]) - len(continuation or "")
    return [piece.id for piece in encoded.pieces if piece.segment is not None and piece.end > begin]


def name_of(model: TextModel, element: Element, encoded: Encoded) -> str:
    """An element in words: a label, with the token that it is of, or a token that is expected."""
    metadata, classes = model.metadata, class_axis(model.metadata)
    labels: Mapping[int, str] = dict(enumerate(metadata["labels"] or ()))
    index = element[classes or 0]
    name = model.token_name(index) if model.writes and not labels else labels.get(index, f"class {index}")
    if len(element) != 2 or classes is None:
        return name
    place = element[1 - classes]
    if model.writes and place == _quiet_place(model, encoded):
        return name
    return f"{name} at {_surface(encoded, place)}"


def _quiet_place(model: TextModel, encoded: Encoded) -> int | None:
    try:
        return next_place(model, encoded)
    except InputError:
        return None


def _surface(encoded: Encoded, place: int) -> str:
    if place >= len(encoded.pieces):
        return "a pad"
    piece = encoded.pieces[place]
    return piece.text if piece.segment is None else encoded.texts[piece.segment][piece.start : piece.end].strip()
