"""What ``benchmarks.scaling`` goes through."""

from __future__ import annotations

from dataclasses import dataclass

THREADS = 1
COMPILING = "compiling"
LENGTH = "length"
RECURRENT = "recurrent"


@dataclass(frozen=True)
class Point:
    """A network, a batch, and the height and width of the input."""

    model: str
    batch: int
    size: int


@dataclass(frozen=True)
class Sweep:
    """Measurements of which one thing differs.

    Attributes:
        name: On the command line and in file names.
        title: Above the table.
        axis: What differs, the heading of its column.
        points: What is measured, by what differs, as the table shows it.
    """

    name: str
    title: str
    axis: str
    points: dict[int, Point]


RESNETS = {depth: f"resnet{depth}" for depth in (18, 34, 50, 101, 152)}

SWEEPS = (
    Sweep(
        "batch",
        "ResNet-18 by batch",
        "batch",
        {batch: Point("resnet18", batch, 224) for batch in (1, 2, 4, 8, 16, 32)},
    ),
    Sweep(
        "size",
        "ResNet-18 by height and width of the image, batch 1",
        "height and width",
        {size: Point("resnet18", 1, size) for size in (112, 160, 224, 320, 448)},
    ),
    Sweep(
        "depth",
        "ResNet by depth, batch 1",
        "layers",
        {depth: Point(model, 1, 224) for depth, model in RESNETS.items()},
    ),
)

COMPILED = (*RESNETS.values(), "vit_s_16", "vit_b_16", "vit_l_16", "resnet18.pt2", "vit_s_16.pt2")
"""The networks whose compilation is measured, to ONNX unless they name another format."""

LENGTHS = (8_000, 16_000, 32_000, 64_000)
"""The lengths of the signals for which a network is compiled."""

UNROLLED = {"BiLSTM": (8, 16, 32, 64), "CRNN": (8, 16, 32)}
"""The steps to which recurrent networks are unrolled."""
