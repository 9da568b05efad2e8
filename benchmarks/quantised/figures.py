"""What is measured of a network's file of 8 bits and the artifact that it was compiled to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import fgcompile
from benchmarks.evidence.removal import FILLS, perturb
from benchmarks.latency.timing import Effort, time_alternately
from benchmarks.quantised.subjects import Array, Subject

EFFORT = Effort(repeats=20, seconds=3.0)


@dataclass(frozen=True)
class Apart:
    """How far logits are apart.

    Attributes:
        differing: The share of them that are not equal to the bit.
        largest: The largest difference, relative to the largest logit.
        classes: How many photos have another predicted class.
    """

    differing: float
    largest: float
    classes: int


def apart(one: Array, other: Array) -> Apart:
    """The logits of a network ``(N, K)`` computed twice."""
    largest = float(np.abs(one - other).max() / np.abs(other).max())
    return Apart(float((one != other).mean()), largest, int((one.argmax(1) != other.argmax(1)).sum()))


def in_runtime(path: Path, fused: bool = True) -> Any:
    """The file in ONNX Runtime, on one thread, its operators fused or one by one."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    if not fused:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def logits_of(session: Any, x: Array) -> Array:
    """The logits of each sample, one at a time."""
    return np.concatenate([session.run(None, {"x": one[None]})[0] for one in x])


def explained(session: fgcompile.Session, x: Array, classes: NDArray[np.int64] | None = None) -> Mapping[str, Array]:
    """All outputs of an artifact on demand; of the predicted classes if none are given."""
    target = np.full(len(x), -1) if classes is None else classes
    return session.run({"x": x, "target": target, "explain": np.array(True)})


def shares(session: fgcompile.Session, outputs: Mapping[str, Array]) -> Mapping[str, float]:
    """Of ``Σ |contributions|`` what each kind of term makes, the mean of the samples."""
    kinds = ["input", *(site["terms"][0]["kind"] for site in session.metadata["sites"])]
    sizes = np.abs(outputs["contributions"])
    found: dict[str, float] = defaultdict(float)
    for kind, share in zip(kinds, (sizes / sizes.sum(1, keepdims=True)).mean(0), strict=True):
        found[kind] += float(share)
    return found


def of_score(session: fgcompile.Session, outputs: Mapping[str, Array]) -> float:
    """``|Σ contributions of rounding| / |score|``, the median of the samples."""
    kinds = ["input", *(site["terms"][0]["kind"] for site in session.metadata["sites"])]
    rounding = np.array([kind == "quantization" for kind in kinds])
    terms = outputs["contributions"].astype(np.float64)
    score = terms.sum(1) + outputs["residual"]
    return float(np.median(np.abs(terms[:, rounding].sum(1)) / np.abs(score)))


def correlations(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Pearson's of each sample's maps."""
    pairs = zip(one.reshape(len(one), -1), other.reshape(len(other), -1), strict=True)
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs])


def perturbation(
    subject: Subject, session: fgcompile.Session, maps: Mapping[str, Array]
) -> dict[tuple[str, str], float]:
    """The fractional change of the 8-bit network's logit as the least salient pixels of each map go: the mean over
    photos and shares of pixels, by map and by what replaces pixels."""

    def logits(photos: NDArray[np.uint8]) -> Array:
        return np.concatenate([session.predict(_prepared(subject, one[None])) for one in photos])

    chance = np.random.default_rng(0).random(next(iter(maps.values())).shape, dtype=np.float32)
    return {
        (name, fill): float(perturb(logits, subject.photos, each[:, 0], fill).least_logit.mean())
        for name, each in {**maps, "random": chance}.items()
        for fill in FILLS
    }


def _prepared(subject: Subject, photos: NDArray[np.uint8]) -> Array:
    prepared: Array = subject.network.prepare(torch.from_numpy(photos)).numpy()
    return prepared


def latencies(subject: Subject, sessions: Mapping[str, fgcompile.Session]) -> dict[tuple[str, str], float]:
    """Milliseconds of CPU time of one photo on one thread, by file and by what is asked for."""
    x = subject.x[:1]
    calls: dict[tuple[str, str], Any] = {}
    for kind, path in (("float", subject.float_file), ("int8", subject.int8_file)):
        file, artifact = in_runtime(path), sessions[kind]
        calls[kind, "file"] = lambda file=file: file.run(None, {"x": x})
        calls[kind, "predict"] = lambda artifact=artifact: artifact.predict(x)
        calls[kind, "explain"] = lambda artifact=artifact: artifact.explain(x)
    named = {"/".join(key): call for key, call in calls.items()}
    found = time_alternately(named, EFFORT, lambda: None)
    return {key: found["/".join(key)].cpu_median for key in calls}
