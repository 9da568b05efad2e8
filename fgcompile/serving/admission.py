"""The one validator of requests, which every way of serving shares: a refusal is an ``InputError`` that says why.

A runtime would take NaN and return a map of NaN, and answers a wrong shape with an error of its own, a server error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fgcompile.artifact.metadata import Metadata, batch_axis
from fgcompile.artifact.names import DYNAMIC, EXPLAIN
from fgcompile.artifact.questions import check_target
from fgcompile.artifact.schema import target_form
from fgcompile.artifact.validation import (
    Array,
    bias_specs,
    check_biases,
    check_inputs,
    input_specs,
    named_sizes,
)
from fgcompile.errors import InputError


@dataclass(frozen=True)
class Limits:
    """What one request may ask for at most, and all of them together.

    Attributes:
        batch: Samples of a request.
        body: Bytes of a request.
        memory: Bytes of the requests in flight, in each process.
        connections: Clients of REST, and as many of gRPC, in each process.
        patience: Seconds to wait for a client that has begun a request, or that an answer waits for.
        idle: Seconds that a connection may be without a request.
        text: Bytes of a text.
    """

    batch: int = 32
    body: int = 64 << 20
    memory: int = 512 << 20
    connections: int = 400
    patience: float = 10.0
    idle: float = 65.0
    text: int = 64 << 10

    def __post_init__(self) -> None:
        for name, value in (("batch", self.batch), ("body", self.body), ("text", self.text)):
            if value < 1:
                raise InputError(f"the largest {name} of a request is {value}: give 1 or more")
        if self.memory < 2 * self.body:
            raise InputError(
                f"requests in flight may have {self.memory} bytes: give twice a request's {self.body} or more"
            )
        if self.connections < 1 or not (self.patience > 0 and self.idle > 0):
            raise InputError("the bound on connections and the seconds to wait have to be above 0")

    @property
    def elements(self) -> int:
        """Values that JSON, or a message's contents, may hold: one for eight bytes of the largest request."""
        return max(self.body // 8, 1)

    def memory_of(self, size: int, growth: int) -> int:
        """Bytes that a request of ``size`` takes: its own, and those of its arrays, ``growth`` times as many at most.

        Nothing that a request may hold becomes more than a body of the largest size.
        """
        return size + min(growth * size, self.body)


def find_repeated(names: Sequence[str]) -> str | None:
    """The first name that stands there more than once."""
    return next((name for name in names if names.count(name) > 1), None)


def check_body(size: int, limits: Limits) -> None:
    """Passes a request's body of ``size`` bytes, before anything reads it.

    Raises:
        InputError: It is larger than the limit.
    """
    if size > limits.body:
        raise InputError(f"the request has {size} bytes, {limits.body} are allowed: send fewer samples at once")


def admit(tensors: Mapping[str, Array], metadata: Metadata, limits: Limits) -> dict[str, Array]:
    """What ``Session.run`` takes, from the tensors that a request names.

    The model's inputs have to be there. ``target``, of any integer type and the artifact's shape, or with another axis
    of size 1 behind, may be left out for the predicted class, or the T largest, and ``explain``, of one element, to get
    explanations; bias parameters may be left out too.

    Args:
        tensors: The request's, by name.
        metadata: The artifact's.
        limits: What is allowed.

    Raises:
        InputError: A name is missing, unknown, or not for this artifact; a wrong type, rank, size or dtype; NaN or
            infinity; differing batch sizes, or one above the limit; a class out of range.
    """
    given = dict(tensors)
    own = {spec["name"] for spec in input_specs(metadata)}
    target = None if "target" in own else given.pop("target", None)
    explain = given.pop(EXPLAIN, None) if metadata.get("on_demand") else None
    optional = {spec["name"] for spec in bias_specs(metadata)}
    biases = {name: given.pop(name) for name in sorted(optional & given.keys())}
    _check_batch(given, metadata, limits)
    feeds = check_inputs(given, metadata)
    sizes = named_sizes(feeds, metadata)
    classes = None if target is None else check_target(_per_sample(target, metadata), sizes, metadata, of_each=True)
    if classes is not None:
        _check_rows(classes, metadata, limits)
        feeds["target"] = classes
    if metadata.get("on_demand"):
        feeds[EXPLAIN] = _check_explain(explain)
    return feeds | check_biases(biases, metadata)


def _check_batch(given: Mapping[str, Array], metadata: Metadata, limits: Limits) -> None:
    """Refuses too large a batch before its values are read."""
    for spec in input_specs(metadata):
        value = given.get(spec["name"])
        axis = batch_axis(spec)
        if isinstance(value, np.ndarray) and value.ndim > axis and value.shape[axis] > limits.batch:
            raise InputError(
                f"{spec['name']} has a batch of {value.shape[axis]}, {limits.batch} are allowed: "
                "send fewer samples at once"
            )


def _check_rows(target: Array, metadata: Metadata, limits: Limits) -> None:
    """Where any number of targets is taken, each is work and memory as a sample is."""
    rows = target.shape[0] * target.shape[1] if metadata.get("targets") == DYNAMIC else 0
    if rows > limits.batch:
        raise InputError(
            f"target has {target.shape[1]} targets for each of {target.shape[0]} samples, {limits.batch} are allowed "
            "in all: send fewer at once"
        )


def _per_sample(target: Array | None, metadata: Metadata) -> Array | None:
    """The target as (N,), say: servers that batch requests themselves want a second axis, of size 1."""
    behind = len(target_form(metadata)) + 1
    if isinstance(target, np.ndarray) and target.ndim == behind + 1 and target.shape[-1] == 1:
        return target[..., 0]
    return target


def _check_explain(explain: Array | None) -> Array:
    if explain is None:
        return np.array(True)
    if not isinstance(explain, np.ndarray) or explain.dtype != np.bool_ or explain.size != 1:
        raise InputError(f"{EXPLAIN} has to be one boolean: give an array of bool with one element")
    return explain.reshape(())
