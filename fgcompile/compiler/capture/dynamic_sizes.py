"""Which sizes of space a model lets vary: found out by running it on larger inputs than the example.

Every spatial axis of every input of rank 3 to 5 gets a dimension of its own. Where the model runs at any size, that is
all. A network that halves its maps and joins them again after doubling (a U-Net) takes multiples of a power of two
only, so its dimensions are that factor times a name. Where the axes of several inputs have to agree, those of one
example size share a dimension.

A model that does not take its images or signals at other sizes may take sequences of another length, ``(N, L, C)`` or
token ids ``(N, L)``: then that is the dimension.

What a score takes of its own has the sizes of the examples, or, where that does not run, follows the inputs' sizes: a
mask ``(N, H, W)`` those of an image of that height and width.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from fgcompile.compiler.capture.binding import model_name
from fgcompile.compiler.capture.layer_runs import Failure, LayerRun, run_layers
from fgcompile.compiler.capture.scored import PREFIX
from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.sizes import SPACE, hint, is_fixed, repeated
from fgcompile.compiler.ir.torch_internals import evaluated, symbol_of
from fgcompile.errors import CaptureError, FgcompileError, InputError, first_line

FACTORS = (1, 2, 4, 8, 16, 32, 64)
"""What sizes may have to be a multiple of."""

Place = tuple[int, int]
"""An axis of an input: the input's position, and the axis."""

Group = tuple[Any, ...]
Free = dict[Place, tuple[Group, int]]
"""The axes that vary: those of one group together, each by multiples of its factor."""

Sizes = list[dict[int, Any]]
"""For each input, the dimension of each of its dynamic axes, as ``torch.export`` takes them."""


def find_dynamic_sizes(model: nn.Module, examples: Sequence[Tensor], own: int = 0) -> Sizes:
    """The dimensions of the inputs' spatial axes, as free as the model allows.

    Args:
        model: The model, with its score.
        examples: Of all inputs.
        own: How many of the last are the score's own.

    Raises:
        CaptureError: Names the layer that fixes a size.
        InputError: No input has spatial axes, or the example is not of a size that the model can vary.
    """
    return _dimensions(len(examples), _find_free(model, examples, own))


def enlarge(model: nn.Module, examples: Sequence[Tensor], own: int = 0) -> tuple[Tensor, ...]:
    """The examples, larger by a quarter and more along each axis that varies; raises as ``find_dynamic_sizes``."""
    with torch.no_grad():
        free = _find_free(model, examples, own)
    steps = {
        (index, axis): (group, factor * max(1, examples[index].shape[axis] // (4 * factor)))
        for (index, axis), (group, factor) in free.items()
    }
    return tuple(_enlarged(examples, steps))


def _find_free(model: nn.Module, examples: Sequence[Tensor], own: int) -> Free:
    """The axes that vary.

    Raises:
        CaptureError: Names the layer that fixes a size.
        InputError: No input has spatial axes, or the example is not of a size that the model can vary.
    """
    spatial, sequential = (
        [(index, axis) for index, value in enumerate(examples[: len(examples) - own]) for axis in of(value)]
        for of in (spatial_axes, sequence_axes)
    )
    found, failure = _free(model, examples, spatial, own) if spatial else (None, None)
    if found is None and sequential != spatial:
        found, of_lengths = _free(model, examples, sequential, own, FACTORS[:1])
        failure = failure or (of_lengths if any(map(_is_of_ids, examples)) else None)
    found = _more(model, examples, found or {}, own)
    if found:
        _require_multiples(_name(model), examples, found)
        return found
    if failure is None:
        raise InputError("dynamic_sizes makes the sizes of space dynamic, and no input has any: leave it out")
    layer, error = failure
    if isinstance(error, FgcompileError):  # the score's
        raise CaptureError(
            f"the score does not take the output at other sizes than the examples' ({error}): leave out dynamic_sizes, "
            "or give a score whose own inputs are of an input's size, or of none"
        ) from error
    shorter = [value[:, : (value.shape[1] + 1) // 2] if _is_of_ids(value) else value for value in examples]
    if any(map(_is_of_ids, examples)) and _more(model, shorter, {}, own):
        longest = max(value.shape[1] for value in examples if _is_of_ids(value))
        raise InputError(
            f"{_name(model)} takes no text longer than the example's {longest} ('{layer}': "
            f"{first_line(error)}): pass an example of half that length to compile with dynamic_sizes"
        )
    raise CaptureError(
        f"'{layer}' fixes the size of the input, so it cannot be dynamic ({first_line(error)}): "
        "leave out dynamic_sizes, or pool to a fixed size in front of it"
    ) from error


def _name(model: nn.Module) -> str:
    """The user's own model's."""
    part: Any = model
    while hasattr(part, PREFIX):
        part = getattr(part, PREFIX)
    return model_name(part)


def _free(
    model: nn.Module, examples: Sequence[Tensor], axes: Sequence[Place], own: int, factors: Sequence[int] = FACTORS
) -> tuple[Free | None, Failure | None]:
    """These axes, if all of them vary at once; or None, and the layer that fixes a size, and why."""
    failure = None
    following = _following(examples, axes, own)
    for factor in factors:
        for shared, followers in itertools.product((False, True), ({}, following) if following else ({},)):
            free = {place: (_group(place, examples, shared), factor) for place in axes}
            free |= {place: free[source] for place, source in followers.items()}
            failure = _run(model, examples, free)
            if failure is None:
                return free, None
    return None, failure


def _following(examples: Sequence[Tensor], axes: Sequence[Place], own: int) -> dict[Place, Place]:
    """For each axis of a score's own inputs that is called as one of these, and is as long, that one."""
    sources = {_group(place, examples, shared=True): place for place in reversed(axes)}
    places = [(index, axis) for index in range(len(examples) - own, len(examples)) for axis in _behind(examples[index])]
    # Without channels: (N, H, W) of an image, (N, L) of a sequence.
    named = {
        place: (SPACE[examples[place[0]].ndim - 1][place[1] - 1], examples[place[0]].shape[place[1]])
        for place in places
    }
    return {place: sources[name] for place, name in named.items() if name in sources}


def _behind(value: Tensor) -> range:
    return range(1, value.ndim) if value.ndim - 1 in SPACE else range(0)


def _more(model: nn.Module, examples: Sequence[Tensor], free: Free, own: int) -> Free:
    """The axes with those of further inputs that vary beside them.

    A model that listens and writes takes a sound of one length and texts of any; one of pictures and their captions
    may fix the pictures' size.
    """
    for axes, factors in _units(examples[: len(examples) - own]):
        taken = {index for index, _ in free}
        rest = [place for place in axes if place[0] not in taken]
        for factor in factors if rest else ():
            more = {**free, **{place: (_group(place, examples, True), factor) for place in rest}}
            if _run(model, examples, more, free) is None:
                free = more
                break
    return free


def _units(examples: Sequence[Tensor]) -> Iterator[tuple[list[Place], Sequence[int]]]:
    """What may vary by itself, and by what factors: ids of one length, then each input's space, then its length."""
    ids = [index for index, value in enumerate(examples) if _is_of_ids(value)]
    for length in dict.fromkeys(examples[index].shape[1] for index in ids):
        yield [(index, 1) for index in ids if examples[index].shape[1] == length], FACTORS[:1]
    for index, value in enumerate(examples):
        yield [(index, axis) for axis in spatial_axes(value)], FACTORS
    for index, value in enumerate(examples):
        if value.ndim in SEQUENCES and (index in ids or value.ndim == max(SEQUENCES)):
            yield [(index, 1)], FACTORS[:1]


def _is_of_ids(value: Tensor) -> bool:
    """Whether an input has one whole number, or truth, at every place of a sequence."""
    return value.ndim == min(SEQUENCES) and not value.is_floating_point()


def sequence_axes(value: Tensor) -> range:
    """The axis behind the batch, of sequences and ids; of images and volumes as ``spatial_axes``."""
    return range(1, 2) if value.ndim in SEQUENCES else spatial_axes(value)


SEQUENCES = (2, 3)
"""The ranks that sequences have."""


def spatial_axes(value: Tensor) -> range:
    """The axes behind batch and channels, of an input that has at most three."""
    return range(2, value.ndim) if value.ndim - 2 in SPACE else range(0)


LARGER_BY = (1, 2, 3, 5, 7, 16, 64, 1000)
"""Steps from the example's sizes at which a derived size is looked at."""


def _group(place: Place, examples: Sequence[Tensor], shared: bool) -> Group:
    """What tells one dimension from another: the axis itself, or its name and size."""
    index, axis = place
    value = examples[index]
    name = SPACE[value.ndim - 2][axis - 2] if axis > 1 else SPACE[1][0]
    return (name, value.shape[axis]) if shared else place


def _enlarged(examples: Sequence[Tensor], free: Free, by: Mapping[Group, int] | None = None) -> list[Tensor]:
    """The inputs, each dimension larger by another odd multiple of its factor, so that none agree by chance.

    Those of some groups are no larger ``by`` 0, and by 2 twice as large beside that.
    """
    order = _groups(free)
    sizes = [list(value.shape) for value in examples]
    for (index, axis), (group, factor) in free.items():
        times = (by or {}).get(group, 1)
        more = examples[index].shape[axis] // factor if times > 1 else 0
        sizes[index][axis] += factor * (more + 2 * order.index(group) + 1) if times else 0
    return [repeated(value, size) for value, size in zip(examples, sizes, strict=True)]


def _groups(free: Free) -> list[Group]:
    return list(dict.fromkeys(group for group, _ in free.values()))


def _run(model: nn.Module, examples: Sequence[Tensor], free: Free, known: Collection[Place] = ()) -> Failure | None:
    """Why the model does not run on larger inputs; None where it does.

    Where a larger image makes nothing larger that a layer returns, it is made twice as large too, unless it is
    ``known``: patches leave out what is none, and a few pixels more are none.
    """
    run = run_layers(model, _enlarged(examples, free))
    for index, value in enumerate(examples):
        space = [(index, axis) for axis in spatial_axes(value)]
        added = {free[place][0] for place in space if place in free and place not in known}
        if run.failure is None and added and _is_left_out(model, examples, free, added, run):
            run = run_layers(model, _enlarged(examples, free, dict.fromkeys(added, 2)))
    return run.failure


def _is_left_out(
    model: nn.Module, examples: Sequence[Tensor], free: Free, added: Collection[Group], run: LayerRun
) -> bool:
    """Whether all layers return what they do without these groups' being larger."""
    return run_layers(model, _enlarged(examples, free, dict.fromkeys(added, 0))).shapes == run.shapes


def _require_multiples(name: str, examples: Sequence[Tensor], free: Free) -> None:
    for (index, axis), (_, factor) in free.items():
        size = examples[index].shape[axis]
        if size % factor or size < 2 * factor:
            raise InputError(
                f"{name} takes sizes in steps of {factor}, and axis {axis} of the example has {size}: "
                f"pass an example of a multiple of {factor}, at least {2 * factor}"
            )


def _dimensions(count: int, free: Free) -> Sizes:
    """Without a factor torch.export finds out by itself which sizes are equal; a multiple has to be given a name."""
    order = _groups(free)
    named = {
        group: factor * Dim(f"size{order.index(group)}", min=2) if factor > 1 else Dim.AUTO
        for group, factor in free.values()
    }
    sizes: Sizes = [{} for _ in range(count)]
    for (index, axis), (group, _) in free.items():
        sizes[index][axis] = named[group]
    return sizes


def require_varied(exported: ExportedProgram, free: Sizes, name: str) -> ExportedProgram:
    """The exported program, whose sizes that were to be dynamic are.

    Raises:
        CaptureError: Names the input that has one that is not.
    """
    names = exported.graph_signature.user_inputs
    nodes = [node for node in exported.graph.find_nodes(op="placeholder") if node.name in names]
    for node, dimensions in zip(nodes, free, strict=True):
        if any(is_fixed(node.meta["val"].shape[axis]) for axis in dimensions):
            raise CaptureError(_fixes(name, f"the size of its input '{node.name}'", _recurrent_layer(exported)))
    return exported


def _recurrent_layer(exported: ExportedProgram) -> str | None:
    """The name of a recurrent layer of PyTorch's, which export writes out step by step."""
    for node in exported.graph.nodes:
        for path, kind in (node.meta.get("nn_module_stack") or {}).values():
            if str(kind).startswith("torch.nn.modules.rnn."):
                return str(path)
    return None


def require_free_sizes(captured: CapturedProgram) -> None:
    """Refuses a captured program that fixes the spatial sizes of its inputs, or whose example shrinks to one place.

    Raises:
        CaptureError: No size is dynamic.
        InputError: A dynamic size is 1 somewhere, at which PyTorch broadcasts instead.
    """
    graph = captured.graph_module.graph
    inputs = graph.find_nodes(op="placeholder")[: len(captured.inputs)]
    if all(is_fixed(size) for node in inputs for size in node.meta["val"].shape[1:]):
        raise CaptureError(_fixes(captured.name, f"the spatial size of its input '{inputs[0].name}'"))
    sizes = [size for node in inputs for size in node.meta["val"].shape if not is_fixed(size)]
    for node in graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, Tensor) and any(_is_one_here(size, sizes) for size in value.shape[1:]):
            raise InputError(
                f"the example is so small that a size is 1 at '{layer_name(node)}', where PyTorch takes another way: "
                "pass a larger example to compile with dynamic_sizes"
            )


def _is_one_here(size: Any, sizes: Sequence[Any]) -> bool:
    """Whether a size is 1 at the example's, and another at some that are larger: what is 1 anyway is no matter."""
    if is_fixed(size) or hint(size) != 1:
        return False
    example = {symbol_of(own): hint(own) // evaluated(own, {symbol_of(own): 1}) for own in sizes}
    return any(
        evaluated(size, {symbol: number + step for symbol, number in example.items()}) != 1 for step in LARGER_BY
    )


def _fixes(name: str, what: str, recurrent: str | None = None) -> str:
    if recurrent is not None:
        return (
            f"{name} fixes {what}: its recurrent layer '{recurrent}' is written out step by step, as many as the "
            "example has: leave out dynamic_sizes, and compile one artifact for each length"
        )
    return (
        f"{name} fixes {what}: leave out dynamic_sizes, or write sizes as x.shape[2:] instead of numbers "
        "(an exported program has to be exported with dynamic sizes)"
    )
