"""Measures an artifact in this process: its calls and those of its forward pass, in alternation."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata as packages
from pathlib import Path

import numpy as np

from fgcompile._version import __version__
from fgcompile.artifact.file import read_artifact, weights_folder
from fgcompile.artifact.metadata import Metadata, batch_axis, fixed_batch
from fgcompile.artifact.sample_inputs import make_feeds
from fgcompile.artifact.trust import require_trust
from fgcompile.artifact.validation import batch_size, input_specs
from fgcompile.bench.cutting import cut_forward, obstacle
from fgcompile.bench.report import Bench
from fgcompile.bench.timing import measure
from fgcompile.errors import InputError
from fgcompile.runtime.runtimes import provider_name
from fgcompile.runtime.session import Provider, open_session
from fgcompile.system.machine import cores, peak_memory, processor

_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "openvino", "torch")
_SECONDS = 10.0


def bench(  # noqa: PLR0913 - public: its keywords are the options
    path: str | Path,
    *,
    batch: int | None = None,
    threads: int | None = None,
    concurrency: int = 1,
    seconds: float | None = None,
    repeats: int | None = None,
    providers: Sequence[Provider] | None = None,
    trust: bool | None = None,
    report: Callable[[str], None] = lambda stage: None,
) -> Bench:
    """Times ``Session.run`` on made-up inputs, for the predicted class where the artifact takes one.

    Args:
        path: The artifact.
        batch: The samples of one call; by default 1, or the batch that the artifact fixes.
        threads: Threads of one operator, as for ``fgcompile.load``.
        concurrency: How many threads call the artifact at the same time, each again and again.
        seconds: How long to measure, 10 by default; three rounds are always done.
        repeats: How many rounds to measure instead. With concurrency 1 a round is one call.
        providers: As for ``fgcompile.load``.
        trust: As for ``fgcompile.load``.
        report: Called with each stage as it begins.

    Raises:
        ArtifactError: The artifact is damaged, or not one.
        InputError: An option out of its range, or another batch than the artifact fixes.
        MissingPackageError: The runtime is not installed.
    """
    content, metadata = read_artifact(path)
    require_trust(path, metadata["format"], trust)
    _check_options(concurrency, seconds, repeats)
    feeds = make_feeds(metadata, _choose_batch(metadata, batch))
    report("load")
    folder = weights_folder(content, metadata, path)
    session = open_session(content, metadata, str(path), providers, threads, folder)
    session.run(feeds)
    memory = peak_memory()
    contenders = {"explanation": partial(session.run, feeds)}
    reason = obstacle(metadata)
    if reason is None:
        report("cut out the forward pass")
        forward = cut_forward(content, metadata)
        name = f"{path}, forward"
        forward_session = open_session(forward.content, forward.metadata, name, providers, threads, folder)
        taken = {spec["name"] for spec in forward.metadata["inputs"]}
        forward_feeds = {name: value for name, value in feeds.items() if name in taken}
        contenders["forward"] = partial(forward_session.run, forward_feeds)
    report("measure")
    budget = np.inf if repeats is not None else _SECONDS if seconds is None else seconds
    latencies = measure(contenders, rounds=repeats, budget=budget, concurrency=concurrency)
    return Bench(
        model=metadata["model"]["name"],
        format=metadata["format"],
        providers=tuple(map(provider_name, providers or ())),
        threads=threads,
        batch=batch_size(feeds, metadata),
        concurrency=concurrency,
        processor=processor(),
        cores=cores(),
        versions=_versions(),
        peak_memory=memory,
        explanation=latencies["explanation"],
        forward=latencies.get("forward"),
        obstacle=reason,
    )


def _check_options(concurrency: int, seconds: float | None, repeats: int | None) -> None:
    if concurrency < 1:
        raise InputError(f"concurrency is {concurrency}: give 1 or more calls at the same time")
    if seconds is not None and repeats is not None:
        raise InputError("both seconds and repeats are given: leave one of them out")
    if seconds is not None and not 0 < seconds < np.inf:
        raise InputError(f"seconds is {seconds}: give a positive number")
    if repeats is not None and repeats < 1:
        raise InputError(f"repeats is {repeats}: give 1 or more")


def _choose_batch(metadata: Metadata, wanted: int | None) -> int:
    """The wanted batch, if the artifact takes it."""
    own = fixed_batch(metadata)
    for spec in input_specs(metadata):
        fixed = spec["shape"][batch_axis(spec)] if own is None else own
        if isinstance(fixed, int):
            if wanted not in (None, fixed):
                raise InputError(f"batch is {wanted}, the artifact takes a batch of {fixed} only: compile it again")
            return fixed
    if wanted is not None and wanted < 1:
        raise InputError(f"batch is {wanted}: give 1 or more samples a call")
    return wanted or 1


def _versions() -> Mapping[str, str]:
    """Of Python, of fgcompile, and of those runtimes that are installed."""
    versions = {"python": platform.python_version(), "fgcompile": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = packages.version(name)
        except packages.PackageNotFoundError:
            continue
    return versions
