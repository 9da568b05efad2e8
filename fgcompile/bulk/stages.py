"""What the workers do, one block of images after another: read photos, explain them, write what is not a row."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray

from fgcompile.artifact.elements import largest_element, plain
from fgcompile.artifact.file import check_artifact
from fgcompile.artifact.fitting import Fit, fit_of
from fgcompile.artifact.metadata import Metadata
from fgcompile.bulk.options import Wanted
from fgcompile.bulk.rows import make_table, row_schema
from fgcompile.drawing.files import write_png
from fgcompile.drawing.marks import NONE, marks_of
from fgcompile.drawing.panels import draw_panel
from fgcompile.drawing.scale import is_signed
from fgcompile.errors import InputError, MissingPackageError, NonFiniteWarning
from fgcompile.media.asking import Question
from fgcompile.media.tiles import ask_tiles, reduced
from fgcompile.pictures.images import in_whole_steps, photo_shape, read_photo, read_unfitted, told_of
from fgcompile.pictures.reading import DEFAULT, TILE, WHOLE, Reading
from fgcompile.runtime.answers import Answer, answers_of
from fgcompile.runtime.explanation import Explanation
from fgcompile.runtime.finite import describe_overflow
from fgcompile.runtime.session import Provider, Session, open_session
from fgcompile.system.files import write_atomically
from fgcompile.system.leftovers import temporary_folder
from fgcompile.system.text import visible

_LONGEST_STEM = 40


def read_photos(
    images: pa.Table, shape: tuple[int, int, int], reading: Reading = DEFAULT, fit: Fit | None = None
) -> pa.Table:
    """The photos of the column ``path`` as raw bytes in ``photo``, or why there is none in ``error``.

    Args:
        images: ``path``.
        shape: ``(H, W, C)`` of each photo.
        reading: What their files do not say by themselves.
        fit: How they become photos of that shape, as the artifact says.

    Photos that keep their own size are left to who explains them: several at once would fill the memory.
    """
    if reading.fit in (WHOLE, TILE):
        count = len(images)
        photos_later, no_errors = pa.array([b""] * count, pa.binary()), pa.nulls(count, pa.string())
        return pa.table({"path": images["path"], "photo": photos_later, "error": no_errors})
    photos: list[bytes | None] = []
    errors: list[str | None] = []
    for path in images["path"].to_pylist():
        try:
            photos.append(read_photo(Path(path), shape, reading, fit).tobytes())
            errors.append(None)
        except (InputError, MissingPackageError) as error:
            photos.append(None)
            errors.append(str(error))
    return pa.table(
        {"path": images["path"], "photo": pa.array(photos, pa.binary()), "error": pa.array(errors, pa.string())}
    )


@dataclass(frozen=True)
class Task:
    """What the workers are to do.

    Attributes:
        artifact: Its bytes and its metadata in Ray's object store, through which they reach every machine once.
        wanted: What is computed; its path of the artifact is for messages.
        folder: The run's folder.
        providers: As for ``fgcompile.load``.
        threads: As for ``fgcompile.load``.
        beside: The folder of weights that are not in its bytes; every machine has it under the same path.
    """

    artifact: ray.ObjectRef[tuple[NDArray[np.uint8], Metadata]]
    wanted: Wanted
    folder: Path
    providers: Sequence[Provider] | None
    threads: int
    beside: Path | None = None


class Explainer:
    """An actor: the artifact, loaded once, explains photos.

    Args:
        task: What to do.

    Attributes:
        shape: ``(H, W, C)`` of the photos.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._content, self._metadata = ray.get(task.artifact)
        self.shape = photo_shape(self._metadata)
        self._own_sizes = task.wanted.reading.fit in (WHOLE, TILE)
        self._schema = row_schema(self._metadata, task.wanted.format, None if self._own_sizes else self.shape)
        self._session: Session | None = None

    def __call__(self, images: pa.Table) -> pa.Table:
        """The rows of what ``read_photos`` returned."""
        paths, errors = images["path"].to_pylist(), images["error"].to_pylist()
        rows: list[dict[str, Any]] = [{"path": path, "error": error} for path, error in zip(paths, errors, strict=True)]
        read = [row for row in rows if row["error"] is None]
        if self._own_sizes:
            for row in read:
                self._explain_alone(row)
        elif read:
            content = b"".join(photo for photo in images["photo"].to_pylist() if photo is not None)
            photos = np.frombuffer(content, np.uint8).reshape(len(read), *self.shape)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NonFiniteWarning)  # the rows say which image
                explanation = self.load().explain(photos, self._target(len(read)))
            for index, row in enumerate(read):
                self._fill(row, photos[index], explanation, index)
        return make_table(rows, self._schema)

    def _explain_alone(self, row: dict[str, Any]) -> None:
        """Explains a photo at its own size, at once or in tiles."""
        reading = self._task.wanted.reading
        try:
            photo = read_unfitted(Path(row["path"]), self.shape[2], reading)
            if reading.fit == TILE:
                self._explain_tiles(row, photo)
                return
            photo = in_whole_steps(photo, self._metadata, fit_of(self._metadata["preprocess"]))
        except (InputError, MissingPackageError) as error:
            row["error"] = told_of(Path(row["path"]), error)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonFiniteWarning)
            explanation = self.load().explain(photo[np.newaxis], self._target(1))
        self._fill(row, photo, explanation, 0)

    def _explain_tiles(self, row: dict[str, Any], photo: NDArray[np.uint8]) -> None:
        element = self._task.wanted.target
        question = Question(() if element is None else (element,))
        with temporary_folder() as folder:
            file = Path(folder) / "map.npy"
            reply = ask_tiles(self.load(), photo, question, file, False, lambda tile: None)
            (answer,) = reply.answers
            assert reply.logits is not None
            self._describe(row, answer, reply.logits)
            self._keep(row, reduced(photo) if self._task.wanted.format == "png" else photo, answer, reply.logits)

    def load(self) -> Session:
        """The session, loaded when it is first asked for."""
        if self._session is None:
            task, content = self._task, self._content.tobytes()
            name = str(task.wanted.artifact)
            if task.beside is not None:  # which Ray does not carry: this machine may have others, or none
                check_artifact(content, name, task.beside)
            self._session = open_session(content, self._metadata, name, task.providers, task.threads, task.beside)
        return self._session

    def _target(self, count: int) -> NDArray[np.int64] | None:
        """That of each photo; None for the predicted one, or the artifact's own."""
        element = self._task.wanted.target
        return None if element is None else np.array([plain(element)] * count)

    def _fill(self, row: dict[str, Any], photo: NDArray[np.uint8], explanation: Explanation, index: int) -> None:
        """Writes what is known of one photo into its row, and its file where there is one."""
        (answer,) = answers_of(explanation, index, self._metadata)
        assert explanation.logits is not None  # the run has looked
        self._describe(row, answer, explanation.logits[index])
        if explanation.residual is not None:
            row["residual"] = float(explanation.residual[index])
        self._keep(row, photo, answer, explanation.logits[index])

    def _describe(self, row: dict[str, Any], answer: Answer, logits: NDArray[Any]) -> None:
        """Writes what is said of one photo."""
        saliency = answer.saliency
        row["predicted"] = plain(largest_element(logits))
        row["target"] = None if answer.element is None else plain(answer.element)
        row["label"], row["score"] = answer.name, answer.score
        row["height"], row["width"] = saliency.shape
        row["warning"] = describe_overflow({"logits": logits, "saliency": saliency})

    def _keep(self, row: dict[str, Any], photo: NDArray[np.uint8], answer: Answer, logits: NDArray[Any]) -> None:
        """Writes the map, into the row or into the file that it names."""
        saliency = answer.saliency
        if self._task.wanted.format == "parquet":
            row["saliency"] = saliency.ravel()
            return
        row["file"] = f"maps/{_file_name(row['path'])}.{self._task.wanted.format}"
        file = self._task.folder / row["file"]
        if self._task.wanted.format == "npz":
            buffer = io.BytesIO()
            np.savez(buffer, saliency=saliency, logits=logits)
            write_atomically(file, buffer.getvalue())
        else:
            tiled = self._task.wanted.reading.fit == TILE
            marks = NONE if tiled else marks_of(answer.element, logits, self._metadata)
            drawn = reduced(saliency) if tiled else saliency
            signed = is_signed(self._metadata)
            write_png(draw_panel(photo, drawn, answer.name, answer.detail, marks, signed), file)


def rehearse(task: Task) -> None:
    """Does all that can fail for want of something on the machine of a worker, before there is any work.

    Raises:
        FgcompileError: Says what is missing.
    """
    Explainer(task).load()


def _file_name(path: str) -> str:
    """A name that no other image has, and that the same image has again in the next run."""
    return f"{visible(Path(path).stem)[:_LONGEST_STEM]}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
