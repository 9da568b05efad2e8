"""From an explanation's numbers to pictures and words of them: the one place where ``runtime`` meets ``drawing``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from fgcompile.artifact.elements import ClassScore, best_elements, element_score
from fgcompile.artifact.fitting import fit_of
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.questions import shown as shown_value
from fgcompile.artifact.questions import whole
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.files import write_npy, write_png
from fgcompile.drawing.inputs import subject_of
from fgcompile.drawing.letters import named
from fgcompile.drawing.marks import Marks, marks_of
from fgcompile.drawing.palettes import Colormap
from fgcompile.drawing.panels import draw_comparison, draw_overlay, draw_photo
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.scale import is_signed
from fgcompile.drawing.subjects import Shown, Subject
from fgcompile.drawing.waterfall import draw_waterfall, group_by_layer
from fgcompile.drawing.whole import Whole, whole_photo
from fgcompile.errors import InputError
from fgcompile.runtime.about import About
from fgcompile.runtime.answers import NO_SALIENCY, Answer, Explained, answers_of
from fgcompile.system.files import make_directory, write_atomically
from fgcompile.system.text import distinct_names, visible

INDEX = "explanations.json"
"""The file beside the pictures that says what they show."""


@dataclass(frozen=True)
class Look:
    """How one is drawn: the arguments of ``Explanation.overlay``."""

    photo: Whole | None = None
    input: str | None = None
    names: Sequence[str] | None = None
    alpha: float | None = None
    colormap: Colormap | None = None


class Depicted(Explained, Protocol):
    """What is read of an explanation."""

    saliency_by_input: Any
    about: Any

    def __len__(self) -> int:
        """The number of samples."""

    def __getitem__(self, index: int, /) -> Depicted:
        """A sample."""

    def __iter__(self) -> Iterator[Depicted]:
        """Each of them."""


@dataclass(frozen=True)
class _Numbers:
    """An explanation's numbers as arrays, which may have been tensors."""

    logits: NDArray[Any] | None
    saliency: NDArray[Any] | None
    target: NDArray[Any] | None
    contributions: NDArray[Any] | None
    residual: NDArray[Any] | None


class _Drawn(NamedTuple):
    """An input, and its maps with their words."""

    subject: Subject
    shown: list[Shown]
    signed: bool


def overlay(explanation: Depicted, look: Look, caption: bool) -> Image:
    """``Explanation.overlay``."""
    return _overlaid(_drawn(explanation, look), look, caption)


def _overlaid(drawn: _Drawn, look: Look, caption: bool) -> Image:
    subject, shown, signed = drawn
    style = style_of(signed, look.colormap, look.alpha)
    if len(shown) > 1:
        return draw_comparison(subject, shown, signed, style)
    return draw_overlay(subject, shown[0], signed, style, caption)


def panel(explanation: Depicted, look: Look) -> Image:
    """``Explanation.panel``."""
    drawn = _drawn(explanation, look)
    subject, shown, signed = drawn
    if isinstance(subject, Photo) and len(shown) == 1:
        return draw_photo(subject, shown[0], signed, style_of(signed, look.colormap, look.alpha))
    return _overlaid(drawn, look, caption=True)


def beside(explanations: Sequence[Depicted], look: Look) -> Image:
    """``Explanation.beside``."""
    for each in explanations:
        if not hasattr(each, "saliency_by_input"):
            raise InputError(f"beside takes explanations, and is given {shown_value(each)}: session.explain makes them")
    all_drawn = [_drawn(each, look) for each in explanations]
    (subject, first, signed), given = all_drawn[0], [list(about_of(each).inputs.values()) for each in explanations]
    for drawn, inputs in zip(all_drawn, given, strict=True):
        if drawn.signed != signed or drawn.shown[0].saliency.shape != first[0].saliency.shape:
            raise InputError("the maps are of different kinds or sizes, which have no scale in common")
        if len(inputs) != len(given[0]) or not all(map(np.array_equal, inputs, given[0])):
            raise InputError("the explanations are of different inputs: compare several classes of one")
    shown = [each for drawn in all_drawn for each in drawn.shown]
    return draw_comparison(subject, shown, signed, style_of(signed, look.colormap, look.alpha))


def plot(explanation: Depicted, axes: Any, look: Look) -> Any:
    """``Explanation.plot``."""
    from fgcompile.drawing.plot import plot

    subject, shown, signed = _drawn(explanation, look)
    if len(shown) > 1:
        raise InputError(f"there are {len(shown)} targets, and axes hold one: use overlay, which draws all of them")
    return plot(subject, shown[0], signed, style_of(signed, look.colormap, look.alpha), axes)


def waterfall(explanation: Depicted) -> Image:
    """``Explanation.waterfall``."""
    metadata, contributions = about_of(explanation).metadata, _array(explanation.contributions)
    if contributions is None:
        raise InputError(
            "this artifact does not compute contributions: compile it with outputs=('logits', 'saliency', "
            "'contributions', 'residual')"
        )
    if metadata.get("targets") is not None:
        raise InputError("there are several targets, and a waterfall is of one: explain with an artifact of one")
    residual = _array(explanation.residual)
    left = None if residual is None else float(residual[0])
    known = explanation.saliency is not None
    total = words_of(explanation)[0].score if known else None
    return draw_waterfall(group_by_layer(contributions[0], metadata["sites"]), total, left)


def best_of(explanation: Depicted, k: int) -> tuple[ClassScore, ...]:
    """``Explanation.top``."""
    metadata, logits = about_of(explanation).metadata, _array(explanation.logits)
    if (k := whole(k, "k")) < 1:
        raise InputError(f"k is {k}: give 1 or more")
    if logits is None:
        raise InputError("this artifact does not return the logits: compile it with them among the outputs")
    if metadata["target"] == "score":
        raise InputError("a score was explained, a function of the outputs: there are no best classes of it")
    target = _array(explanation.target)
    first = None if target is None else target[0] if metadata.get("targets") is None else target[0, 0]
    place = None if first is None else tuple(int(each) for each in np.atleast_1d(first))
    return tuple(element_score(logits[0], each, metadata) for each in best_elements(logits[0], metadata, k, place))


def words_of(explanation: Depicted) -> list[Answer]:
    """What was explained of one sample, and its score: one for each target."""
    return answers_of(_numbers(explanation), 0, about_of(explanation).metadata)


def save(explanation: Depicted, folder: Path, names: Sequence[str] | None) -> list[dict[str, Any]]:
    """``Explanation.save``."""
    if names is None:
        names = _own_names(explanation)
    elif isinstance(names, list | tuple):
        _check_names(names, len(explanation))
    else:
        raise InputError(f"names is {shown_value(names)}: give a list of them")
    records: list[dict[str, Any]] = []
    for name, one in zip(names, explanation, strict=True):
        picture, maps = panel(one, Look()), [answer.saliency for answer in words_of(one)]
        if not records:  # what cannot be drawn has left nothing behind
            make_directory(folder)
        files = {"overlay": f"{name}-explained.png", "saliency": f"{name}-saliency.npy"}
        write_png(picture, folder / files["overlay"])
        several = about_of(one).metadata.get("targets") is not None
        write_npy(np.stack(maps) if several else maps[0], folder / files["saliency"])
        records.append({"sample": name, **files, **_record(one)})
    write_atomically(folder / INDEX, json.dumps(records, indent=1, ensure_ascii=False).encode())
    return records


def _record(explanation: Depicted) -> dict[str, Any]:
    metadata = about_of(explanation).metadata
    explained = [each.as_dict() for each in words_of(explanation)]
    record = {"explained": explained} if metadata.get("targets") is not None else explained[0]
    ranked = explanation.logits is not None and metadata["target"] != "score"
    return {**record, "top": [vars(each) for each in best_of(explanation, 3)] if ranked else []}


def _own_names(explanation: Depicted) -> list[str]:
    """The samples' names by default: of the files that they were read from, else their numbers."""
    files = () if explanation.about is None else explanation.about.files
    known = files or (None,) * len(explanation)
    return distinct_names([file or Path(str(number)) for number, file in enumerate(known)])


def _check_names(names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise InputError(f"names are {len(names)}, and the explanation has {count} samples")
    for name in names:
        if (
            not isinstance(name, str)
            or not name
            or name.startswith(".")
            or visible(name) != name
            or set("/\\") & set(name)
        ):
            raise InputError(
                f"{shown_value(name)} is no name of a file: leave out what separates folders, and control characters"
            )
    if len(set(names)) < count:
        raise InputError("names has one twice: each is that of a sample's files")


def _drawn(explanation: Depicted, look: Look) -> _Drawn:
    about = about_of(explanation)
    maps = explanation.saliency_by_input
    if not maps:
        raise InputError(NO_SALIENCY)
    name = next(iter(maps)) if look.input is None else look.input
    if not isinstance(name, str) or name not in maps:
        raise InputError(
            f"input {shown_value(name)} has no map: {', '.join(maps)} {'has' if len(maps) == 1 else 'have'} one"
        )
    shown = _shown(explanation, name, about.metadata)
    maps = np.stack([each.saliency for each in shown])
    subject = subject_of(name, about.sample(name), maps, about.metadata, look.names)
    if look.photo is not None:
        if not isinstance(subject, Photo):
            raise InputError(f"a photo is given, and {name} is none: leave it out")
        preprocess = about.metadata["preprocess"]
        subject = whole_photo(look.photo, subject, None if preprocess is None else fit_of(preprocess))
    return _Drawn(subject, shown, is_signed(about.metadata))


def _shown(explanation: Depicted, name: str, metadata: Metadata) -> list[Shown]:
    numbers = replace(_numbers(explanation), saliency=_array(explanation.saliency_by_input[name]))
    logits = None if numbers.logits is None else numbers.logits[0]
    return [shown_of(each, marks_of(each.element, logits, metadata)) for each in answers_of(numbers, 0, metadata)]


def shown_of(answer: Answer, marks: Marks) -> Shown:
    """An answer as it is drawn: classes whose names have letters that the font lacks by their numbers."""
    if answer.beside is not None:
        beside = replace(answer.beside, name=named(answer.beside.name, f"class {answer.beside.index}"))
        answer = replace(answer, beside=beside)
    return Shown(answer.saliency, named(answer.name, answer.number), answer.detail, marks)


def _numbers(explanation: Depicted) -> _Numbers:
    return _Numbers(
        _array(explanation.logits),
        _array(explanation.saliency),
        _array(explanation.target),
        _array(explanation.contributions),
        _array(explanation.residual),
    )


def about_of(explanation: Depicted) -> About:
    """What an explanation of one sample is of.

    Raises:
        InputError: It is of several, or was not made by a session.
    """
    if explanation.about is None:
        raise InputError("this explanation was made by hand: what draws and names needs one of session.explain")
    if len(explanation) != 1:
        raise InputError(f"the explanation has {len(explanation)} samples: take one, explanation[0]")
    about: About = explanation.about
    return about


def _array(value: Any) -> NDArray[Any] | None:
    """An array, also of one of PyTorch's tensors, wherever that is."""
    return None if value is None else np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
