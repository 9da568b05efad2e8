"""An explanation as an object: its samples one by one, in words, as pictures, as files, and as notebooks show it.

What draws is imported where it is first asked for: who serves numbers loads none of it.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fgcompile.artifact.validation import Array, batch_size
from fgcompile.runtime.about import About, along_batch
from fgcompile.system.files import path_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from fgcompile.artifact.elements import ClassScore
    from fgcompile.drawing.palettes import Colormap
    from fgcompile.drawing.whole import Whole


class Depicted:
    """What an explanation does beside holding its numbers; these are the fields of the class that inherits it."""

    logits: Array | None
    saliency: Array | None
    saliency_by_input: Mapping[str, Array]
    target: Array | None
    contributions: Array | None
    residual: Array | None
    about: About | None

    def __len__(self) -> int:
        """The number of samples N."""
        if self.about is not None:
            return batch_size(self.about.inputs, self.about.metadata)
        arrays = (self.saliency, self.logits, self.target, self.contributions, self.residual)
        return next((len(each) for each in arrays if each is not None), 0)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Self]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, index: int | slice) -> Self:
        """One sample, or several: an explanation too, whose arrays keep their axis of the batch, as views.

        Raises:
            IndexError: There is no such sample.
            TypeError: It is neither a number nor a slice.
        """
        if not isinstance(index, slice):
            try:
                number = operator.index(index)
            except TypeError:
                raise TypeError(f"samples are taken by a number or a slice, not by a {type(index).__name__}") from None
            if not -len(self) <= number < len(self):
                raise IndexError(f"there is no sample {number}: the explanation has {len(self)}")
            index = slice(number % len(self), number % len(self) + 1)
        return self._take(index)

    def top(self, k: int = 5) -> tuple[ClassScore, ...]:
        """The best classes of one sample, best first: their ``index``, ``name`` and ``score``, the logit.

        Of an output of more axes they are those at the place of the explained element.

        Args:
            k: How many, at most.

        Raises:
            InputError: There are several samples, no logits, or what was explained is a score, of no class.
        """
        from fgcompile.runtime.depicting import best_of

        return best_of(self, k)

    def overlay(
        self,
        photo: Whole | None = None,
        *,
        input: str | None = None,
        names: Sequence[str] | None = None,
        alpha: float | None = None,
        colormap: Colormap | None = None,
        caption: bool = True,
    ) -> Image:
        """A picture of one sample under its map: a photo, a signal, slices of a volume, or the bars of a table.

        Of several targets their overlays side by side on one scale, and of two of them their difference.

        Args:
            photo: The whole photo, of which the artifact was given the middle: a picture of Pillow's, uint8
                ``(H, W, C)``, or a file. The map is drawn where it lies, at the photo's own size, and that part marked.
            input: Whose map, by name; None for the first that has one.
            names: Those of a table's numbers.
            alpha: How opaque the map is at its strongest, 0 to 1.
            colormap: ``"inferno"``, ``"viridis"``; of a signed map ``"orange-blue"``; or one of matplotlib's, by name.
            caption: Whether what is explained, its score and the scale of the colours stand below.

        Returns:
            An RGB image of Pillow's.

        Raises:
            InputError: There are several samples, no map, or an argument does not fit.
            MissingPackageError: The colour map is matplotlib's, which is not installed.
        """
        from fgcompile.runtime.depicting import Look, overlay

        return overlay(self, Look(photo, input, names, alpha, colormap), caption)

    def panel(
        self,
        photo: Whole | None = None,
        *,
        input: str | None = None,
        alpha: float | None = None,
        colormap: Colormap | None = None,
    ) -> Image:
        """Photo, map and overlay of one sample side by side, as ``fgcompile explain`` draws them.

        What is no photo, and several targets, are drawn as by ``overlay``, whose arguments and errors these are.
        """
        from fgcompile.runtime.depicting import Look, panel

        return panel(self, Look(photo, input, None, alpha, colormap))

    def beside(
        self,
        *others: Depicted,
        photo: Whole | None = None,
        alpha: float | None = None,
        colormap: Colormap | None = None,
    ) -> Image:
        """Maps of several classes of one input, side by side on one scale; of two also the first minus the second.

        Args:
            others: Explanations of the same input.
            photo: As in ``overlay``, as are the others.
            alpha: See there.
            colormap: See there.

        Raises:
            InputError: As ``overlay``; or they explain different inputs, or are maps of different kinds.
        """
        from fgcompile.runtime.depicting import Look, beside

        return beside([self, *others], Look(photo, None, None, alpha, colormap))

    def waterfall(self) -> Image:
        """From the input's term through those of the layers to the score, end to end; they add up.

        Layers are taken as deep in the module tree as gives at most 24 bars.

        Raises:
            InputError: There are several samples or targets, or the artifact does not compute contributions.
        """
        from fgcompile.runtime.depicting import waterfall

        return waterfall(self)

    def plot(
        self,
        axes: Any = None,
        *,
        photo: Whole | None = None,
        input: str | None = None,
        names: Sequence[str] | None = None,
        alpha: float | None = None,
        colormap: Colormap | None = None,
    ) -> Any:
        """What ``overlay`` draws, in matplotlib's axes and with its colour bar.

        Args:
            axes: Those to draw into; None for those of a new figure of pyplot's.
            photo: As in ``overlay``, as are the others.
            input: See there.
            names: See there.
            alpha: See there.
            colormap: See there.

        Returns:
            The axes.

        Raises:
            InputError: As ``overlay``; or there are several targets.
            MissingPackageError: matplotlib is not installed.
        """
        from fgcompile.runtime.depicting import Look, plot

        return plot(self, axes, Look(photo, input, names, alpha, colormap))

    def save(self, folder: str | Path, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Writes each sample's picture, ``NAME-explained.png``, and map, ``NAME-saliency.npy``, and what they show.

        Maps are ``(*spatial)``, of several targets ``(T, *spatial)``.

        Args:
            folder: Created if need be; files of these names are written over.
            names: Of the samples; by default those of the files that were explained, without suffix, else ``0``, ``1``
                and so on.

        Returns:
            What ``explanations.json`` holds, a record for each sample: the names of both files, ``target``, ``name``,
            ``score`` and ``top``; of several targets those of each in ``explained``.

        Raises:
            InputError: There is no map; or not a name for each sample, or one that is no file's, or twice.
            OutputError: The folder cannot be written.
        """
        from fgcompile.runtime.depicting import save

        return save(self, path_of(folder, "folder"), names)

    def _repr_png_(self) -> bytes | None:
        """The first samples as a notebook shows them; None of what cannot be drawn, which is then shown as a line."""
        from fgcompile.runtime.notebooks import as_png

        return as_png(self)

    def _repr_html_(self) -> str | None:
        """The same with the best classes in words; None of what cannot be drawn."""
        from fgcompile.runtime.notebooks import as_html

        return as_html(self)

    def _take(self, index: slice) -> Self:
        """Some of the samples."""
        assert dataclasses.is_dataclass(self)
        names = [each.name for each in dataclasses.fields(self)]
        return dataclasses.replace(self, **{name: self._taken(name, getattr(self, name), index) for name in names})

    def _taken(self, name: str, value: Any, index: slice) -> Any:
        """Those of a field. Its arrays have the samples where the artifact's outputs have them; others in front."""
        specs = {} if self.about is None else {spec["name"]: spec for spec in self.about.metadata["outputs"]}
        if value is None or isinstance(value, About):
            return None if value is None else value.take(index)
        if isinstance(value, Mapping):
            own = specs if name == "outputs" else {}
            return {key: along_batch(each, index, own.get(key)) for key, each in value.items()}
        if isinstance(value, tuple):
            known = [spec for each, spec in specs.items() if each.startswith(f"{name}.")]
            return tuple(along_batch(each, index, spec) for each, spec in zip_longest(value, known))
        return along_batch(value, index, specs.get(name))
