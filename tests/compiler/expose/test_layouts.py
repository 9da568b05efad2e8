"""Layouts inferred from how graphs move the axes: named as a reader would, and with every term at its own place.

The oracle for places: a network that mixes nothing across places sees an input that is zero but at one place, so that
all terms that depend on the input lie there, whatever the axes do in between.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import InputError
from tests.support.sweeps import few

C, H, W = 3, 8, 12


class Pointwise(nn.Module):
    """Moves axes, acts on each place alone, and adds everything up into three classes."""

    def __init__(self, move: Callable[[Tensor], Tensor], width: int) -> None:
        super().__init__()
        self.move = move
        self.mix = nn.Linear(width, 5, bias=False)
        self.head = nn.Linear(5, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.mix(self.move(x)))
        return self.head(y).reshape(x.shape[0], -1, 3).sum(1)


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def tokens_with_registers(x: Tensor) -> Tensor:
    registers = torch.zeros(1, 5, C, dtype=x.dtype).expand(x.shape[0], -1, -1)
    return torch.cat([registers, tokens(x)], 1)


def tokens_before_the_batch(x: Tensor) -> Tensor:
    return tokens(x).transpose(0, 1).contiguous().transpose(0, 1)


def columns_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 2, 1).reshape(x.shape[0], H * W, C)


def windows(x: Tensor) -> Tensor:
    parts = channels_last(x).reshape(-1, H // 4, 4, W // 4, 4, C).transpose(2, 3)
    return parts.reshape(-1, 16, C)


def shifted_windows(x: Tensor) -> Tensor:
    return windows(x.roll((-2, -2), (2, 3)))


def padded_windows(x: Tensor) -> Tensor:
    padded = F.pad(channels_last(x), (0, 0, 0, 3, 0, 2))
    return padded.reshape(-1, 2, 5, 3, 5, C).transpose(2, 3).reshape(-1, 25, C)


ORDER = torch.randperm(H * W, generator=torch.Generator().manual_seed(0))


def shuffled(x: Tensor) -> Tensor:
    return tokens(x)[:, ORDER]


def with_coordinates(x: Tensor) -> Tensor:
    """A constant channel beside the picture's, in the same places."""
    return torch.cat([x, torch.zeros(x.shape[0], 1, H, W, dtype=x.dtype)], 1).permute(0, 2, 3, 1)


def tokens_and_padding(x: Tensor) -> Tensor:
    """The borders of all axes are written out, the batch's too, which gets none."""
    return F.pad(tokens(x), (0, 0, 0, 7, 0, 0))


def largest_channels(x: Tensor) -> Tensor:
    return channels_last(x).topk(2, -1).values


def patches(x: Tensor) -> Tensor:
    """Patches of 2×3 laid into the channels, as einops users do it."""
    return x.reshape(-1, C, H // 2, 2, W // 3, 3).permute(0, 2, 4, 3, 5, 1).reshape(-1, H // 2 * (W // 3), 6 * C)


LAYOUTS = {
    "channels last": (channels_last, C, "n h w c", (H, W)),
    "further channels": (with_coordinates, C + 1, "n h w c", (H, W)),
    "tokens": (tokens, C, "n (h w) c", (H, W)),
    "tokens with registers": (tokens_with_registers, C, "n (5 + h w) c", (H, W)),
    "tokens before the batch": (tokens_before_the_batch, C, "n (h w) c", (H, W)),
    "columns first": (columns_first, C, "n (h w) c", (H, W)),
    "windows": (windows, C, "(n h w) (h w) c", (H, W)),
    "shifted windows": (shifted_windows, C, "(n h w) (h w) c", (H, W)),
    "padded windows": (padded_windows, C, None, (H, W)),
    "shuffled": (shuffled, C, "n (h w) c", (H, W)),
    "tokens and padding": (tokens_and_padding, C, "n (7 + h w) c", (H, W)),
    "largest channels": (largest_channels, 2, "n h w c", (H, W)),
    "patches": (patches, 6 * C, "n (h w) c", (H // 2, W // 3)),
}


@pytest.mark.parametrize("name", few(LAYOUTS, 3))
def test_every_term_is_at_its_place(name: str) -> None:
    move, width, pattern, grid = LAYOUTS[name]
    torch.manual_seed(0)
    model = Pointwise(move, width).double().eval()
    x = torch.zeros(2, C, H, W, dtype=torch.float64)
    x[0, :, 5, 8] = 2.0
    x[1, :, 2, 3] = 2.0
    program = fgcompile.expose_biases(model, x)
    site = program.sites[-1]
    assert site.placements[0].grid == grid
    if pattern is not None:
        assert site.layout == pattern
    saliency = fuse(model, x, target=1).graph_module(x)[1]
    for sample, place in enumerate([(5, 8), (2, 3)]):
        cell = [int(p * (g - 1) / (s - 1) + 0.5) for p, g, s in zip(place, grid, (H, W), strict=True)]
        expected = torch.zeros(1, 1, *grid, dtype=torch.float64)
        expected[0, 0, *(p * g // s for p, g, s in zip(place, grid, (H, W), strict=True))] = 1.0
        resized = F.interpolate(expected, (H, W), mode="bilinear", align_corners=True)[0, 0]
        assert (saliency[sample, 0] > 1e-9).sum() == ((resized > 1e-9) | (x[sample, 0] > 0)).sum(), cell
        assert saliency[sample, 0][place] == saliency[sample].max()


def test_strided_slices_put_side_by_side_keep_each_their_places() -> None:
    class Merging(nn.Module):
        """As Swin merges patches."""

        def __init__(self) -> None:
            super().__init__()
            self.reduce = nn.Linear(4 * C, 5)
            self.head = nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = x.permute(0, 2, 3, 1)
            y = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
            return self.head(torch.tanh(self.reduce(torch.tanh(y))).mean((1, 2)))

    sites = fgcompile.expose_biases(Merging().eval(), torch.zeros(1, C, H, W)).sites
    grids = {site.name: site.placements[0].grid if site.placements else None for site in sites}
    assert grids == {"tanh": (H, W), "reduce": (H // 2, W // 2), "tanh:2": (H // 2, W // 2), "head": None}


def _layouts(model: nn.Module, *inputs: Tensor) -> dict[str, str]:
    return {site.name: site.layout for site in fgcompile.expose_biases(model.eval(), inputs).sites}


@pytest.mark.slow
def test_attention_belongs_to_the_queries() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
    layouts = _layouts(layer, torch.randn(2, 5, 8))
    assert set(layouts.values()) == {"n l c", "n c l c", "(n c) l c", "l n c", "(l n) c", "(n l) c"} & set(
        layouts.values()
    )
    assert layouts["norm1"] == layouts["linear1"] == "n l c"
    assert fuse(layer, torch.randn(2, 5, 8), target=lambda y: y.sum((1, 2))).outputs[1].shape == ("batch", 1, 5)


def test_mixing_over_places_has_no_place_until_it_is_added_to_some() -> None:
    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.across, self.back = nn.Conv2d(C, 6, 4, 4), nn.Linear(6, 7), nn.Linear(7, 6)
            self.within, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = self.embed(x).flatten(2)
            y = y + self.back(torch.tanh(self.across(y)))
            return self.head(self.within(y.transpose(1, 2)).mean(1))

    layouts = _layouts(Mixer(), torch.zeros(1, C, H, W))
    assert layouts["across"] == layouts["tanh"] == layouts["head"] == "none"
    assert layouts["back"] == "n c (h w)"
    assert layouts["embed"] == "n c h w"
    assert layouts["within"] == "n (h w) c"


def test_a_pooled_gate_is_one_cell_and_a_pooled_vector_none() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.squeeze, self.head = nn.Conv2d(C, C, 1), nn.Linear(C, 3)

        def forward(self, x: Tensor) -> Tensor:
            gated = x * torch.sigmoid(self.squeeze(F.adaptive_avg_pool2d(x, 1)))
            return self.head(F.adaptive_avg_pool2d(gated, 1).flatten(1))

    program = fgcompile.expose_biases(Gated().eval(), torch.zeros(1, C, H, W))
    grids = {site.name: site.placements[0].grid if site.placements else None for site in program.sites}
    assert grids == {"squeeze": (1, 1), "sigmoid": (1, 1), "mul": (H, W), "head": None}


@pytest.mark.parametrize(
    ("shape", "model", "spatial"),
    few(
        [
            ((4, 9), nn.Sequential(nn.Conv1d(4, 3, 3), nn.Flatten(), nn.Linear(21, 2)), (9,)),
            ((1, 4, 5, 6), nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(), nn.Linear(48, 2)), (4, 5, 6)),
            ((7, 4), nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(21, 2)), (7,)),
            ((6,), nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2)), (6,)),
            ((20,), nn.Sequential(nn.Unflatten(1, (1, 20)), nn.Conv1d(1, 3, 5), nn.Flatten(), nn.Linear(48, 2)), (20,)),
            ((3, 6, 7), nn.Sequential(nn.Flatten(), nn.Linear(126, 2)), (6, 7)),
            ((3, 6, 7), nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(84, 2)), (6, 7)),
            (
                (3, 6, 7),
                nn.Sequential(nn.ReflectionPad2d((0, 1, 0, 1)), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)),
                (6, 7),
            ),
            ((4, 9), nn.Sequential(nn.ConstantPad1d(2, 1.0), nn.Conv1d(4, 3, 3), nn.Flatten(), nn.Linear(33, 2)), (9,)),
        ],
        4,
    ),
    ids=[
        "signal",
        "volume",
        "sequence of vectors",
        "table",
        "waveform",
        "flattened image",
        "padded image",
        "padded pooling",
        "padded signal",
    ],
)
def test_the_map_has_the_space_of_the_input(shape: tuple[int, ...], model: nn.Module, spatial: tuple[int, ...]) -> None:
    program = fuse(model.eval(), torch.randn(2, *shape))
    assert program.outputs[1].shape == ("batch", 1, *spatial)
    assert program.graph_module(torch.randn(3, *shape).double(), torch.tensor([0, 1, -1]))[1].min() >= -1e-9


class Text(nn.Module):
    """Token ids and their mask to two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix, self.head = nn.Embedding(10, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden = torch.tanh(self.mix(self.embed(ids))) * mask.unsqueeze(-1).float()
        return self.head(hidden.sum(1) / mask.sum(1, keepdim=True))


def test_text_has_a_score_for_each_token() -> None:
    model = Text().double().eval()
    ids, mask = torch.randint(0, 10, (3, 7)), torch.ones(3, 7, dtype=torch.int64)
    mask[:, 5:] = 0
    terms = fgcompile.full_gradient(model, (ids, mask))
    assert terms.relative_completeness_error.max() < 1e-14
    assert terms.input_gradient == ()
    embedded = F.embedding(ids, model.embed.weight)
    assert terms.bias_gradients["embed"].shape == embedded.shape
    program = fuse(model, (ids, mask), outputs=("logits", "saliency", "contributions"))
    assert [spec.name for spec in program.outputs] == ["logits", "saliency", "contributions"]
    logits, saliency, contributions = program.graph_module(ids, mask, torch.tensor([-1, -1, -1]))
    assert saliency.shape == (3, 1, 7)
    torch.testing.assert_close(contributions.sum(1), logits.amax(1))
    assert (contributions[:, 0] == 0).all()
    with pytest.raises(InputError, match="no floating-point input"):
        fuse(model, (ids, mask), outputs=("input_gradient",))


class Columns(nn.Module):
    """The same lookups, in a table whose rows are the tokens' or whose columns are."""

    def __init__(self, by_columns: bool) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = nn.Parameter(torch.randn(10, 5, generator=generator))
        self.head = nn.Parameter(torch.randn(5, 3, generator=generator))
        self.by_columns = by_columns

    def forward(self, ids: Tensor) -> Tensor:
        columns = self.table.T.contiguous()
        found = columns[:, ids].permute(1, 2, 0) if self.by_columns else F.embedding(ids, self.table)
        return torch.tanh(found @ self.head).mean(1)


def test_tokens_may_be_the_columns_of_a_table() -> None:
    ids = torch.randint(0, 10, (3, 7))
    rows, columns = (
        fuse(Columns(by_columns).double().eval(), ids, outputs=("saliency",)).graph_module(ids, torch.tensor([-1] * 3))
        for by_columns in (False, True)
    )
    assert columns[0].shape == (3, 1, 7)
    torch.testing.assert_close(columns[0], rows[0])


def test_several_inputs_have_a_map_each() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.signal = nn.Conv2d(C, 4, 3), nn.Conv1d(2, 4, 3)
            self.head = nn.Linear(4 + 4 + 5, 2)

        def forward(self, image: Tensor, signal: Tensor, table: Tensor) -> Tensor:
            a, b = F.relu(self.image(image)).mean((2, 3)), F.relu(self.signal(signal)).mean(2)
            return self.head(torch.cat([a, b, table], 1))

    inputs = torch.randn(2, C, H, W), torch.randn(2, 2, 9), torch.randn(2, 5)
    program = fuse(Both().eval(), inputs)
    shapes = {spec.name: spec.shape for spec in program.outputs}
    assert shapes["saliency"] == ("batch", 1, H, W)
    assert shapes["saliency.signal"] == ("batch", 1, 9)
    assert "saliency.table" not in shapes


def test_a_layout_by_hand() -> None:
    model = Pointwise(tokens, C).eval()
    x = torch.zeros(2, C, H, W)
    program = fgcompile.expose_biases(model, x, layouts={"tanh": "n (h=4 w=24) c"})
    assert program.sites[0].placements[0].grid == (4, 24)
    assert fgcompile.expose_biases(model, x, layouts={"*": "none"}).sites[0].layout == "none"
    windowed = fgcompile.expose_biases(
        Pointwise(windows, C).eval(), x, layouts={"tanh": "(n h=2 w=3) (h=4 w=4) c"}
    ).sites[0]
    inferred = fgcompile.expose_biases(Pointwise(windows, C).eval(), x).sites[0]
    assert windowed.placements == inferred.placements


@pytest.mark.parametrize(
    ("layouts", "message"),
    [
        ({"tanh": "n h w c"}, "has 4 axes, the value has 3"),
        ({"tanh": "n (h=5 w=5) c"}, "does not divide an axis of 96"),
        ({"tanh": "n h c"}, "has no axis 'w'"),
        ({"blocks.7": "none"}, "no input or site is called so"),
    ],
)
def test_a_layout_that_does_not_fit_is_an_error(layouts: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fgcompile.expose_biases(Pointwise(tokens, C).eval(), torch.zeros(2, C, H, W), layouts=layouts)
