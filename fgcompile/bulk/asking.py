"""What is asked of every image, and whether the artifact can be asked it; nothing here needs Ray or a runtime."""

from __future__ import annotations

from fgcompile.artifact.elements import output_axes, plain
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.questions import PREDICTED
from fgcompile.artifact.wishes import Wish, needs_logits
from fgcompile.errors import InputError
from fgcompile.media.asking import choose
from fgcompile.media.tiles import require_tiles
from fgcompile.pictures.images import photo_shape, require_any_size
from fgcompile.pictures.reading import TILE, WHOLE, Reading

_NO_MAP = "this artifact does not compute a class's logits and map: compile it with both outputs"


def read_question(metadata: Metadata, target: Wish, reading: Reading) -> tuple[int, ...] | None:
    """The element that is explained of every image; None for the predicted one, or the artifact's own.

    Raises:
        InputError: There is none such, or each image would have another; or the artifact takes no photos, not as they
            are read, or explains nothing of each.
    """
    photo_shape(metadata)
    require_maps(metadata)
    if reading.fit == WHOLE:
        require_any_size(metadata)
    if reading.fit == TILE:
        require_tiles(metadata)
    return read_target(target, metadata)


def require_maps(metadata: Metadata) -> None:
    """Passes artifacts that explain one class, one element of an output, or one score of each photo.

    Raises:
        InputError: Says what is wrong.
    """
    missing = {"logits", "saliency"} - {spec["name"] for spec in metadata["outputs"]}
    if missing or not (metadata["target"] == "score" or output_axes(metadata)):
        raise InputError(_NO_MAP)
    if (count := metadata.get("targets")) is not None:
        what = f"{count} targets" if isinstance(count, int) else "any number of targets"
        raise InputError(
            f"this artifact explains {what} in a call, and a row has one: compile it without targets for a bulk "
            "run, or explain single photos"
        )


def read_target(target: Wish, metadata: Metadata) -> tuple[int, ...] | None:
    """The element that is explained of every image.

    Raises:
        InputError: There is none such, or each image would have another.
    """
    elements = choose(metadata, target, None, None).elements
    if not elements or set(elements[0]) == {PREDICTED}:
        return None
    if needs_logits(elements[0]):
        raise InputError(
            f"target {plain(elements[0])} leaves an index to each image: give all, or -1 in the last place or in all"
        )
    return elements[0]
