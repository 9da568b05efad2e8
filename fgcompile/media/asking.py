"""One photo's elements, explained in as few calls as the artifact needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.elements import Element, best_elements, class_axis, output_axes, plain, resolve
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import DYNAMIC, LOGITS
from fgcompile.artifact.questions import PREDICTED, check_target, predicted_targets, whole
from fgcompile.artifact.wishes import Wish, needs_logits, read_element, read_elements
from fgcompile.errors import InputError
from fgcompile.media.boxes import Boxes
from fgcompile.runtime import Explanation, Session
from fgcompile.runtime.answers import Answer, answers_of


@dataclass(frozen=True)
class Question:
    """What each photo's explanation is of.

    Attributes:
        elements: With −1 for the largest; none for the artifact's own, or the predicted one.
        top: So many of the best instead.
        boxes: Whose coordinates are no classes, where the logits hold them.
    """

    elements: tuple[Element, ...] = ()
    top: int | None = None
    boxes: Boxes | None = None

    @property
    def seeks(self) -> bool:
        """Whether logits say which elements are meant."""
        return self.top is not None or any(map(self.sought, self.elements))

    def sought(self, element: Element) -> bool:
        """Whether logits say which one is meant; of those that hold boxes no artifact knows the largest class."""
        of_boxes = self.boxes is not None and self.boxes.output == LOGITS
        return PREDICTED in element if of_boxes else needs_logits(element)

    def among(self, logits: NDArray[Any]) -> NDArray[Any]:
        """The logits among which the largest are sought; −∞ of what is none of them."""
        return logits if self.boxes is None else self.boxes.passed_over(logits)

    def best(self, logits: NDArray[Any], metadata: Metadata, place: Element | None = None) -> tuple[Element, ...]:
        """The best of a sample: as many as are asked for, or as are told."""
        classes = self.among(logits)
        count = {} if self.top is None or place is not None else {"count": self.top}
        return tuple(each for each in best_elements(classes, metadata, place=place, **count) if classes[each] > -np.inf)


@dataclass(frozen=True)
class Reply:
    """What an artifact says of one photo.

    Attributes:
        answers: One for each element that was asked for, in that order.
        logits: The photo's, ``(d_1, …, d_r)``, where they are returned.
        outputs: What the model returns beside them, of the photo.
    """

    answers: tuple[Answer, ...]
    logits: NDArray[Any] | None
    outputs: Mapping[str, NDArray[Any]]


def choose(
    metadata: Metadata,
    target: Wish,
    targets: str | Sequence[Wish] | None,
    top: int | None,
    boxes: Boxes | None = None,
) -> Question:
    """The question, once the artifact can be asked it.

    Raises:
        InputError: Two of the three are given; the artifact's target is fixed; no class has such a name, or an index is
            out of range; there are fewer classes.
    """
    given = [name for name, value in (("target", target), ("targets", targets), ("top", top)) if value is not None]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} are given: give one of target, targets and top")
    if top is not None:
        top = whole(top, "top")
        _require_top(metadata, top)
        return Question(top=top, boxes=boxes)
    if not given or (isinstance(target, str) and target == "predicted" == metadata["target"]):
        of_classes = boxes is not None and boxes.output == LOGITS and metadata["target"] == "input"
        return Question(((PREDICTED,) * len(output_axes(metadata)),) if of_classes else (), boxes=boxes)
    if metadata["target"] != "input":
        check_target(0, {}, metadata)  # which refuses any
    elements = (read_element(target, metadata),) if targets is None else read_elements(targets, metadata)
    return Question(elements, boxes=boxes)


def ask(session: Session, x: NDArray[Any], question: Question) -> Reply:
    """Explains one sample.

    Args:
        session: An artifact whose outputs include the saliency.
        x: The sample, with a batch of 1 in front.
        question: What ``choose`` returned for this artifact.

    Raises:
        InputError: The artifact does not compute what it takes.
    """
    metadata = session.metadata
    first, elements = _find(session, x, question)
    known = {} if first is None else {answer.element: answer for answer in answers_of(first, 0, metadata)}
    left = [element for element in elements if element not in known]
    calls = [session.explain(x, target) for target in _calls(left, metadata)] if left or not elements else []
    answers = [answer for explanation in calls for answer in answers_of(explanation, 0, metadata)]
    if elements:
        known |= zip(left, answers, strict=False)  # the last call is filled up
        answers = [known[element] for element in elements]
    elif metadata["target"] == "input":
        answers = answers[:1]
    seen = calls[0] if first is None else first
    return Reply(
        tuple(answers[: question.top]),
        None if seen.logits is None else seen.logits[0],
        {name: value[0] for name, value in seen.outputs.items()},
    )


def _find(session: Session, x: NDArray[Any], question: Question) -> tuple[Explanation | None, tuple[Element, ...]]:
    """The elements by their indices, and the explanation that said them where one did; it is that of the largest."""
    metadata, elements = session.metadata, question.elements
    if metadata["target"] != "input" or not question.seeks:
        return None, elements
    # On demand a forward pass says what the logits are; else every call explains, and this one need not be repeated.
    first = None if metadata.get("on_demand") else session.explain(x, predicted_targets(metadata, 1))
    logits = session.predict(x)[0] if first is None or first.logits is None else first.logits[0]
    if question.top:
        return first, question.best(logits, metadata)
    classes = question.among(logits)
    return first, tuple(resolve(element, classes) if question.sought(element) else element for element in elements)


def _calls(elements: Sequence[Element], metadata: Metadata) -> list[Any]:
    """The targets of each call: as many elements as one takes, the last of them filled up; of none, the predicted."""
    if not elements:
        return [predicted_targets(metadata, 1) if metadata["target"] == "input" else None]
    flat, count = [plain(element) for element in elements], metadata.get("targets")
    if count is None:
        return [element if isinstance(element, int) else np.array(element) for element in flat]
    size = len(flat) if count == DYNAMIC else int(count)
    groups = [flat[start : start + size] for start in range(0, len(flat), size)]
    return [np.array([group + group[-1:] * (size - len(group))]) for group in groups]


def _require_top(metadata: Metadata, top: int) -> None:
    """Passes a number of the best that the artifact can explain.

    Raises:
        InputError: It cannot.
    """
    fixed, count = metadata["target"], metadata.get("targets")
    if top < 1:
        raise InputError(f"top is {top}: give 1 or more")
    if fixed == "predicted" and top > (count if isinstance(count, int) else 1):
        has = f"{count} best" if count is not None else "best alone"
        raise InputError(
            f"top is {top}, and the artifact was compiled to explain the {has}: compile it with targets={top}, or with "
            "target=None"
        )
    if fixed not in ("input", "predicted"):
        raise InputError(
            f"top is {top}, and the artifact's target was fixed when compiling ({fixed}): leave top out, or compile "
            "with target=None"
        )
    axes, classes = output_axes(metadata), class_axis(metadata)
    sizes = [axis["size"] for axis in (axes if classes is None else axes[classes : classes + 1])]
    known = [size for size in sizes if isinstance(size, int)]
    if known and len(known) == len(sizes) and top > prod(known):
        raise InputError(f"top is {top}: the artifact has {prod(known)} {'elements' if classes is None else 'classes'}")
