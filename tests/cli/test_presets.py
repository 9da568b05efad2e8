"""What is read of a source does to a picture what the library's own transform does: that is the oracle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.artifact.fitting import Fit
from fgcompile.cli import presets
from fgcompile.cli.presets import timm as timm_presets
from fgcompile.cli.presets import torchvision as torchvision_presets
from fgcompile.cli.presets import transformers as transformers_presets
from fgcompile.cli.presets.preset import Preset, is_file_of
from fgcompile.pictures.fitting import fit_image
from tests.cli.results import Run, assert_one_line_error

PICTURES = [
    Image.fromarray(np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    for size in ((301, 243), (180, 397))
]


@pytest.fixture(scope="module", autouse=True)
def _torchvision() -> None:
    define_missing_operators()


def prepared(preset: Preset, picture: Image.Image) -> np.ndarray:
    """What a model is given, ``(C, H, W)``, by the preset's words alone."""
    assert preset.fit is not None
    assert preset.shape is not None
    pixels = np.asarray(fit_image(picture, preset.shape[1:], preset.fit, 2**26), np.float64)
    ordered = pixels[..., ::-1] if preset.order == "bgr" else pixels
    black, white = preset.scale
    values = black + ordered / 255 * (white - black)
    return np.asarray(((values - np.array(preset.mean)) / np.array(preset.std)).transpose(2, 0, 1))


def assert_same(preset: Preset, transform: Any) -> None:
    for picture in PICTURES:
        np.testing.assert_allclose(prepared(preset, picture), np.asarray(transform(picture)), atol=3e-6)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        *[("resnet50", "IMAGENET1K_V1"), ("resnet50", "IMAGENET1K_V2"), ("inception_v3", "IMAGENET1K_V1")],
        *[("vit_b_16", "IMAGENET1K_SWAG_E2E_V1"), ("efficientnet_b3", "IMAGENET1K_V1"), ("swin_t", "IMAGENET1K_V1")],
    ],
)
def test_pictures_are_those_of_torchvision(name: str, entry: str) -> None:
    models = pytest.importorskip("torchvision.models", reason="needs torchvision")
    member = models.get_model_weights(name)[entry]
    preset = torchvision_presets.read_torchvision(name, {"weights": entry}, None, None)
    assert preset is not None
    assert_same(preset, member.transforms())
    assert preset.labels == tuple(member.meta["categories"])
    assert preset.origin.endswith(f".{entry}")


def test_a_segmenter_s_picture_is_the_middle_of_torchvision_s() -> None:
    models = pytest.importorskip("torchvision.models", reason="needs torchvision")
    weights = models.segmentation.LRASPP_MobileNet_V3_Large_Weights.DEFAULT
    preset = torchvision_presets.preset_of(weights, "")
    whole = np.asarray(weights.transforms()(PICTURES[0]))
    left = (whole.shape[2] - 520) // 2
    np.testing.assert_allclose(prepared(preset, PICTURES[0]), whole[:, :, left : left + 520], atol=3e-6)
    assert "not cropped" in preset.left_out[0]


@pytest.mark.parametrize(
    "name",
    [
        *["resnet18.a1_in1k", "test_resnet.r160_in1k", "vit_base_patch16_clip_224.openai", "convnext_tiny.fb_in22k"],
        *["naflexvit_base_patch16_gap.e300_s576_in1k", "tf_efficientnet_b0.in1k", "levit_128.fb_dist_in1k"],
        "vit_base_patch16_siglip_224.webli",
    ],
)
def test_pictures_are_those_of_timm(name: str) -> None:
    timm = pytest.importorskip("timm", reason="needs timm")
    settings = timm.get_pretrained_cfg(name)
    if settings is None:
        pytest.skip(f"needs a timm that knows {name}")
    preset = timm_presets.preset_of(settings.to_dict(), name)
    assert_same(preset, timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=settings.to_dict())))


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("vit", {}),
        ("vit", {"do_normalize": False, "size": {"height": 20, "width": 30}, "resample": 3}),
        ("vit", {"do_rescale": False, "image_mean": [120.0, 110.0, 100.0], "image_std": [50.0, 60.0, 70.0]}),
        ("deit", {}),
        ("clip", {"crop_size": {"height": 201, "width": 201}}),
        ("convnext", {"size": {"shortest_edge": 224}}),
        ("convnext", {"size": {"shortest_edge": 384}}),
        ("levit", {}),
        ("poolformer", {}),
        ("mobilevit", {"size": {"shortest_edge": 288}}),
        ("bit", {"rescale_factor": 1 / 127.5}),
        ("segformer", {"size": {"height": 64, "width": 64}}),
        ("siglip", {}),
    ],
)
def test_pictures_are_those_of_transformers(module: str, settings: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs transformers")
    home = pytest.importorskip(f"transformers.models.{module}.image_processing_pil_{module}")
    (kind,) = [value for name, value in vars(home).items() if name.endswith("ImageProcessorPil")]
    process = kind(**settings)
    process.save_pretrained(tmp_path)
    model = SimpleNamespace(main_input_name="pixel_values")
    preset = transformers_presets.read_transformers(str(tmp_path), {}, None, model)
    assert preset is not None
    assert preset.left_out == ()
    assert_same(preset, lambda picture: process(picture)["pixel_values"][0])


class Weights:
    """An entry of torchvision's enumerations, in its attributes."""

    def __init__(self, name: str, resize: int = 256, categories: tuple[str, ...] = ("cat", "dog")) -> None:
        self.name, self.resize, self.meta = name, resize, {"categories": list(categories)}
        self.url = ""

    def __str__(self) -> str:
        return f"Net_Weights.{self.name}"

    def transforms(self) -> Any:
        made = type("ImageClassification", (), {})()
        made.__dict__ |= {"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1], "crop_size": [224], "resize_size": [self.resize]}
        made.interpolation = SimpleNamespace(value="bilinear")
        return made


def agreed(*entries: Weights) -> Preset:
    found = torchvision_presets.agreed([torchvision_presets.preset_of(each, str(each)) for each in entries], "all")  # type: ignore[arg-type]
    assert found is not None
    return found


def test_of_unknown_weights_what_all_agree_in_is_taken_and_the_rest_named() -> None:
    both = agreed(Weights("V1"), Weights("V2", resize=232))
    assert (both.mean, both.labels, both.fit) == ((0.1, 0.2, 0.3), ("cat", "dog"), Fit("crop", None, "bilinear"))
    assert both.left_out == ("how pictures are resized and cropped, in which V1, V2 differ: --resize says it",)
    assert agreed(Weights("V1"), Weights("V2")).fit == Fit("crop", (256, 256), "bilinear")
    assert agreed(Weights("V1"), Weights("V2", categories=("a",))).labels is None
    other = torchvision_presets.preset_of(SimpleNamespace(transforms=object, meta={}), "x")
    assert other == Preset("x", left_out=("the transform object, which is not one of pictures",))


def test_the_weights_that_a_file_holds_are_known_under_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.pth").write_bytes(b"weights")
    (tmp_path / "other.pth").write_bytes(b"trained further")
    first, second = Weights("V1"), Weights("V2", resize=232)
    first.url = "https://host/net-00000000.pth"
    second.url = f"https://host/net-{hashlib.sha256(b'weights').hexdigest()[:8]}.pth"

    class Known(list[Weights]):
        __name__ = "Net_Weights"

    library = SimpleNamespace(get_model_weights=lambda name: Known([first, second]))
    monkeypatch.setattr(torchvision_presets, "importlib", SimpleNamespace(import_module=lambda name: library))
    preset = torchvision_presets.read_torchvision("net", {}, tmp_path / "mine.pth", None)
    assert preset is not None
    assert preset.fit == Fit("crop", (232, 232), "bilinear")
    assert preset.origin == "torchvision's Net_Weights.V2, by the file's SHA-256"
    other = torchvision_presets.read_torchvision("net", {}, tmp_path / "other.pth", None)
    assert other is not None
    assert (other.origin, len(other.left_out)) == ("torchvision's Net_Weights", 1)


def test_files_are_known_by_their_digest(tmp_path: Path) -> None:
    file = tmp_path / "renamed.bin"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert is_file_of(file, f"https://host/net-{digest[:8]}.pth")
    assert not is_file_of(file, f"https://host/net-{digest[:7]}0.pth")
    assert not is_file_of(file, "https://host/net.pth")
    assert not is_file_of(file, None)
    assert not is_file_of(None, f"https://host/net-{digest[:8]}.pth")


def test_the_tag_whose_weights_a_file_holds_goes_before_the_one_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"weights")
    url = f"https://host/net-{hashlib.sha256(b'weights').hexdigest()[:8]}.pth"
    cfgs = {"net.other": SimpleNamespace(url=url, to_dict=lambda: {"tag": "other"}), "net.none": None}
    library = SimpleNamespace(list_models=lambda pattern, pretrained: list(cfgs), get_pretrained_cfg=cfgs.get)
    assert timm_presets._by_file(library, {"architecture": "net"}, tmp_path / "weights.pth") == {"tag": "other"}
    assert timm_presets._by_file(library, {"architecture": "net"}, None) is None


def test_random_weights_parts_and_configurations_that_say_nothing_have_no_preset() -> None:
    assert torchvision_presets.read_torchvision("resnet18", {}, None, None) is None
    assert torchvision_presets.read_torchvision("resnet18.layer1", {"weights": "DEFAULT"}, None, None) is None
    model = SimpleNamespace(pretrained_cfg={"mean": (0.5,)})
    assert timm_presets.read_timm("net", {}, None, model) is None
    nothing = timm_presets.preset_of({}, "x")
    assert (nothing.mean, nothing.fit, nothing.shape, len(nothing.left_out)) == (None, None, None, 1)
    assert transformers_presets.read_transformers("no/such", {}, None, SimpleNamespace()) is None


def processor(kind: str, **settings: Any) -> Preset:
    """The preset of a processor's settings, as Transformers fills them in."""
    filled = {
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "rescale_factor": 1 / 255,
        "resample": 3,
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [0.4, 0.5, 0.6],
        "image_processor_type": f"{kind}ImageProcessor",
    }
    return transformers_presets.preset_of(filled | settings, "x")


CROP = {"height": 224, "width": 224}


@pytest.mark.parametrize(
    ("kind", "settings", "shape", "fit"),
    [
        ("ViT", {"size": {"height": 20, "width": 30}, "resample": 2}, (20, 30), ("squash", (20, 30), "bilinear")),
        ("DeiT", {"size": {"height": 256, "width": 256}, "crop_size": CROP, "do_center_crop": True}, (224, 224), None),
        ("CLIP", {"size": {"shortest_edge": 224}, "crop_size": CROP, "do_center_crop": True}, (224, 224), "crop 224"),
        ("ConvNext", {"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 224), "crop 256"),
        ("ConvNext", {"size": {"shortest_edge": 384}}, (384, 384), ("squash", (384, 384), "bicubic")),
        ("Levit", {"size": {"shortest_edge": 224}, "crop_size": CROP, "do_center_crop": True}, (224, 224), "crop 256"),
        (
            "PoolFormer",
            {"size": {"shortest_edge": 224}, "crop_size": CROP, "do_center_crop": True, "crop_pct": 0.9},
            (224, 224),
            "crop 248",
        ),
    ],
)
def test_settings_of_processors_say_how_pictures_are_fitted(
    kind: str, settings: dict[str, Any], shape: tuple[int, int], fit: Any
) -> None:
    preset = processor(kind, **settings)
    assert preset.left_out == ()
    assert preset.shape == (3, *shape)
    assert preset.fit is not None
    if isinstance(fit, str):
        side = int(fit.split()[1])
        assert preset.fit == Fit("crop", (side, side), "bicubic", rounding="down")
    elif fit is None:
        assert preset.fit == Fit("squash", (256, 256), "bicubic", rounding="down")
    else:
        assert (preset.fit.mode, preset.fit.resize, preset.fit.interpolation) == fit


def test_settings_of_processors_say_the_scale_and_the_order_of_channels() -> None:
    size = {"size": {"height": 8, "width": 8}}
    plain = processor("ViT", **size)
    assert (plain.mean, plain.std, plain.scale, plain.order) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), (0.0, 1.0), "rgb")
    assert processor("ViT", do_rescale=False, **size).scale == (0.0, 255.0)
    assert processor("ViT", rescale_factor=1 / 127.5, **size).scale == (0.0, 2.0)
    bare = processor("MobileViT", do_normalize=None, do_flip_channel_order=True, **size)
    assert (bare.mean, bare.std, bare.order) == ((0.0,) * 3, (1.0,) * 3, "bgr")
    assert processor("PoolFormer", crop_pct=0.9, **size).fit is None  # which resizes those otherwise
    assert processor("ViT", do_resize=False, **size).fit is None
    assert processor("ViT", do_pad=True, **size).left_out[0].startswith("ViTImageProcessor, whose steps")


@pytest.mark.parametrize(
    ("settings", "fit"),
    [
        ({}, Fit("crop", (248, 248), "bicubic")),
        ({"crop_mode": "squash", "crop_pct": 1.0, "interpolation": "bilinear"}, Fit("squash", (224, 224), "bilinear")),
        ({"crop_mode": "border"}, Fit("letterbox", (248, 248), "bicubic", (26, 51, 76))),
        ({"input_size": (3, 200, 300)}, Fit("crop", (222, 333), "bicubic")),
    ],
)
def test_a_configuration_of_timm_says_how_pictures_are_fitted(settings: dict[str, Any], fit: Fit) -> None:
    full = {
        "input_size": (3, 224, 224),
        "crop_pct": 0.9,
        "crop_mode": "center",
        "interpolation": "bicubic",
        "mean": (0.1, 0.2, 0.3),
        "std": (1.0, 1.0, 1.0),
    }
    preset = timm_presets.preset_of(full | settings, "x")
    assert (preset.fit, preset.mean, preset.left_out) == (fit, (0.1, 0.2, 0.3), ())
    other = timm_presets.preset_of(full, "x", size=96)
    assert (other.shape, other.fit) == ((3, 96, 96), Fit("crop", (106, 106), "bicubic"))


def test_pictures_of_other_channels_than_timm_s_have_no_preset(tmp_path: Path) -> None:
    model = SimpleNamespace(pretrained_cfg={"input_size": (3, 224, 224), "mean": (0.5,) * 3})
    (tmp_path / "w.pth").write_bytes(b"")
    library = SimpleNamespace(list_models=lambda pattern, pretrained: [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm_presets, "importlib", SimpleNamespace(import_module=lambda name: library))
        preset = timm_presets.read_timm("net", {"in_chans": 1}, tmp_path / "w.pth", model)
    assert preset is not None
    assert (preset.mean, preset.shape) == (None, (1, 224, 224))
    assert "1 channels" in preset.left_out[0]


def test_processors_with_steps_that_are_not_known_are_left_out_by_name() -> None:
    detr = transformers_presets.preset_of({"image_processor_type": "DetrImageProcessor"}, "x")
    assert detr == Preset("x", left_out=("DetrImageProcessor, whose steps are not known here: --mean, --std",))
    settings = {"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 224}}
    loose = transformers_presets.preset_of({**settings, "do_normalize": True, "image_mean": 0.5, "image_std": 0.5}, "x")
    assert (loose.mean, loose.fit) == ((0.5,) * 3, None)  # with no crop each picture has its own size
    assert "its own size" in loose.left_out[0]


def test_a_damaged_file_of_a_processor_is_left_out_by_name(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs transformers")
    (tmp_path / "preprocessor_config.json").write_text("{")
    model = SimpleNamespace(main_input_name="pixel_values")
    preset = transformers_presets.read_transformers(str(tmp_path), {}, None, model)
    assert preset is not None
    assert "preprocessor_config.json, which Transformers cannot read" in preset.left_out[0]


def test_a_folder_of_transformers_needs_no_options(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers")
    home = pytest.importorskip("transformers.models.vit.image_processing_pil_vit")
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.ViTConfig(**small, image_size=32, patch_size=16, id2label={0: "cat", 1: "dog"})
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    home.ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=3).save_pretrained(tmp_path / "vit")
    monkeypatch.chdir(tmp_path)
    result = run("compile", "transformers:vit", "-o", "vit.onnx", "--json")
    assert result.status == 0, result.err
    found = json.loads(result.out)
    assert found["inputs"][0] == {"name": "pixel_values", "dtype": "uint8", "shape": ["batch", 32, 32, 3]}
    assert found["labels"] == ["cat", "dog"]
    assert found["preprocess"] == {
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "fit": {"mode": "squash", "interpolation": "bicubic", "resize": [32, 32], "rounding": "down"},
        "origin": "vit/preprocessor_config.json",
    }
    assert found["left_out"] == []
    assert set(found["seconds"]) >= {"load", "capture", "emit"}


@pytest.mark.whole
def test_names_of_another_number_of_classes_are_told_with_both_numbers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three_classes.py").write_text("import torch\n\n\ndef build():\n    return torch.nn.Linear(4, 3)\n")
    monkeypatch.setattr(presets, "read_preset", lambda *_: Preset("Weights", labels=("cat", "dog")))
    common = ("compile", "three_classes:build", "-o", "net.onnx", "--input", "4")
    told = json.loads(run(*common, "--json").out)["left_out"]
    assert told == ["names of 2 classes: the model has 3; --labels names them"]
    refused = run(*common, "--target", "dog")
    assert_one_line_error(
        refused, "target 'dog': the source names 2 classes, and the model has 3: give labels of as many"
    )
    assert_one_line_error(run(*common, "--target", "Difference:cat,dog"), "there are 2 labels for 3 classes")
