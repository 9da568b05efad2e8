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
from fgcompile.artifact.metadata import Metadata
from fgcompile.bulk.options import Wanted
from fgcompile.bulk.rows import make_table, row_schema
from fgcompile.errors import InputError, MissingPackageError, NonFiniteWarning
from fgcompile.media.asking import answers_of
from fgcompile.media.explain import write_png
from fgcompile.media.images import photo_shape, read_photo
from fgcompile.media.marks import marks_of
from fgcompile.media.overlay import draw_panel
from fgcompile.media.reading import DEFAULT, Reading
from fgcompile.media.signed import is_signed
from fgcompile.runtime.explanation import Explanation
from fgcompile.runtime.finite import describe_overflow
from fgcompile.runtime.session import Provider, Session, open_session
from fgcompile.system.files import write_atomically
from fgcompile.system.text import visible

_LONGEST_STEM = 40


def read_photos(images: pa.Table, shape: tuple[int, int, int], reading: Reading = DEFAULT) -> pa.Table:
    """The photos of the column ``path`` as raw bytes in ``photo``, or why there is none in ``error``.

    Args:
        images: ``path``.
        shape: ``(H, W, C)`` of each photo.
        reading: What their files do not say by themselves.
    """
    photos: list[bytes | None] = []
    errors: list[str | None] = []
    for path in images["path"].to_pylist():
        try:
            photos.append(read_photo(Path(path), shape, reading).tobytes())
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
        self._schema = row_schema(self._metadata, task.wanted.format, self.shape)
        self._session: Session | None = None

    def __call__(self, images: pa.Table) -> pa.Table:
        """The rows of what ``read_photos`` returned."""
        paths, errors = images["path"].to_pylist(), images["error"].to_pylist()
        rows: list[dict[str, Any]] = [{"path": path, "error": error} for path, error in zip(paths, errors, strict=True)]
        read = [row for row in rows if row["error"] is None]
        if read:
            content = b"".join(photo for photo in images["photo"].to_pylist() if photo is not None)
            photos = np.frombuffer(content, np.uint8).reshape(len(read), *self.shape)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NonFiniteWarning)  # the rows say which image
                explanation = self.load().explain(photos, self._target(len(read)))
            for index, row in enumerate(read):
                self._fill(row, photos[index], explanation, index)
        return make_table(rows, self._schema)

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
        assert answer.element is not None
        logits, saliency = explanation.logits[index], answer.saliency
        row["predicted"] = plain(largest_element(logits))
        row["target"], row["label"], row["score"] = plain(answer.element), answer.name, answer.score
        row["height"], row["width"] = saliency.shape
        row["warning"] = describe_overflow({"logits": logits, "saliency": saliency})
        if explanation.residual is not None:
            row["residual"] = float(explanation.residual[index])
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
            marks = marks_of(answer.element, logits, self._metadata)
            signed = is_signed(self._metadata)
            write_png(draw_panel(photo, saliency, answer.name, f"score {answer.score:.2f}", marks, signed), file)


def rehearse(task: Task) -> None:
    """Does all that can fail for want of something on the machine of a worker, before there is any work.

    Raises:
        FgcompileError: Says what is missing.
    """
    Explainer(task).load()


def _file_name(path: str) -> str:
    """A name that no other image has, and that the same image has again in the next run."""
    return f"{visible(Path(path).stem)[:_LONGEST_STEM]}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
