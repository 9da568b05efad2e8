"""What ``Session.explain_text`` returns: the numbers of a text, and what shows them in words, pictures and files.

What draws is imported where it is first asked for: who serves numbers loads none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from fgcompile.system.files import path_of
from fgcompile.system.text import brief, visible
from fgcompile.text.explained import ExplainedText

if TYPE_CHECKING:
    from PIL.Image import Image

_SHOWN, _LONGEST = 3, 60


@dataclass(frozen=True, repr=False)
class TextExplanation(ExplainedText):
    """A text, what the model says of it, and which words say so.

    A notebook shows its words in their colours. ``strongest()`` has them in numbers, ``overlay()`` is a picture,
    ``save(folder)`` writes what ``fgcompile explain`` does.
    """

    def __repr__(self) -> str:  # in a line, not every token
        score = "" if self.score is None else f" {self.score:.2f}"
        words = [f"{_short(word.text)} {word.score:+.3g}" for word in self.strongest(_SHOWN)]
        texts = " | ".join(map(_short, self.texts))
        count = f"{len(self.words)} word{'s' * (len(self.words) != 1)}"
        return f"TextExplanation({texts!r}, {_short(self.name)}{score}, {count}: {', '.join(words)})"

    def overlay(self) -> Image:
        """The text with the colours of its tokens behind it, what is explained above, and the scale below.

        Returns:
            An RGB image of Pillow's, 900 pixels wide; of a text of more than 400 lines the first.
        """
        from fgcompile.text.drawn.picture import draw_text

        return draw_text(self)

    def plot(self, axes: Any = None) -> Any:
        """What ``overlay`` draws, in matplotlib's axes.

        Args:
            axes: Those to draw into; None for those of a new figure of pyplot's.

        Returns:
            The axes.

        Raises:
            MissingPackageError: matplotlib is not installed.
        """
        from fgcompile.drawing.plot import plot_picture

        return plot_picture(self.overlay(), axes)

    def save(self, folder: str | Path) -> list[dict[str, Any]]:
        """Writes ``explained.html``, a page that works offline, ``explained.json``, and the picture ``text-1.png``.

        Args:
            folder: Created if need be; files of these names are written over.

        Returns:
            What ``explained.json`` holds: one record, ``as_dict`` with the paths ``page`` and ``picture``.

        Raises:
            OutputError: The folder cannot be written.
        """
        return TextExplanations([self]).save(folder)

    def _repr_html_(self) -> str:
        """The text in its colours, on whatever background the notebook has; a long one is cut."""
        return TextExplanations([self])._repr_html_()


class TextExplanations(list[TextExplanation]):
    """Those of several texts: a list, which a notebook shows in colours and ``save`` writes to one folder."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> TextExplanation: ...

    @overload
    def __getitem__(self, index: slice, /) -> TextExplanations: ...

    def __getitem__(self, index: SupportsIndex | slice, /) -> TextExplanation | TextExplanations:
        """One, or some of them."""
        return TextExplanations(super().__getitem__(index)) if isinstance(index, slice) else super().__getitem__(index)

    def save(self, folder: str | Path) -> list[dict[str, Any]]:
        """Writes one page and one JSON of all, as ``TextExplanation.save`` of one, and a picture of each.

        These are ``text-1.png``, ``text-2.png`` and so on.

        Args:
            folder: As there.

        Returns:
            A record for each.

        Raises:
            InputError: There are none.
            OutputError: The folder cannot be written.
        """
        from fgcompile.text.drawn.files import save

        return save(self, path_of(folder, "folder"))

    def _repr_html_(self) -> str:
        """The first four."""
        from fgcompile.text.drawn.notebook import as_html

        return as_html(self)


def _short(text: str) -> str:
    text = visible(text)
    return text if len(text) <= _LONGEST else f"{brief(text, _LONGEST)}…"
