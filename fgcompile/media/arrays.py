"""Prepared arrays, ``.npy``: what an artifact is given that takes no photos, be it a signal, a volume or a table."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from fgcompile.artifact.metadata import Metadata, TensorSpec, batch_axis
from fgcompile.artifact.regular import read_regular
from fgcompile.artifact.validation import input_specs, takes_tokens
from fgcompile.artifact.wishes import Wish
from fgcompile.drawing.blending import Style, style_of
from fgcompile.drawing.files import write_npy, write_png
from fgcompile.drawing.inputs import subject_of
from fgcompile.drawing.marks import marks_of
from fgcompile.drawing.palettes import Colormap
from fgcompile.drawing.panels import draw_comparison, draw_overlay, draw_photo
from fgcompile.drawing.photo import Photo
from fgcompile.drawing.scale import is_signed
from fgcompile.errors import InputError
from fgcompile.media.asking import Question, Reply, ask, choose
from fgcompile.media.explain import record_of
from fgcompile.pictures.images import photo_shape, told_of
from fgcompile.runtime import Session
from fgcompile.runtime.depicting import shown_of
from fgcompile.system.files import make_directory
from fgcompile.system.text import distinct_names, visible

SUFFIX = ".npy"


def takes_arrays(metadata: Metadata) -> bool:
    """Whether an artifact takes one array that no photo and no text is made into."""
    return metadata["preprocess"] is None and len(input_specs(metadata)) == 1 and not takes_tokens(metadata)


def explain_arrays(  # noqa: PLR0913 - public: its keywords are the options
    session: Session,
    paths: Sequence[Path],
    directory: Path,
    *,
    target: Wish = None,
    targets: str | Sequence[Wish] | None = None,
    top: int | None = None,
    npy: bool = False,
    alpha: float | None = None,
    colormap: Colormap | None = None,
    report: Callable[[str], None] = lambda name: None,
) -> list[dict[str, Any]]:
    """Explains the samples of each file and writes their pictures, and their maps if wanted, into ``directory``.

    Args:
        session: An artifact that ``takes_arrays``.
        paths: Files of one sample each, in the input's shape without the batch, or of several, with it.
        directory: Created if need be. Files are named as by ``explain_photos``, those of several samples by their
            numbers too: ``<file>-0-explained.png``.
        target: As for ``explain_photos``, as are the others.
        targets: See there.
        top: See there.
        npy: See there; maps are ``(*spatial)``.
        alpha: See there.
        colormap: See there.
        report: See there.

    Returns:
        For each sample a record as there, ``sample`` its number where a file has several; of a file that cannot be
        read ``image`` and ``error``.

    Raises:
        InputError: As there; or none of the files is an array.
        MissingPackageError: As there.
        OutputError: As there.
    """
    metadata = session.metadata
    if not any(path.suffix == SUFFIX for path in paths):
        photo_shape(metadata)  # which says what the artifact takes
    question, style = choose(metadata, target, targets, top), style_of(is_signed(metadata), colormap, alpha)
    several = targets is not None or top is not None or (metadata["target"] == "predicted" and "targets" in metadata)
    make_directory(directory)
    records: list[dict[str, Any]] = []
    for path, name in zip(paths, distinct_names(paths), strict=True):
        report(visible(path.name))
        try:
            for sample, x in _samples(path, input_specs(metadata)[0]):
                end = "" if sample is None else f"-{sample}"
                written = {"overlay": directory / f"{name}{end}-explained.png"}
                written |= {"saliency": directory / f"{name}{end}-saliency.npy"} if npy else {}
                reply = _explain(session, x, question, style, written)
                number = {} if sample is None else {"sample": sample}
                files = {key: str(file) for key, file in written.items()}
                records.append({"image": str(path), **number, **files, **record_of(reply, metadata, several)})
        except InputError as error:
            records.append({"image": str(path), "error": told_of(path, error)})
    return records


def _explain(session: Session, x: NDArray[Any], question: Question, style: Style, written: dict[str, Path]) -> Reply:
    """Explains one sample and writes its files."""
    metadata = session.metadata
    spec = input_specs(metadata)[0]
    reply = ask(session, x, question)
    maps = np.stack([answer.saliency for answer in reply.answers])
    subject = subject_of(spec["name"], x.take(0, batch_axis(spec)), maps, metadata)
    shown = [shown_of(each, marks_of(each.element, reply.logits, metadata)) for each in reply.answers]
    if len(shown) > 1:
        picture: Image = draw_comparison(subject, shown, style.palette.signed, style)
    elif isinstance(subject, Photo):
        picture = draw_photo(subject, shown[0], style.palette.signed, style)
    else:
        picture = draw_overlay(subject, shown[0], style.palette.signed, style)
    write_png(picture, written["overlay"])
    if "saliency" in written:
        write_npy(maps if len(shown) > 1 else maps[0], written["saliency"])
    return reply


def _samples(path: Path, spec: TensorSpec) -> list[tuple[int | None, NDArray[Any]]]:
    """The samples of a file, each with a batch of 1, by their numbers; one that is alone has none."""
    array, axis, rank = _read(path), batch_axis(spec), len(spec["shape"])
    if array.ndim == rank - 1:
        return [(None, np.expand_dims(array, axis))]
    if array.ndim != rank:
        taken = ", ".join(map(str, spec["shape"]))
        raise InputError(
            f"an array of shape {array.shape}, and {spec['name']} is {spec['dtype']} ({taken}): give one sample, "
            "without the batch, or several"
        )
    count = array.shape[axis]
    if not count:
        raise InputError("an array of no samples: give one or more")
    return [(number, array.take([number], axis)) for number in range(count)]


def _read(path: Path) -> NDArray[Any]:
    if path.suffix != SUFFIX:
        raise InputError(
            f"{visible(str(path))} is no {SUFFIX}, and this artifact takes prepared arrays: save one by numpy.save"
        )
    try:
        array = np.load(io.BytesIO(read_regular(path)), allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{visible(str(path))}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged, or holds Python objects"
        raise InputError(
            f"{visible(str(path))} cannot be read as an array ({reason}): save one by numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{visible(str(path))} holds several arrays: save one by numpy.save")
    return array
