"""The values that stages exchange, from the captured model to the fused program. Frozen, typed, no behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.artifact.names import EXPLAIN
from fgcompile.compiler.ir.torch_internals import pytree

Shape = tuple[int | str, ...]
"""A static shape whose dynamic dimensions are names, e.g. ``("batch", 3, 224, 224)``."""


@dataclass(frozen=True)
class IndexedAxis:
    """An axis that the values of an integer input index.

    Attributes:
        size: Its size, or which axis of which input has that size, both by position.
        from_end: Whether negative values count from its end.
        part: The part of the input that does: along which of its axes, from where, and up to where. None for all.
        offset: What is added to a value before it is the index.
        ignored: A value that indexes nothing, as a loss leaves it out.
    """

    size: int | tuple[int, int]
    from_end: bool
    part: tuple[int, int, int] | None = None
    offset: int = 0
    ignored: int | None = None


@dataclass(frozen=True)
class CapturedProgram:
    """A model as one flat graph of ATen operators ``f(*inputs)``, its parameters and buffers held as attributes.

    Attributes:
        graph_module: The graph; each node's ``meta["val"]`` is a fake tensor with symbolic dynamic dimensions.
        inputs: The names of the model's inputs, in call order.
        output_spec: How the flat outputs are put back together into the model's own structure.
        name: The model's class, for messages and metadata.
        score_inputs: The names of the inputs of the score's own, behind the model's.
        scored: Whether the output is a pair of the model's and the score ``(N,)``.
        indexed: For each input, the model's first, the axes that its values index.
        longest: For each input, the batch in front, the largest size of each axis that has one.
        tables: The layers that read a table at what is computed of the inputs' values, and how many places it has.
        names: What the artifact calls the model's inputs.
        batch_axes: Where the user, and the artifact, has the batch of each of them; here all have it in front.
        output_constants: The outputs that are no tensors, such as None in place of a loss, by their places in the spec.
        other_below: Sizes, by their names in the inputs' shapes, at and below which the graph is not the model.
        explained: Of a file, the tensor that is explained, in words.
        fixed: Of a file, its inputs that are constants.
        normalised: The layers that normalise by their input's own statistics on the way to the score.
        choice: Why rules and ψ are not the paper's, in words, where that was left to the compiler.
        weights: The dtype that the model has its weights in, where that is half precision.
        random: Whether they are known to be random.
    """

    graph_module: fx.GraphModule
    inputs: tuple[str, ...]
    output_spec: pytree.TreeSpec
    name: str
    score_inputs: tuple[str, ...] = ()
    scored: bool = False
    indexed: tuple[tuple[IndexedAxis, ...], ...] = ()
    longest: tuple[Mapping[int, int], ...] = ()
    tables: tuple[tuple[str, int], ...] = ()
    names: tuple[str, ...] = ()
    batch_axes: tuple[int, ...] = ()
    output_constants: Mapping[int, Any] = field(default_factory=dict)
    other_below: tuple[Mapping[str, int], ...] = ()
    explained: str | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    normalised: tuple[str, ...] = ()
    choice: str | None = None
    weights: str | None = None
    random: bool = False


@dataclass(frozen=True)
class BiasTerm:
    """One bias ``b`` of a site; its full-gradient term is ``δ ⊙ b``.

    Attributes:
        name: Qualified name, e.g. ``"layer1.0.conv1.bias"`` or ``"features.2.relu6"``.
        kind: The family it comes from, e.g. ``"convolution"``, ``"batch_norm"``, ``"activation"``.
        input: The bias input that holds the value, or None where the value is computed from the node.
        channel_axis: The axis of the site's output that a one-dimensional bias input runs along; None where
            the bias broadcasts by the trailing axes.
        affine: Whether the operator is affine in the model's input, so that the bias is made of parameters alone.
    """

    name: str
    kind: str
    input: str | None = None
    channel_axis: int | None = None
    affine: bool = True


@dataclass(frozen=True)
class Batch:
    """The axis of a value that runs along the batch: ``factor`` of its entries belong to each sample.

    Attributes:
        axis: The axis.
        factor: Entries per sample; None where it follows a dynamic size, so that it has to be read off a value.
        major: Whether a sample's entries are side by side.
        at_size: Whether the factor was read off a value, where it may be 1 and still is an axis of the placements.
    """

    axis: int
    factor: int | None
    major: bool
    at_size: bool = False


@dataclass(frozen=True)
class Cells:
    """Which cells the places of a value are, where sizes are dynamic and several axes of the grid may share one.

    Attributes:
        before: For each axis of places, how many entries before the first have no cell.
        runs: For each, the axes of the grid that run along it, the slowest first.
        repeats: For each, how many entries side by side are one cell, as a token's are once for each of its experts.
        sizes: The number of cells along each axis of the grid, symbols of the graph's inputs among them.
    """

    before: tuple[int, ...]
    runs: tuple[tuple[int, ...], ...]
    repeats: tuple[int, ...]
    sizes: tuple[int | torch.SymInt, ...]


@dataclass(frozen=True)
class Placement:
    """How the elements of a value, ``factor`` in front and then all axes but the batch's, lie over an input.

    Attributes:
        input: The input's name.
        pattern: The layout in words, e.g. ``"n c h w"`` or ``"n (1 + h w) c"``.
        batch: Where the samples are.
        channels: The axes, of those above, that add up within a place.
        places: The axes that run over places.
        order: Which places, flattened, fill the cells of the grid, row by row and once over for each place of a cell;
            None for all of them in their order.
        grid: The number of cells along each spatial axis of the input, at the example's size.
        axes: Which of the axes above makes each axis of the grid, None for a single cell; None in all where the places
            are not the grid itself, so that its size cannot be dynamic.
        cells: Where sizes are dynamic and the places are not the grid itself, how they fill it.
    """

    input: str
    pattern: str
    batch: Batch
    channels: tuple[int, ...]
    places: tuple[int, ...]
    order: tuple[int, ...] | None
    grid: tuple[int, ...]
    axes: tuple[int | None, ...] | None = None
    cells: Cells | None = None


@dataclass(frozen=True)
class Site:
    """A place in the graph where biases enter: the gradient ``δ`` of the score with respect to ``node``'s output.

    Attributes:
        name: The layer's qualified name; a second call of a shared layer is ``name:2``.
        kind: The family of the operator, e.g. ``"convolution"`` or ``"activation"``.
        node: The graph node whose output is the site.
        shape: The output's shape, e.g. ``("batch", 64, 56, 56)``.
        layout: How its axes lie over the input, e.g. ``"n c h w"``; ``"none"`` where its terms enter no map.
        terms: The biases that share this site's gradient.
        batch: Where the samples are.
        placements: For each input over which its elements lie, how.
        astray: Whether it has several axes and none of them a place, though a site that depends on it has.
    """

    name: str
    kind: str
    node: str
    shape: Shape
    layout: str
    terms: tuple[BiasTerm, ...]
    batch: Batch = Batch(0, 1, True)
    placements: tuple[Placement, ...] = ()
    astray: bool = False


@dataclass(frozen=True)
class ImplicitBias:
    """How a site's input-dependent bias is computed: the operator's call before its offset was added.

    Attributes:
        node: The node ``y = g(a_1 … a_k)`` in the rewritten graph (for an operator with several outputs, the
            ``getitem`` that picks ``y``).
        formula: Maps an ``Application`` (see ``fgcompile.compiler.biases``) to ``b_g`` but for a factor.
        factor: The number, not 0, that it is to be multiplied by.
    """

    node: str
    formula: Callable[..., Tensor]
    factor: float = 1.0


@dataclass(frozen=True)
class BiasedProgram:
    """A model with every bias term an explicit input: ``f(*inputs, *biases)``.

    With ``biases`` at their defaults it equals the model. Affine sites take their bias vector; sites whose bias
    depends on the input take an offset, zero by default, that is added to their output.

    Attributes:
        graph_module: The rewritten graph, callable as ``graph_module(*inputs, *biases.values())``.
        inputs: The names of the model's inputs, in call order.
        biases: The bias inputs' names and default values, in call order.
        sites: Every site, in the order of the graph.
        implicit: For each site with an input-dependent bias, how to compute it.
        sources: The bias inputs, zero by default, at which gradients of integer inputs end: their embeddings.
        maps: For each input that has a spatial layout, its own placement.
        output_spec: How the flat outputs are put back together.
        name: The model's class.
        score_inputs: The names of the inputs of the score's own, between the model's and the biases.
        scored: Whether the output is a pair of the model's and the score ``(N,)``.
        gradient_scale: A power of two that gradients bear on their way through half precision, and are freed from at
            the end.
        names: What the artifact calls the model's inputs; as ``inputs`` if it is empty.
        batch_axes: Where the artifact has the batch of each of them, if not in front.
        output_constants: As captured.
        other_below: As captured.
    """

    graph_module: fx.GraphModule
    inputs: tuple[str, ...]
    biases: Mapping[str, Tensor]
    sites: tuple[Site, ...]
    implicit: Mapping[str, ImplicitBias]
    sources: tuple[str, ...]
    maps: tuple[Placement, ...]
    output_spec: pytree.TreeSpec
    name: str
    score_inputs: tuple[str, ...] = ()
    scored: bool = False
    gradient_scale: float = 1.0
    names: tuple[str, ...] = ()
    batch_axes: tuple[int, ...] = ()
    output_constants: Mapping[int, Any] = field(default_factory=dict)
    other_below: tuple[Mapping[str, int], ...] = ()


@dataclass(frozen=True)
class ValueSpec:
    """Name, dtype and shape of an input or output, e.g. ``ValueSpec("x", "float32", ("batch", 3, 224, 224))``.

    Attributes:
        name: Its name.
        dtype: As NumPy names it.
        shape: Its shape.
        default: The value of an input that may be left out.
        example: An input's shape for one sample of the example's sizes, where some besides the batch are dynamic.
        smallest: The least of such sizes that the artifact takes, likewise, where there is one.
    """

    name: str
    dtype: str
    shape: Shape
    default: Tensor | None = None
    example: tuple[int, ...] | None = None
    smallest: tuple[int, ...] | None = None


@dataclass(frozen=True)
class FusedProgram:
    """Forward, backward and aggregation as one flat graph without autograd: what a back end emits.

    Attributes:
        graph_module: The graph; constants are attributes, placeholders are ``inputs``, outputs are ``outputs``.
        inputs: The specs of the placeholders, in order.
        outputs: The specs of the outputs, in order.
        sites: The sites whose terms enter the explanation, in the order of ``contributions``.
        dtype: The floating dtype that it computes in.
        asked: The sizes of the output's axes that its input ``target`` indexes, if it takes one.
        questions: How many targets a call has for each sample, ``"dynamic"`` for any number; None where it has one, and
            no axis for it.
        on_demand: Whether the artifact computes the explanation only where its input ``explain`` is true. The graph
            computes it always: back ends divide it (``fgcompile.compiler.backends.divide``).
        prediction: Of a quantised file the graph of ONNX, serialised, that computes the logits on demand by the file's
            own operators; its inputs are the first of these.
        tokenizer: The JSON of a text model's tokenizer, which the artifact keeps; None where it keeps none.
        external_data: Whether the weights of an ONNX artifact are to lie beside it, however few they are.
        batch: How many samples the artifact takes in a call, where it is one number; its specs name the batch all the
            same, which tells where the samples are.
        metadata: What the artifact says of itself (``fgcompile.artifact.file``); filled by the pipeline.
    """

    graph_module: fx.GraphModule
    inputs: tuple[ValueSpec, ...]
    outputs: tuple[ValueSpec, ...]
    sites: tuple[Site, ...]
    dtype: torch.dtype
    asked: Shape = ()
    questions: int | str | None = None
    on_demand: bool = False
    prediction: bytes | None = None
    tokenizer: str | None = None
    external_data: bool = False
    batch: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def artifact_inputs(self) -> tuple[ValueSpec, ...]:
        """The specs of the artifact's inputs: the graph's, and ``explain`` in front of those that may be left out."""
        if not self.on_demand:
            return self.inputs
        required = tuple(spec for spec in self.inputs if spec.default is None)
        return (*required, ValueSpec(EXPLAIN, "bool", ()), *self.inputs[len(required) :])


def without_graph(program: FusedProgram) -> FusedProgram:
    """What is left of a program that has been emitted: all but its graph, which holds the weights."""
    return replace(program, graph_module=fx.GraphModule({}, fx.Graph()))
