"""What a server costs beside the bare session: one client, one call at a time, over gRPC and REST.

    python -m benchmarks.serving.latency [--repeats 60]

Needs the extras ``cpu``, ``demo`` and ``serve`` and the group ``test``; writes ``results/serving_latency.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import tritonclient.grpc as grpc
import tritonclient.http as http

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.serving.served import PACKAGES, PREDICTED_ONE, as_inputs, compile_lite0, serving
from fgcompile.artifact.validation import Array
from fgcompile.bench.timing import Call, Latency
from fgcompile.bench.timing import measure as time_in_turns

HEADER = ["artifact takes", "request", "answer", "way", "median", "p95", "÷ session", "spread"]
LEGEND = """\
EfficientNet-Lite0, batch 1, logits and map, one thread for the model. All in turns: each round asks the session in the
benchmark's own process, then the server over gRPC and over REST, `tritonclient` on the other side, tensors as bytes.

- *request*, *answer*: bytes of the tensors.
- *÷ session*: the median divided by the session's; *spread*: interquartile range ÷ median.

What gRPC and REST add is a matter of bytes, not of the network: the larger the network, the nearer to 1."""


def measure(folder: Path, raw: bool, repeats: int) -> Iterator[list[str]]:
    """The rows of one artifact."""
    path, photos = compile_lite0(folder, raw)
    x = photos[:1]
    with serving(path, folder / "log", "--threads", "1") as server:
        session = fgcompile.load(path, threads=1)
        over_grpc = grpc.InferenceServerClient(server.grpc)
        over_rest = http.InferenceServerClient(server.rest)
        calls: dict[str, Call] = {
            "session": partial(session.explain, x),
            "gRPC": partial(_ask, over_grpc, server.name, grpc, x),
            "REST": partial(_ask, over_rest, server.name, http, x),
        }
        latencies = time_in_turns(calls, rounds=repeats)
        answer = sum(value.nbytes for value in _ask(over_grpc, server.name, grpc, x).values())
    takes = f"{x.dtype.name} {tuple(photos.shape[1:])}"
    sizes = [f"{size / 1e3:.0f} kB" for size in (x.nbytes, answer)]
    for way, latency in latencies.items():
        yield [takes, *sizes, way, *_cells(latency, latencies["session"])]


def _cells(latency: Latency, session: Latency) -> list[str]:
    """Those of ``HEADER`` from the median on."""
    return [
        f"{1e3 * latency.median:.1f} ms",
        f"{1e3 * latency.percentile(95):.1f} ms",
        f"{latency.median / session.median:.2f}",
        f"{(latency.upper - latency.lower) / latency.median:.0%}",
    ]


def _ask(client: Any, name: str, protocol: Any, x: Array) -> dict[str, Array]:
    answer = client.infer(name, as_inputs(protocol, x, PREDICTED_ONE))
    return {output: answer.as_numpy(output) for output in ("logits", "saliency")}


def main(arguments: list[str] | None = None) -> int:
    """Measures and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.latency", description=__doc__)
    parser.add_argument("--repeats", type=int, default=60, help="rounds")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for raw in (True, False) for row in measure(Path(folder), raw, options.repeats)]
    stated = facts("benchmarks.serving.latency", PACKAGES)
    publish("serving_latency", "What a server costs", stated, f"{markdown_table(HEADER, rows)}\n\n{LEGEND}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
