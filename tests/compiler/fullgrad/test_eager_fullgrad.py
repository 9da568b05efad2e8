"""The oracle itself: the authors' algorithm on networks small enough to be checked by other means."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.networks.architectures import ARCHITECTURES, UNet, build_network
from benchmarks.networks.weights import initialise, sample_inputs
from fgcompile.demo.eager_fullgrad import fullgrad_reference, rescale
from tests.support.finite_differences import input_gradient_by_differences


class InPlaceResidual(nn.Module):
    """What upsets hooks: in-place activations, one of them first, an in-place sum, a functional ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.ReLU(inplace=True)
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        y = self.norm(F.relu_(self.convolution(x)))
        y += x
        F.relu_(y)
        logits: Tensor = self.head(y.mean((2, 3)))
        return logits


class SharedConvolution(nn.Module):
    """One convolution and one ReLU called three times at different places, once in a parallel branch."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.shared(x))
        y = self.relu(self.shared(F.avg_pool2d(y, 2)))
        z = self.shared(F.avg_pool2d(x, 2))
        logits: Tensor = self.head(y + 2 * z).mean((2, 3))
        return logits


def _sequence(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(4))


def _network(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    networks: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        "in-place": (InPlaceResidual(), (3, 8, 8)),
        "shared": (SharedConvolution(), (3, 8, 8)),
        "1d": (_sequence(nn.Conv1d(3, 5, 3, stride=2), nn.BatchNorm1d(5), nn.ReLU(), nn.MaxPool1d(2)), (3, 17)),
        "3d": (_sequence(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4, affine=False), nn.ReLU()), (2, 5, 6, 7)),
        "transposed": (_sequence(nn.ConvTranspose2d(3, 4, 3, stride=2, groups=1), nn.LeakyReLU(0.1)), (3, 5, 5)),
        "vector": (_sequence(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8, bias=False)), (6,)),
        "unet": (UNet(width=4), (3, 16, 16)),
    }
    return networks[name]


NAMES = ["in-place", "shared", "1d", "3d", "transposed", "vector", "unet"]


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    network, shape = _network(request.param)
    x = torch.randn(3, *shape, dtype=torch.float64)
    network.eval().double()
    with torch.no_grad():
        network(x.clone())  # makes the lazy layers
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if name.endswith(("bias", "running_mean")):
                tensor.normal_(0, 0.5)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
    return network, x


def test_terms_add_up_to_the_score(case: tuple[nn.Module, Tensor]) -> None:
    network, x = case
    target = torch.tensor([0, 3, 1])
    explanation = fullgrad_reference(network, x, target)
    score = explanation.logits.gather(1, target[:, None]).squeeze(1)
    assert torch.equal(explanation.logits, network(x.clone()))
    assert (explanation.completeness_error / score.abs()).max() < 1e-12
    assert explanation.terms
    for delta, bias in explanation.terms.values():
        assert (delta * bias).shape == delta.shape


def test_input_gradient_matches_finite_differences(case: tuple[nn.Module, Tensor]) -> None:
    network, x = case
    target = torch.tensor([2, 0, 1])
    explanation = fullgrad_reference(network, x, target)
    indices = [tuple(int(torch.randint(size, ())) for size in x.shape) for _ in range(8)]
    expected = input_gradient_by_differences(
        lambda point: network(point.clone()).gather(1, target[:, None]).squeeze(1), x, indices
    )
    actual = torch.stack([explanation.input_gradient[index] for index in indices])
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)


def test_bias_gradients_match_the_gradients_of_the_parameters() -> None:
    network = InPlaceResidual().eval().double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    terms = fullgrad_reference(network, x, torch.tensor([1, 2])).terms
    score = network(x.clone()).gather(1, torch.tensor([[1], [2]])).sum()
    for name, axes in [("convolution", (0, 2, 3)), ("norm", (0, 2, 3)), ("head", (0,))]:
        parameter = network.get_submodule(name).bias
        assert isinstance(parameter, Tensor)
        (expected,) = torch.autograd.grad(score, parameter, retain_graph=True)
        torch.testing.assert_close(terms[name][0].sum(axes), expected)


def test_a_shared_layer_has_one_term_a_call() -> None:
    network = SharedConvolution().eval().double()
    terms = fullgrad_reference(network, torch.randn(1, 3, 8, 8, dtype=torch.float64), torch.tensor([1])).terms
    assert list(terms) == ["shared", "shared:2", "shared:3", "head"]
    assert [delta.shape[-1] for delta, _ in terms.values()] == [8, 4, 4, 4]


def test_hooks_are_removed_and_the_model_is_left_as_it_was() -> None:
    network = InPlaceResidual().eval()
    x = torch.randn(2, 3, 8, 8)
    before = network(x.clone())
    point = x.clone()
    fullgrad_reference(network, point, torch.tensor([0, 1]))
    assert torch.equal(point, x)
    assert not point.requires_grad
    assert torch.equal(network(x.clone()), before)
    assert all(not module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_rescale_takes_extrema_over_a_sample_jointly_and_the_minimum_first() -> None:
    term = torch.tensor([[[[-3.0, 1.0]], [[2.0, 5.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    expected = torch.tensor([[[[2.0, 0.0]], [[1.0, 4.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]]) / (4 + 1e-6)
    torch.testing.assert_close(rescale(term), expected)


def test_map_of_a_two_layer_network_by_hand() -> None:
    """f(x) = mean over positions of relu(x + 1) · 2 + 3, at x = (-2, 0, 1, 4): terms 2/4 · [x > -1] and 3/4 each."""
    first, second = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    for parameters, values in [(first.parameters(), (1.0, 1.0)), (second.parameters(), (2.0, 3.0))]:
        for parameter, value in zip(parameters, values, strict=True):
            nn.init.constant_(parameter, value)
    network = nn.Sequential(first, nn.ReLU(), second, nn.AvgPool2d((1, 4)), nn.Flatten())
    x = torch.tensor([-2.0, 0.0, 1.0, 4.0], dtype=torch.float64).view(1, 1, 1, 4)
    explanation = fullgrad_reference(network.eval().double(), x, torch.tensor([0]))
    input_map = torch.tensor([0, 0, 0.5, 2.0], dtype=torch.float64) / (2 + 1e-6)
    first_layer = torch.tensor([0, 0.5, 0.5, 0.5], dtype=torch.float64) / (0.5 + 1e-6)
    torch.testing.assert_close(explanation.saliency.flatten(), input_map + first_layer)  # a constant term maps to 0
    torch.testing.assert_close(explanation.input_gradient.flatten(), torch.tensor([0, 0.5, 0.5, 0.5]).double())


def test_training_mode_and_missing_statistics_are_refused() -> None:
    x = torch.randn(1, 3, 8, 8)
    with pytest.raises(ValueError, match="training mode"):
        fullgrad_reference(InPlaceResidual(), x, torch.tensor([0]))
    network = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten()).eval()
    with pytest.raises(ValueError, match="running statistics"):
        fullgrad_reference(network, x, torch.tensor([0]))


def test_test_networks_are_deterministic_and_depend_on_their_input() -> None:
    first, second = UNet(width=4), UNet(width=4)
    initialise(first, partial(sample_inputs, (3, 16, 16)), seed=1)
    initialise(second, partial(sample_inputs, (3, 16, 16)), seed=1)
    x = sample_inputs((3, 16, 16), 6)
    logits = first(x)
    assert torch.equal(logits, second(x))
    assert not first.training
    assert logits.std(0).mean() > 0.05
    torch.testing.assert_close(x.square().mean((1, 2, 3)), torch.ones(6))
    # BatchNorm sees data like those it was calibrated on
    convolution, norm = first.encoder1[0], first.encoder1[1]
    assert isinstance(norm, nn.BatchNorm2d)
    normalised = F.batch_norm(convolution(x), norm.running_mean, norm.running_var)
    assert 0.3 < normalised.std().item() < 3


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in ARCHITECTURES.items() if row.parity])
def test_terms_of_the_benchmark_networks_add_up_just_where_the_table_says(name: str) -> None:
    x = sample_inputs((3, 128, 128), 2).double()
    network = build_network(name).double()
    target = network(x).argmax(1)
    explanation = fullgrad_reference(network, x, target)
    score = explanation.logits.gather(1, target[:, None]).squeeze(1)
    error = (explanation.completeness_error / score.abs()).max()
    assert (error < 1e-12) if ARCHITECTURES[name].piecewise_linear else (error > 1e-3)
