"""The demo's page: what was found, as values, and the template that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from fgcompile.artifact.metadata import Metadata
from fgcompile.bench.timing import Latency


@dataclass(frozen=True)
class Card:
    """One explained picture.

    Attributes:
        panel: The picture of photo, map and overlay, relative to the page.
        waterfall: The waterfall of the logit, relative to the page.
        name: The predicted class, which is the explained one.
        truth: The labelled class.
        right: Whether the two are one; different classes may bear one name.
        logit: The predicted class's.
        probability: Its softmax.
        residual: The logit minus the sum of its terms.
        relative: ``|residual|`` divided by the sum of the terms' magnitudes.
    """

    panel: str
    waterfall: str
    name: str
    truth: str
    right: bool
    logit: float
    probability: float
    residual: float
    relative: float


@dataclass(frozen=True)
class CompiledFile:
    """An artifact beside the page: bytes, seconds to compile, and how many checks against the eager model it passed."""

    name: str
    runtime: str
    size: int
    seconds: float
    metadata: Metadata
    checks: int


@dataclass(frozen=True)
class Timing:
    """A row of the latency table; ``completeness`` is the relative error of its explanation, None without one."""

    name: str
    latency: Latency
    completeness: float | None


@dataclass(frozen=True)
class Section:
    """One network. The first two timings are the eager forward and the eager full-gradient."""

    title: str
    origin: str
    files: Sequence[CompiledFile]
    timings: Sequence[Timing]
    cards: Sequence[Card]


def render_page(sections: Sequence[Section], machine: str, directory: Path) -> str:
    """The page as HTML, without scripts or anything from elsewhere; ``directory`` is where it will lie."""
    environment = Environment(
        loader=PackageLoader("fgcompile.demo", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(sections=sections, machine=machine, directory=directory)
