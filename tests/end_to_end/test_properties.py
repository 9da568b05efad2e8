"""Random graphs of many operators: completeness, gradients, the fused graph and artifacts, each by its oracle.

A failure prints the description; ``RandomNetwork(description)`` is the graph.
``python -m benchmarks.exactness.random_graphs`` checks thousands.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.exactness.random_graphs.description import Description
from benchmarks.exactness.random_graphs.drawing import draw_description, draw_seeded
from benchmarks.exactness.random_graphs.network import RandomNetwork
from benchmarks.exactness.random_graphs.properties import measure_artifact, measure_exact, misses
from fgcompile.errors import UnsupportedOpError
from tests.support.sweeps import few

ARTIFACTS = {"onnx": range(2), "torchscript": range(2, 5)}
"""The numbers of the graphs whose artifacts are made: of ONNX fewer, since its export takes longest."""


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    return draw_description(lambda options: draw(st.sampled_from(options)), most_steps=5)


@pytest.mark.parametrize("examples", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_random_graphs_are_explained_exactly(examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # shrinking would take minutes, and a description is small enough
    )
    @given(descriptions())
    def check(description: Description) -> None:
        figures = measure_exact(RandomNetwork(description))
        assert not misses(figures), figures

    check()


@pytest.mark.parametrize(
    ("format", "index"), few([(name, index) for name, numbers in ARTIFACTS.items() for index in numbers], 2)
)
def test_artifacts_of_random_graphs_agree_with_the_eager_model(format: str, index: int) -> None:
    description = draw_seeded(0, index)
    try:
        figures = measure_artifact(RandomNetwork(description), format)
    except UnsupportedOpError as error:
        pytest.skip(f"needs a rule for an operator that this graph happens to have: {error}")
    assert not misses(figures), (figures, description)


def test_a_description_can_be_drawn_again() -> None:
    assert draw_seeded(3, 14) == draw_seeded(3, 14)
    assert draw_seeded(3, 14) != draw_seeded(3, 15)
