"""Inputs by name reach the parameters of that name, whatever their order, and the others keep their defaults."""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.binding import ByName, bind_inputs
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import InputError


class Encoder(nn.Module):
    """Ids, mask and token types in this order, where a tokenizer's is ids, token types and mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.kinds, self.head = nn.Embedding(20, 6), nn.Embedding(2, 6), nn.Linear(6, 3)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        scale: Tensor | None = None,
    ) -> Tensor:
        hidden = self.words(input_ids)
        hidden = hidden if token_type_ids is None else hidden + self.kinds(token_type_ids)
        hidden = hidden if attention_mask is None else hidden * attention_mask[..., None]
        pooled = hidden.tanh().mean(1)
        return self.head(pooled if scale is None else pooled * scale)


def tokens() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "input_ids": torch.randint(2, 20, (2, 5), generator=generator),
        "token_type_ids": torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]),
    }


@pytest.fixture
def model() -> Encoder:
    torch.manual_seed(0)
    return Encoder().eval()


@pytest.mark.parametrize("left_out", [(), ("attention_mask",), ("token_type_ids", "attention_mask")])
@pytest.mark.parametrize("kind", [dict, UserDict])
def test_a_mapping_is_bound_by_name(model: Encoder, left_out: tuple[str, ...], kind: Any) -> None:
    given = {name: value for name, value in tokens().items() if name not in left_out}
    terms = fgcompile.full_gradient(model, kind(given), target=1)
    torch.testing.assert_close(terms.output, model(**given))
    assert terms.relative_completeness_error.max() < 1e-6


def test_positions_come_before_names(model: Encoder) -> None:
    given = tokens()
    ids = given.pop("input_ids")
    torch.testing.assert_close(fgcompile.full_gradient(model, (ids, given)).output, model(ids, **given))
    with pytest.raises(InputError, match="'input_ids' is given by position and by name"):
        bind_inputs(model, (ids, {"input_ids": ids}))


def test_a_parameter_that_goes_by_name_alone_is_reached(model: Encoder) -> None:
    given = tokens() | {"scale": torch.randn(2, 6)}
    program = fgcompile.expose_biases(model, given)
    assert program.inputs == ("input_ids", "attention_mask", "token_type_ids", "scale")
    assert {site.name for site in program.sites} >= {"head", "words"}
    score = fgcompile.full_gradient(model, given, target=lambda y: y[:, 0] - y[:, 1])
    expected = model(**given)
    torch.testing.assert_close(score.score, expected[:, 0] - expected[:, 1])


def test_the_order_of_the_model_needs_no_wrapping(model: Encoder) -> None:
    bound, values = bind_inputs(model, tokens())
    assert bound is model
    assert [value.tolist() for value in values] == [
        tokens()[name].tolist() for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    given = tokens()
    del given["attention_mask"]
    assert isinstance(bind_inputs(model, given)[0], ByName)


def test_an_only_input_that_is_not_the_first_is_verified_by_its_name(tmp_path: Path) -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, ids: Tensor | None = None, values: Tensor | None = None) -> Tensor:
            assert values is not None
            return self.head(values)

    model, given = Late().eval(), {"values": torch.randn(2, 4)}
    fgcompile.compile(model, given, outputs=("logits", "contributions")).save(tmp_path / "late.onnx")
    assert fgcompile.verify(tmp_path / "late.onnx", model, given).passed
    assert fgcompile.verify(tmp_path / "late.onnx", model, given["values"]).passed  # the artifact has the name


def test_the_only_input_is_called_by_the_name_it_was_given_by_or_x(tmp_path: Path) -> None:
    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 3, 3)

        def forward(self, pixels: Tensor, x: Tensor | None = None) -> Tensor:
            return self.conv(pixels if x is None else 0 * x).mean(2)

    class Plain(Picture):
        def forward(self, pixels: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(pixels)

    pixels = torch.randn(2, 2, 6)
    for model, given, name in (
        (Plain(), pixels, "x"),
        (Plain(), (pixels,), "x"),
        (Plain(), {"pixels": pixels}, "pixels"),
        (Picture(), pixels, "pixels"),  # for x is another parameter of the model, which verify would bind it to
    ):
        artifact = fgcompile.compile(model.eval(), given, layouts={name: "n c l"})
        assert artifact.metadata["inputs"][0]["name"] == name
        artifact.save(tmp_path / "net.onnx")
        assert fgcompile.verify(tmp_path / "net.onnx", model, pixels).passed
        assert fgcompile.load(tmp_path / "net.onnx").explain({name: pixels.numpy()}).saliency.shape == (2, 1, 6)
    assert fgcompile.expose_biases(Plain().eval(), pixels, layouts={"pixels": "n l c"}).maps[0].grid == (2,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"ids": torch.ones(1, 5, dtype=torch.int64)},
            "unknown example input 'ids': Encoder takes input_ids",
        ),
        ({"attention_mask": torch.ones(1, 5)}, "missing example input 'input_ids'"),
        ({"input_ids": [[1, 2]]}, "example input input_ids is list, not a tensor"),
        (nn.utils.rnn.pack_sequence([torch.ones(3, 1)]), r"PackedSequence.*pass the padded tensor"),
    ],
)
def test_what_cannot_be_bound_is_refused_by_name(model: Encoder, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        capture(model, given)


def test_an_exported_program_is_bound_by_the_names_it_was_exported_with(model: Encoder) -> None:
    given = tokens()
    sizes = {name: {0: torch.export.Dim("batch")} for name in given}
    program = torch.export.export(model, (), given, dynamic_shapes=sizes)
    shuffled = dict(reversed(given.items()))
    terms = fgcompile.full_gradient(program, shuffled, target=1)
    torch.testing.assert_close(terms.output, model(**given))
    score = fgcompile.full_gradient(program, shuffled, target=lambda y: y[:, 2])
    torch.testing.assert_close(score.score, model(**given)[:, 2])
    with pytest.raises(InputError, match="missing example input 'attention_mask': the program takes"):
        capture(program, {name: given[name] for name in ("input_ids", "token_type_ids")})


def test_the_artifact_takes_the_names_and_is_verified_by_them(model: Encoder, tmp_path: Path) -> None:
    given = tokens()
    del given["attention_mask"]
    artifact = fgcompile.compile(model, dict(reversed(given.items())), outputs=("logits", "contributions"))
    assert [spec["name"] for spec in artifact.metadata["inputs"]] == ["input_ids", "token_type_ids", "target"]
    artifact.save(tmp_path / "model.onnx")
    arrays = {name: value.numpy() for name, value in given.items()}
    explained = fgcompile.load(tmp_path / "model.onnx").explain(arrays)
    torch.testing.assert_close(torch.from_numpy(explained.logits), model(**given).detach(), rtol=1e-5, atol=1e-5)
    assert fgcompile.verify(tmp_path / "model.onnx", model, given).passed


def test_a_fault_of_the_model_s_own_code_is_told_with_its_line() -> None:
    class Misspelt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.haed(x)

    with pytest.raises(
        InputError, match=r"Misspelt fails on inputs of shape \(2, 3\), at .*test_binding\.py:\d+: .*haed"
    ):
        fgcompile.compile(Misspelt().eval(), torch.randn(2, 3))


def test_more_inputs_than_parameters_are_refused() -> None:
    with pytest.raises(InputError, match=r"the model takes 1 inputs \(input\), and 2 are given"):
        fgcompile.compile(nn.Linear(3, 2).eval(), (torch.randn(2, 3), torch.randn(2, 3)))


class Pair(nn.Module):
    """Two inputs, one of them with its batch behind."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.head = nn.Linear(4, 6), nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, series: Tensor, row: Tensor) -> Tensor:
        return self.head((self.one(series).mean(0) + self.other(row)).tanh())


@pytest.mark.parametrize("samples", [(2, 3), (4, 2)])
def test_inputs_of_different_numbers_of_samples_are_refused(samples: tuple[int, int]) -> None:
    first, second = samples
    given = {"series": torch.randn(7, first, 4), "row": torch.randn(second, 5)}
    for ask in (fgcompile.compile, fgcompile.full_gradient, fgcompile.expose_biases):
        with pytest.raises(InputError, match=f"input row has {second} samples and series has {first}: pass the same"):
            ask(Pair().eval(), given, layouts={"series": "l n c"})


def test_inputs_of_a_score_have_as_many_samples_as_the_model_s() -> None:
    linear, weights = nn.Linear(4, 3).eval(), torch.randn(3, 3)
    with pytest.raises(InputError, match="input weights has 3 samples and input has 2"):
        fgcompile.full_gradient(
            linear,
            torch.randn(2, 4),
            target=lambda output, weights: (output * weights).sum(1),
            score_inputs={"weights": weights},
        )


def test_one_sample_of_an_input_stands_for_all_of_a_score_s() -> None:
    torch.manual_seed(0)
    linear, x, weights = nn.Linear(4, 3).double().eval(), torch.randn(1, 4).double(), torch.randn(3, 3).double()
    terms = fgcompile.full_gradient(
        linear, x, target=lambda output, weights: (output * weights).sum(1), score_inputs={"weights": weights}
    )
    torch.testing.assert_close(terms.input_gradient, weights @ linear.weight.detach())
    assert terms.relative_completeness_error.max() < 1e-14


def test_one_sample_of_an_input_stands_for_all() -> None:
    torch.manual_seed(0)
    pair, series, row = Pair().double().eval(), torch.randn(7, 1, 4).double(), torch.randn(2, 5).double()
    layouts = {"series": "l n c"}
    found = fgcompile.full_gradient(pair, {"series": series, "row": row}, target=1, layouts=layouts)
    repeated = series.repeat(1, 2, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(pair(repeated, row)[:, 1].sum(), repeated)
    torch.testing.assert_close(found.input_gradient[0], gradient)
    assert found.relative_completeness_error.max() < 1e-14
