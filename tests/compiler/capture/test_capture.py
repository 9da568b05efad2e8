"""Capture: a flat graph with a dynamic batch, and a clear refusal of what cannot be one."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.biases import FALLBACK, bias_table
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.decompositions import decompositions, kept_whole
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import CaptureError, InputError
from tests.support.networks import NETWORKS, ConvNet, build
from tests.support.sweeps import crossed

aten = torch.ops.aten


class Wrapped(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@pytest.mark.parametrize(("name", "batch"), crossed(NETWORKS, [5, 1]))
def test_captured_graph_equals_the_model_at_any_batch_size(name: str, batch: int) -> None:
    model, x = build(name)
    captured = capture(model, x[:1])
    inputs = torch.randn(batch, *x.shape[1:], dtype=x.dtype)
    with torch.no_grad():
        (output,) = captured.graph_module(inputs)
        torch.testing.assert_close(output, model(inputs), rtol=1e-12, atol=1e-12)


def test_activations_stay_whole() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.SiLU(), nn.Hardswish(), nn.Mish(), nn.SELU(), nn.Softplus()).eval()
    targets = {str(node.target) for node in capture(model, torch.zeros(1, 3, 4, 4)).graph_module.graph.nodes}
    assert {f"aten.{name}.default" for name in ("silu", "hardswish", "mish", "selu", "softplus")} <= targets


@pytest.mark.parametrize("activation", [F.silu, F.mish, F.celu, F.hardswish, F.hardsigmoid])
def test_activations_in_place_stay_whole(activation: Callable[..., Tensor]) -> None:
    model = Wrapped(lambda x: activation(x + 1, inplace=True))
    targets = {str(node.target) for node in capture(model, torch.zeros(1, 3)).graph_module.graph.nodes}
    assert f"aten.{activation.__name__}.default" in targets


def test_no_row_of_the_bias_table_is_taken_apart() -> None:
    rows, table = set(bias_table()), set(torch.export.default_decompositions())
    assert kept_whole(table) == (rows & table) | {aten.detach.default}
    # With statistics or weights of each sample, and along axes of dynamic size, they are written out, else kept.
    dynamic = {aten._native_batch_norm_legit_no_training.default, aten.convolution.default}
    dynamic |= {aten.slice.Tensor, aten.select.int}
    assert rows & set(decompositions()) == dynamic


def test_one_row_of_the_bias_table_keeps_an_operator_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = Wrapped(lambda x: torch.addcmul(x, x, x + 1)), torch.zeros(1, 3)

    def is_whole() -> bool:
        return bool(capture(model, x).graph_module.graph.find_nodes(op="call_function", target=aten.addcmul.default))

    assert not is_whole()
    rows = {**bias_table(), aten.addcmul.default: FALLBACK}
    monkeypatch.setattr("fgcompile.compiler.capture.decompositions.bias_table", lambda: rows)
    assert is_whole()


def test_training_mode_is_refused_and_names_the_part() -> None:
    model = ConvNet().eval()
    model.bn.train()
    with pytest.raises(CaptureError, match=r"'bn' is in training mode: call \.eval\(\)"):
        capture(model, torch.zeros(1, 3, 16, 16))


@pytest.mark.parametrize(("model", "message"), [(nn.ReLU, "the class ReLU"), ("resnet18", "of type str")])
def test_what_is_no_model_is_refused(model: object, message: str) -> None:
    with pytest.raises(InputError, match=f"the model is {message}: pass a torch.nn.Module"):
        capture(model, torch.ones(2, 3))


def test_value_dependent_control_flow_is_refused() -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if x.sum() > 0 else x

    with pytest.raises(CaptureError, match="control flow that depends on values"):
        capture(Branching().eval(), torch.ones(1, 3))


def test_a_fixed_batch_size_is_refused() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(2, 12)

    line = Fixed.forward.__code__.co_firstlineno + 1
    with pytest.raises(CaptureError, match=f"fixes its batch size to a constant at .*test_capture.py:{line},"):
        capture(Fixed().eval(), torch.ones(2, 3, 4))


def test_constants_of_layers_with_any_name_are_called_by_identifiers() -> None:
    model = nn.Sequential(OrderedDict({"block-1": nn.Linear(2, 2), "block_1": nn.Linear(2, 2)})).eval()
    names = [name for name, _ in capture(model, torch.randn(2, 2)).graph_module.named_buffers()]
    assert len(names) == 4
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize("step", [2, 3, 4])
def test_strides_that_equal_a_batch_do_not_fix_it(step: int) -> None:
    class Sliced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 3)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.linear(x.amax(1, keepdim=True)[:, 0:1:step])
            return result

    x = torch.randn(4, 6, dtype=torch.float64)
    model = Sliced().double().eval()
    logits, _ = fuse(model, x[:1], outputs=("logits", "contributions")).graph_module(x, torch.zeros(4).long())
    torch.testing.assert_close(logits, model(x))


def test_no_view_is_left_that_counts_on_strides() -> None:
    model = nn.Sequential(nn.Unflatten(1, (3, 2)), nn.Linear(2, 4), nn.Flatten()).eval()
    graph = capture(model, torch.randn(2, 6)).graph_module.graph
    assert graph.find_nodes(op="call_function", target=torch.ops.aten.reshape.default)
    assert not graph.find_nodes(op="call_function", target=torch.ops.aten.view.default)


def test_batch_statistics_are_refused_and_name_the_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    with pytest.raises(CaptureError, match="'1' normalises by statistics of the batch"):
        capture(model, torch.ones(2, 3, 4, 4))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (lambda size: size > 127, r"for batch <= 127 it goes one way, for others another"),
        (lambda size: size % 2 == 0, r"for a batch of 5 it goes one way"),
    ],
)
def test_a_condition_on_the_batch_says_its_range(condition: Callable[[int], bool], message: str) -> None:
    class Deciding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if condition(x.shape[0]) else x * 3

    with pytest.raises(CaptureError, match=f"Deciding decides by its batch size: {message}"):
        capture(Deciding().eval(), torch.ones(2, 3))


def test_instance_norm_by_running_statistics_is_a_batch_norm() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4, affine=True, track_running_stats=True)).eval()
    x = torch.randn(3, 3, 4, 4)
    graph_module = capture(model, x).graph_module
    torch.testing.assert_close(graph_module(x)[0], model(x))
    targets = {node.target for node in graph_module.graph.nodes}
    assert torch.ops.aten._native_batch_norm_legit_no_training.default in targets
    assert torch.ops.aten.repeat.default not in targets


def test_statistics_repeated_for_each_sample_are_written_out() -> None:
    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.scale = nn.Buffer(torch.rand(3)), nn.Parameter(torch.rand(3))

        def forward(self, x: Tensor) -> Tensor:
            n = x.shape[0]
            y = x.reshape(1, 3 * n, *x.shape[2:])
            mean, scale = self.mean.repeat(n), self.scale.repeat(n)
            return F.batch_norm(y, mean, mean + 1, scale, scale).reshape(x.shape).mean((2, 3))

    model = Folded().double().eval()
    terms = fgcompile.full_gradient(model, torch.randn(4, 3, 5, 5, dtype=torch.float64), target=1)
    assert terms.relative_completeness_error.max() < 1e-12
    program = fuse(model, torch.randn(2, 3, 5, 5, dtype=torch.float64), target=1)
    x = torch.randn(3, 3, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(program.graph_module(x)[0], model(x))


def test_instance_norm_is_not_taken_for_batch_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4, affine=True)).eval()
    x = torch.randn(3, 3, 4, 4)
    torch.testing.assert_close(capture(model, x).graph_module(x)[0], model(x))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "example_inputs is empty"),
        ([[1.0]], "is list, not a tensor"),
        (torch.tensor(1.0), "needs a batch"),
        (torch.zeros(0, 3, 8, 8), "needs a batch of at least 1"),
        (torch.zeros(1, 4, 16, 16), "does not take inputs of shape"),
        (torch.zeros(3, 16, 16), r"of shape \(3, 16, 16\) are one sample: add the batch axis, x\[None\]$"),
    ],
)
def test_wrong_example_inputs_are_refused(inputs: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        capture(ConvNet().eval(), inputs)  # type: ignore[arg-type]


def test_an_exported_program_needs_a_dynamic_batch() -> None:
    model, x = ConvNet().eval(), torch.zeros(2, 3, 16, 16)
    with pytest.raises(CaptureError, match="dynamic first dimension"):
        capture(torch.export.export(model, (x,)), x)
    exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    wide = torch.randn(7, 3, 16, 16)
    torch.testing.assert_close(capture(exported, x).graph_module(wide)[0], model(wide))


def test_assignments_into_slices_keep_their_gradient() -> None:
    class Shift(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y[:, 1:] = x[:, :-1] * 2
            return y

    x = torch.randn(3, 4, 5, requires_grad=True)
    (shifted,) = capture(Shift().eval(), x.detach()).graph_module(x)
    (gradient,) = torch.autograd.grad(shifted.sum(), x)
    torch.testing.assert_close(gradient, torch.tensor([3.0, 2, 2, 0]).reshape(1, 4, 1).expand_as(x))


def test_memory_that_nobody_has_written_is_zero() -> None:
    model = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular").eval()
    captured = capture(model, torch.zeros(1, 2, 6, 6)).graph_module
    assert not captured.graph.find_nodes(op="call_function", target=torch.ops.aten.empty.memory_format)
    x = torch.randn(3, 2, 6, 6)
    torch.testing.assert_close(captured(x)[0], model(x))


class Chosen(nn.Module):
    """As many values as are positive."""

    def forward(self, x: Tensor) -> Tensor:
        return x.masked_select(x > 0).sum() + x


class Dropping(nn.Module):
    """A dropout that does not ask whether it is training."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, training=True)


class Slopes(nn.Module):
    """A leaky ReLU with random slopes."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rrelu(x, training=True)


class Repeated(nn.Module):
    """Repeats each position its own number of times."""

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(torch.tensor([2, 1, 3]), 1)


class Inverse(nn.Module):
    """A matrix's inverse, which checks its argument at run time."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.inv(x)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Chosen(), (3,), r"masked_select.*'layer\.masked_select' at \S*test_capture.py:\d+ depends on values"),
        (
            Wrapped(lambda x: x[:, [0, 1, 2], x[0, 0] < 9]),
            (3, 3),
            r"by a mask beside integers at \S*test_capture.py:\d+",
        ),
        (Wrapped(torch.func.grad(lambda x: x.sum())), (3,), r"'layer' of Sequential at .* takes a gradient inside"),
        (Repeated(), (3,), r"repeat_interleave.*depends on values"),
        (Dropping(), (3,), r"native_dropout.*'layer\.dropout' draws random numbers"),
        (Slopes(), (3,), r"rrelu.*draws random numbers"),
        (
            nn.Upsample(scale_factor=1.05),
            (3, 3),
            r"gradient of the interpolation 'layer' by 1.05 from 3 to 3 places",
        ),
        pytest.param(
            Inverse(),
            (3, 3),
            r"_linalg_check_errors.*side effects",
            marks=pytest.mark.skipif(
                torch.__version__ < "2.12", reason="needs PyTorch 2.12: before, it exports without the check of errors"
            ),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_has_no_explanation_is_refused_by_name(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    model = nn.Sequential(OrderedDict(layer=layer)).eval()
    with pytest.raises(CaptureError, match=message) as caught:
        capture(model, torch.eye(3).expand(2, 3, 3) if len(shape) == 2 else torch.randn(2, *shape))
    assert "\n" not in str(caught.value)


def test_bags_of_any_length_are_refused() -> None:
    class Bags(nn.EmbeddingBag):
        def forward(self, ids: Tensor) -> Tensor:
            return super().forward(ids.flatten(), torch.arange(ids.shape[0]) * 5)

    with pytest.raises(CaptureError, match=r"bags of any length"):
        capture(Bags(7, 4).eval(), torch.ones(2, 5, dtype=torch.int64))


def test_chance_that_torch_does_not_know_of_is_refused() -> None:
    class Shaky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * (1 + random.random())

    with pytest.raises(CaptureError, match="draws random numbers"):
        capture(Shaky().eval(), torch.randn(2, 3))


def test_a_multiple_that_is_fixed_is_not_taken_for_the_batch() -> None:
    """Both are dimensions with a name, and PyTorch's error is of one kind."""

    class Halving(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            pooled = torch.nn.functional.max_pool2d(x, 2)
            if torch.compiler.is_exporting():
                pooled = pooled.reshape(pooled.shape[0], 1, 4, 4)
            return x + torch.nn.functional.interpolate(pooled, scale_factor=2)

    with pytest.raises(CaptureError) as caught:
        capture(Halving().eval(), torch.zeros(1, 1, 8, 8), dynamic_sizes=True)
    assert "batch size" not in str(caught.value)


def test_the_fast_path_of_attention_is_not_taken_and_not_switched_off() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval().requires_grad_(False)
    seen: list[bool] = []
    layer.register_forward_pre_hook(lambda *_: seen.append(torch.backends.mha.get_fastpath_enabled()))
    graph = capture(layer, torch.zeros(1, 3, 8)).graph_module.graph
    assert not graph.find_nodes(op="call_function", target=torch.ops.aten._transformer_encoder_layer_fwd.default)
    assert seen
    assert all(seen)
