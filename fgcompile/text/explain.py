"""From a text to what the model says of it, and which of its words say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, overload

import numpy as np

from fgcompile.artifact.elements import ClassScore, Element, best_elements, plain, score_of_terms
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS
from fgcompile.artifact.questions import shown
from fgcompile.artifact.scores import score_name, score_of_logits
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.text.encoding import Encoded, Text, as_segments
from fgcompile.text.explained import ExplainedToken, ExplainedWord
from fgcompile.text.explanation import TextExplanation, TextExplanations
from fgcompile.text.inputs import IDS, length_of
from fgcompile.text.model import TextModel, open_texts
from fgcompile.text.questions import TextTarget, choose_element, name_of, score_feeds, with_continuation
from fgcompile.text.words import group_words

SIGNED = "signed"
"""The ψ whose map has signs."""


class Explains(Protocol):
    """What is asked of a session."""

    @property
    def metadata(self) -> Metadata:
        """The artifact's."""

    def explain(self, x: Any, target: Any = None) -> Any:
        """An explanation of arrays."""

    def predict(self, x: Any) -> Array:
        """The model's output alone."""


@overload
def explain_texts(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
    session: Explains, tokenizer: str | None, given: Text, target: TextTarget = ..., continuation: str | None = ...
) -> TextExplanation: ...


@overload
def explain_texts(
    session: Explains,
    tokenizer: str | None,
    given: Iterable[Text],
    target: TextTarget = ...,
    continuation: str | None = ...,
) -> TextExplanations: ...


def explain_texts(
    session: Explains,
    tokenizer: str | None,
    given: Text | Iterable[Text],
    target: TextTarget = None,
    continuation: str | None = None,
) -> TextExplanation | TextExplanations:
    """Explains one text, or several, as ``Session.explain_text``.

    Args:
        session: The artifact.
        tokenizer: The JSON that it keeps; None where it keeps none.
        given: As there.
        target: As there.
        continuation: As there.

    Raises:
        InputError: As there.
        MissingPackageError: ``tokenizers`` is not installed.
    """
    if tokenizer is None and session.metadata["preprocess"] is not None:
        raise InputError("this artifact takes photos, no texts: use explain")
    if tokenizer is None:
        raise InputError(
            "the artifact keeps no tokenizer: compile it with one, tokenizer=PATH, or give arrays to explain"
        )
    if continuation is not None and not isinstance(continuation, str):
        raise InputError(f"continuation is {shown(continuation)}: give a text, as ' dull'")
    model = open_texts(session.metadata, tokenizer)
    _require_maps(model)
    if isinstance(given, str | tuple):
        return _explain(session, model, given, target, continuation)
    if isinstance(given, bytes | bytearray) or not isinstance(given, Iterable):
        raise InputError(f"a text is {type(given).__name__}: give a str, a tuple of its segments, or a list of texts")
    found = TextExplanations()
    for number, text in enumerate(given):
        try:
            found.append(_explain(session, model, text, target, continuation))
        except InputError as error:
            raise InputError(f"texts[{number}]: {error}") from error
    return found


def _require_maps(model: TextModel) -> None:
    """Refuses artifacts that say nothing by token, or of several targets at once."""
    metadata = model.metadata
    if "targets" in metadata:
        raise InputError("the artifact explains several targets in a call: give arrays to explain")
    returned = {spec["name"] for spec in metadata["outputs"]}
    first = next(spec["name"] for spec in metadata["inputs"] if f"saliency.{spec['name']}" not in returned)
    for specs in model.inputs.texts:
        name = specs[IDS]["name"]
        if f"saliency.{name}" not in returned and not ("saliency" in returned and name == first):
            raise InputError(
                f"the artifact has no map of '{name}': compile it with saliency among its outputs, and two texts of "
                "one shape with other lengths, for else they share a map"
            )


def _explain(
    session: Explains, model: TextModel, text: Text, target: TextTarget, continuation: str | None
) -> TextExplanation:
    segments = with_continuation(model, as_segments(text, model.segments), continuation)
    encoded = model.encode(segments)
    if "query" in model.inputs.own:
        return _compare(session, model, encoded, target)
    feeds = model.feeds(encoded) | score_feeds(model, encoded[0], continuation)
    _require_own_places(model, feeds, encoded)
    element = choose_element(model, encoded[0], target, continuation, lambda: np.asarray(session.predict(feeds))[0])
    found = session.explain(feeds, None if element is None else np.array(element)[() if len(element) > 1 else 0])
    explained = element if found.target is None else tuple(int(index) for index in np.atleast_1d(found.target[0]))
    logits = None if found.logits is None or explained is None else found.logits[0]
    return replace(
        _by_token(model, encoded, found),
        target=explained,
        name=_named(model, explained, encoded[0], continuation),
        score=_score(found, model.metadata) if logits is None or explained is None else float(logits[explained]),
        top=() if logits is None or explained is None else _best(model, logits, explained, encoded[0]),
    )


def _named(model: TextModel, element: Element | None, encoded: Encoded, continuation: str | None) -> str:
    if element is not None:
        return name_of(model, element, encoded)
    return continuation or (score_name(model.metadata) if model.metadata["target"] == "score" else "predicted")


def _require_own_places(model: TextModel, feeds: Mapping[str, Array], encoded: Sequence[Encoded]) -> None:
    """Refuses to pad where the artifact chooses among places by itself: it may choose a pad."""
    metadata = model.metadata
    ranks = [len(spec["shape"]) for spec in metadata["outputs"] if spec["name"] == LOGITS]
    if metadata["target"] == "input" or ranks == [2]:
        return
    for specs, each in zip(model.inputs.texts, encoded, strict=True):
        if feeds[specs[IDS]["name"]].size > len(each.pieces):
            raise InputError(
                f"a text has {len(each.pieces)} tokens, the artifact takes {length_of(specs)}, and what it explains "
                "may lie on pads: give a text of as many, or compile with dynamic_sizes=True"
            )


def _compare(session: Explains, model: TextModel, encoded: Sequence[Encoded], target: TextTarget) -> TextExplanation:
    """Two texts by the cosine of their embeddings: each text's tokens, given the other's embedding."""
    if target is not None:
        raise InputError("the artifact explains how similar two texts are: leave the target out")
    spec = next(spec for spec in model.metadata["inputs"] if spec["name"] == "query")
    width = spec["shape"][1]
    if not isinstance(width, int):
        raise InputError("the artifact takes a query of any length: give arrays to explain")
    nothing = np.zeros((1, width), spec["dtype"])
    feeds = [model.feeds([each]) for each in encoded]
    vectors = [np.asarray(session.predict({**each, "query": nothing})) for each in feeds]
    found = [
        session.explain({**each, "query": other.astype(spec["dtype"])})
        for each, other in zip(feeds, reversed(vectors), strict=True)
    ]
    lengths = [float(np.linalg.norm(vector)) for vector in vectors]
    score = float((vectors[0] * vectors[1]).sum()) / max(lengths[0] * lengths[1], 1e-30)
    first, second = (_by_token(model, [each], one) for each, one in zip(encoded, found, strict=True))
    return replace(_joined(first, second), name="similarity", score=score)


def _joined(first: TextExplanation, second: TextExplanation) -> TextExplanation:
    """Two texts as the segments of one."""
    count = len(first.tokens)
    tokens = tuple(token if token.special else replace(token, segment=1) for token in second.tokens)
    words = tuple(
        replace(word, segment=1, tokens=tuple(place + count for place in word.tokens)) for word in second.words
    )
    return replace(
        first,
        texts=first.texts + second.texts,
        tokens=first.tokens + tokens,
        words=first.words + words,
        padding=first.padding + second.padding,
        residual=None,
    )


def _by_token(model: TextModel, encoded: Sequence[Encoded], found: Any) -> TextExplanation:
    """What lies on each token and word of all texts; who is explained is filled in behind."""
    parts = []
    for specs, each in zip(model.inputs.texts, encoded, strict=True):
        maps = [found.saliency_by_input.get(spec["name"]) for spec in specs.values()]
        scores = sum(np.asarray(one[0, 0], np.float64) for one in maps if one is not None)
        parts.append(_scored(model, each, np.asarray(scores)))
    whole = parts[0]
    for part in parts[1:]:
        whole = _joined(whole, part)
    residual = None if found.residual is None else float(found.residual[0])
    return replace(whole, residual=residual)


def _scored(model: TextModel, encoded: Encoded, scores: Array) -> TextExplanation:
    if not np.isfinite(scores).all():
        raise InputError("the map of a text has values that are NaN or infinite: the model's numbers overflow for it")
    count = len(encoded.pieces)
    tokens = tuple(
        ExplainedToken(
            piece.text if piece.segment is None else encoded.texts[piece.segment][piece.start : piece.end],
            piece.text,
            piece.id,
            piece.start,
            piece.end,
            piece.segment,
            float(score),
            piece.segment is not None and piece.id == model.unknown,
        )
        for piece, score in zip(encoded.pieces, scores[:count], strict=True)
    )
    words = tuple(
        ExplainedWord(
            encoded.texts[group.segment][group.start : group.end],
            group.start,
            group.end,
            group.segment,
            float(sum(tokens[place].score for place in group.pieces)),
            group.pieces,
        )
        for group in group_words(encoded)
    )
    pads = float(np.abs(scores[count:]).sum())
    signed = model.metadata["psi"] == SIGNED
    return TextExplanation(encoded.texts, tokens, words, None, "", None, (), signed, pads)


def _score(found: Any, metadata: Metadata) -> float | None:
    contributions, residual, logits = (
        None if values is None else values[0] for values in (found.contributions, found.residual, found.logits)
    )
    known = score_of_terms(contributions, residual, metadata)
    return score_of_logits(logits, metadata) if known is None else known


def _best(model: TextModel, logits: Array, element: Element, encoded: Encoded) -> tuple[ClassScore, ...]:
    return tuple(
        ClassScore(plain(best), name_of(model, best, encoded), float(logits[best]))
        for best in best_elements(logits, model.metadata, place=element)
    )
