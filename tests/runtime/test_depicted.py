"""Explanations as objects: samples, words, pictures and files of them, and what a notebook shows."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import fgcompile
from fgcompile import Explanation, Session
from fgcompile.artifact.metadata import loads
from fgcompile.errors import InputError, MissingPackageError, OutputError
from fgcompile.runtime.answers import answers_of
from tests.support.tiny_artifacts import dumps, tiny_metadata

OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")
LABELS = ("bald eagle", "kite", "vulture")
X = torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return out


@pytest.fixture(scope="module")
def session() -> Session:
    torch.manual_seed(2)
    return fgcompile.compile(Net().eval(), X[:2], outputs=OUTPUTS, labels=LABELS).session()


@pytest.fixture(scope="module")
def explanation(session: Session) -> Explanation:
    return session.explain(X.numpy())


class Brightness:
    """A backend of photos whose map is their brightness, and whose first class is that."""

    def __init__(self, targets: int | None = None) -> None:
        self.targets = targets

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        grey = feeds["x"].astype(np.float32).mean(3)[:, np.newaxis]
        logits = np.stack([grey.mean((1, 2, 3)), grey.std((1, 2, 3))], 1)
        maps = grey if self.targets is None else np.stack([grey, 255 - grey], 1)
        return {"logits": logits, "saliency": maps}


def photo_session(targets: int | None = None, **changes: Any) -> Session:
    settings: dict[str, Any] = {
        "inputs": [
            {"name": "x", "dtype": "uint8", "shape": ["batch", 32, 32, 3]},
            {"name": "target", "dtype": "int64", "shape": ["batch", *([targets] if targets else [])]},
        ],
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": ["batch", 2]},
            {"name": "saliency", "dtype": "float32", "shape": ["batch", *([targets] if targets else []), 1, 32, 32]},
        ],
        "preprocess": {"mean": [0.5] * 3, "std": [0.5] * 3},
        "labels": ["bright", "<rough>"],
        **({"targets": targets} if targets else {}),
    }
    return Session(Brightness(targets), loads(dumps(tiny_metadata(**settings | changes)), "artifact"))


PHOTOS = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


def test_samples_are_explanations_whose_arrays_are_views(explanation: Explanation) -> None:
    assert len(explanation) == 3
    for number, one in enumerate(explanation):
        assert len(one) == 1
        for name in ("logits", "saliency", "target", "contributions", "residual", "input_gradient"):
            whole, part = getattr(explanation, name), getattr(one, name)
            np.testing.assert_array_equal(part, whole[number : number + 1])
            assert np.shares_memory(part, whole)
        assert list(one.bias_gradients) == ["conv", "head"]
        np.testing.assert_array_equal(one.bias_gradients["conv"][0], explanation.bias_gradients["conv"][number])
        np.testing.assert_array_equal(one.saliency_by_input["x"], explanation.saliency[number : number + 1])  # type: ignore[index]
    for index, expected in ((-1, [2]), (slice(1, None), [1, 2]), (np.int64(0), [0]), (slice(None, None, 2), [0, 2])):
        np.testing.assert_array_equal(explanation[index].logits, explanation.logits[expected])  # type: ignore[index, call-overload]
    assert explanation[1:][0].top(1)[0].score == pytest.approx(float(explanation.logits[1].max()))  # type: ignore[index]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"no sample {index}: the explanation has 3"):
            explanation[index]
    with pytest.raises(TypeError, match="a number or a slice, not by a str"):
        explanation["logits"]  # type: ignore[index]


def test_what_was_given_is_kept_not_copied_and_equality_is_identity(session: Session) -> None:
    x = X.numpy()
    explanation = session.explain(x)
    assert explanation.about is not None
    assert explanation.about.inputs["x"] is x
    assert explanation.about.metadata is session.metadata
    assert explanation == explanation
    assert explanation != session.explain(x)
    assert "about" not in repr(explanation)
    again = pickle.loads(pickle.dumps(explanation))
    assert again[0].overlay().tobytes() == explanation[0].overlay().tobytes()


def test_samples_are_taken_where_the_artifact_has_them() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.Linear(5, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.cell(x).tanh().mean(0))
            return out

    x = torch.randn(7, 3, 5)
    outputs = ("logits", "saliency", "input_gradient")
    artifact = fgcompile.compile(Recurrent().eval(), x[:, :2], outputs=outputs, layouts={"x": "l n c"})
    explanation = artifact.session().explain(x.numpy())
    one = explanation[1]
    assert len(explanation) == 3
    assert isinstance(one.input_gradient, np.ndarray)
    np.testing.assert_array_equal(one.input_gradient, explanation.input_gradient[:, 1:2])  # type: ignore[index, call-overload]
    np.testing.assert_array_equal(one.about.inputs["x"], x.numpy()[:, 1:2])  # type: ignore[union-attr]
    assert one.saliency is not None
    assert one.saliency.shape == (1, 1, 7)
    assert one.overlay().size == explanation[0].overlay().size


def test_the_best_classes_have_labels_and_scores(explanation: Explanation) -> None:
    one = explanation[0]
    assert one.logits is not None
    order = np.argsort(-one.logits[0])
    found = one.top(2)
    assert [each.index for each in found] == order[:2].tolist()
    assert [each.name for each in found] == [LABELS[index] for index in order[:2]]
    assert [each.score for each in found] == one.logits[0][order[:2]].tolist()
    assert len(one.top(99)) == 3
    with pytest.raises(InputError, match="k is 0: give 1 or more"):
        one.top(0)


@pytest.mark.parametrize("call", ["overlay", "panel", "top", "waterfall", "plot", "beside"])
def test_what_is_of_one_sample_says_so(explanation: Explanation, call: str) -> None:
    with pytest.raises(InputError, match=r"has 3 samples: take one, explanation\[0\]"):
        getattr(explanation, call)()
    made = Explanation(np.zeros((1, 3)), None, {}, None, None, None, None, {})
    with pytest.raises(InputError, match=r"made by hand: .* needs one of session\.explain"):
        getattr(made, call)()
    assert len(made) == 1
    assert made._repr_png_() is None


def test_tensors_draw_what_arrays_draw(session: Session) -> None:
    array, tensor = session.explain(X.numpy())[1], session.explain(X)[1]
    assert isinstance(tensor.saliency, Tensor)
    assert tensor.overlay().tobytes() == array.overlay().tobytes()
    assert tensor.top() == array.top()
    assert tensor.waterfall().tobytes() == array.waterfall().tobytes()


def test_overlays_are_of_the_photo_s_size_and_over_the_whole_photo_where_it_is_given() -> None:
    one = photo_session().explain(PHOTOS[:1])
    smooth = Image.fromarray(PHOTOS[0]).resize((320, 200), Image.Resampling.BICUBIC)
    crop = np.asarray(smooth.resize((32, 32), Image.Resampling.BICUBIC, (72.5, 12.5, 247.5, 187.5)))
    seen = photo_session().explain(crop[np.newaxis])
    assert one.overlay(caption=False).size == (160, 160)
    assert seen.overlay(smooth, caption=False).size == (320, 200)
    panel = seen.panel(smooth)
    assert panel.width == 3 * 320 + 8
    assert np.array_equal(np.asarray(panel)[:10, :320], np.asarray(smooth)[:10])
    with pytest.raises(InputError, match="does not look like what was explained"):
        photo_session().explain(PHOTOS[1:2]).overlay(smooth)
    assert seen.overlay(colormap="viridis").tobytes() != seen.overlay().tobytes() != seen.overlay(alpha=0.3).tobytes()
    with pytest.raises(InputError, match="input 'y' has no map: x has one"):
        seen.overlay(input="y")


def test_a_signed_map_has_two_hues() -> None:
    signed = photo_session(psi="signed").explain(PHOTOS[:1])
    assert signed.saliency is not None
    signed.saliency[:] = np.where(np.arange(32) < 16, -1, 1)
    pixels = np.asarray(signed.overlay(caption=False)).astype(int)
    assert (pixels[:, :80, 2] > pixels[:, :80, 0]).all()
    assert (pixels[:, 80:, 0] > pixels[:, 80:, 2]).all()
    with pytest.raises(InputError, match="viridis has no middle"):
        signed.overlay(colormap="viridis")


def test_several_classes_are_side_by_side_with_their_difference() -> None:
    both = photo_session(2).explain(PHOTOS[:1], [0, 1])
    one, other = (photo_session().explain(PHOTOS[:1], target) for target in (0, 1))
    wide = both.overlay()
    assert wide.width == 4 * 160 + 12  # photo, two overlays, the difference
    assert both.panel().size == wide.size
    beside = one.beside(other)
    assert beside.size == wide.size
    assert one.beside(other, other).width == 4 * 160 + 12  # of three there is none
    with pytest.raises(InputError, match="of different inputs"):
        one.beside(photo_session().explain(PHOTOS[1:2]))
    with pytest.raises(InputError, match="of different kinds"):
        one.beside(photo_session(psi="signed").explain(PHOTOS[:1]))
    with pytest.raises(InputError, match="there are 2 targets, and axes hold one"):
        both.plot()
    assert [each.name for each in both.top(1)] == ["bright"]


def test_the_waterfall_needs_contributions(explanation: Explanation) -> None:
    assert explanation[0].waterfall().height > 5 * 22  # input, two layers, the score, what is left over
    with pytest.raises(InputError, match="compile it with outputs="):
        photo_session().explain(PHOTOS[:1]).waterfall()


def test_a_notebook_shows_pictures_of_the_first_and_says_how_many_more() -> None:
    many = photo_session().explain(PHOTOS)
    png, html = many._repr_png_(), many._repr_html_()
    assert png is not None
    assert html is not None
    one = many[0].panel()
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (one.width, 4 * one.height + 3 * 4)
    addresses = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert len(addresses) == 4
    with Image.open(io.BytesIO(base64.b64decode(addresses[0]))) as image:
        assert np.array_equal(np.asarray(image), np.asarray(one))
    assert "and 2 more: explanation[4:]" in html
    assert "&lt;rough&gt;" in html
    assert "<rough>" not in html
    assert "more" not in str(many[:4]._repr_html_())


def test_what_has_no_map_is_shown_as_a_line() -> None:
    class Silent(Brightness):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"logits": super().run(feeds)["logits"]}

    settings = photo_session().metadata["outputs"][:1]
    silent = photo_session(outputs=settings)
    silent._backend = Silent()
    explanation = silent.explain(PHOTOS[:1])
    assert explanation._repr_png_() is None
    assert explanation._repr_html_() is None
    with pytest.raises(InputError, match="compile it with saliency among its outputs"):
        explanation.overlay()
    assert explanation.top(1)[0].name in ("bright", "<rough>")


def test_saved_are_pictures_maps_and_what_they_show(tmp_path: Path) -> None:
    explanation = photo_session().explain(PHOTOS[:2], [1, 0])
    records = explanation.save(tmp_path / "new" / "maps", names=["a", "b"])
    folder = tmp_path / "new" / "maps"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("a-explained.png", "a-saliency.npy", "b-explained.png", "b-saliency.npy", "explanations.json")
    ]
    assert json.loads((folder / "explanations.json").read_text(encoding="utf-8")) == records
    assert [record["target"] for record in records] == [1, 0]
    assert records[0]["name"] == "<rough>"
    np.testing.assert_array_equal(np.load(folder / "b-saliency.npy"), explanation.saliency[1, 0])  # type: ignore[index]
    with Image.open(folder / "a-explained.png") as image:
        assert image.tobytes() == explanation[0].panel().tobytes()
    assert [record["sample"] for record in explanation.save(tmp_path)] == ["0", "1"]
    several = photo_session(2).explain(PHOTOS[:1], [0, 1]).save(tmp_path / "several")
    assert [each["target"] for each in several[0]["explained"]] == [0, 1]
    assert np.load(tmp_path / "several" / "0-saliency.npy").shape == (2, 32, 32)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "names are 1, and the explanation has 2 samples"),
        (["a", "a"], "twice"),
        (["a", "../b"], "no name of a file"),
    ],
)
def test_names_that_are_none(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        photo_session().explain(PHOTOS[:2]).save(tmp_path / "out", names)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made a folder"):
        photo_session().explain(PHOTOS[:1]).save(tmp_path / "file")


def test_plots_are_matplotlib_s_axes_and_without_it_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = photo_session().explain(PHOTOS[:1])
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(MissingPackageError, match=r"^plot needs matplotlib: pip install 'fgcompile\[plot\]'$"):
            one.plot()
        one.overlay()
    figure = pytest.importorskip("matplotlib.figure", reason="needs the extra plot").Figure()
    axes = figure.add_subplot()
    assert one.plot(axes) is axes
    assert axes.get_title().startswith("bright · score ")
    assert len(figure.axes) == 2  # the colour bar's
    assert figure.axes[1].get_ylim()[1] == pytest.approx(np.percentile(one.saliency, 99.5))  # type: ignore[arg-type]


def test_numbers_are_served_without_what_draws() -> None:
    """Neither loading nor explaining imports Pillow or ``fgcompile.drawing``: servers of numbers stay as they were."""
    import subprocess

    code = (
        "import sys, fgcompile.runtime.session; "
        "print([name for name in sys.modules if name.startswith(('PIL', 'fgcompile.drawing'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("outputs", "known"),
    [
        (("logits", "saliency", "contributions"), True),
        (("logits", "saliency", "contributions", "residual"), True),
        (("logits", "saliency"), False),
    ],
)
def test_the_caption_of_a_score_has_its_value_where_terms_say_it(
    outputs: tuple[str, ...], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terms add up to the score: the model itself says what that is."""
    torch.manual_seed(2)
    model = Net().eval()

    def margin(logits: Tensor) -> Tensor:
        return 1000 * (logits[:, 0] - logits[:, 2])

    with torch.no_grad():
        logits = model(X[:1])[0].numpy()
        score = f"score {margin(model(X[:1])).item():.2f}".replace("-", "−")
    best = f"{LABELS[logits.argmax()]} {logits.max():.2f}".replace("-", "−")
    one = (
        fgcompile.compile(model, X[:2], target=margin, outputs=outputs, labels=LABELS).session().explain(X[:1].numpy())
    )
    drawn = []
    monkeypatch.setattr("fgcompile.runtime.depicting.draw_overlay", lambda _, shown, *__: drawn.append(shown))
    one.overlay()
    assert (drawn[0].title, drawn[0].detail) == ("margin", score if known else best)


def test_sums_of_halves_are_no_scores_of_captions() -> None:
    """Terms that were computed in half precision add up to what may be wrong in the digits that are shown."""
    metadata = loads(dumps(tiny_metadata(target="score", precision="float16")), "artifact")
    one = SimpleNamespace(
        logits=None,
        saliency=np.zeros((1, 1, 4, 4)),
        target=None,
        contributions=np.ones((1, 3), np.float32),
        residual=None,
    )
    (answer,) = answers_of(one, 0, metadata)
    assert (answer.score, answer.detail) == (None, "")
    one.residual = np.full(1, 0.25, np.float32)
    assert answers_of(one, 0, metadata)[0].score == 3.25
