"""The zoo: which networks the compiler is tried on, as a table. Sizes are small, so that each compiles in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.networks.architectures import efficientnet_lite, torchvision_network
from benchmarks.networks.torchvision_shim import define_missing_operators
from benchmarks.networks.weights import Draw, initialise
from benchmarks.zoo.inputs import Integers, Noise, Several, Smooth, box_score, feature_score, segmentation_score
from benchmarks.zoo.networks import (
    DetectionNeck,
    EmbeddingLSTM,
    EncoderClassifier,
    FeatureTokenizerTransformer,
    Perceptron,
    SegmentationUNet,
    SeriesGRU,
    WaveformNetwork,
)
from benchmarks.zoo.transformers import TRANSFORMERS, transformers_network
from benchmarks.zoo.variants import (
    CLASSES,
    convolution_mixer,
    dense_detector,
    feature_pyramid,
    multiscale_video,
    query_detector,
    separable_video,
    shifted_window_video,
    vision_transformer,
)


@dataclass(frozen=True)
class ZooModel:
    """A network of the zoo.

    Attributes:
        name: Its key.
        library: Where the architecture comes from.
        domain: What it is for.
        build: Makes it, with the library's own weights.
        draw: Draws inputs.
        score: What is explained: the predicted class if None, else a function of the output.
        trained: Whether ``build`` loads trained weights, to be left as they are.
        settings: What differs from the library's network of that name, for the table.
    """

    name: str
    library: str
    domain: str
    build: Callable[[], nn.Module]
    draw: Draw
    score: Callable[[Any], Tensor] | None = None
    trained: bool = False
    settings: str = ""


def build_model(name: str, seed: int = 0) -> nn.Module:
    """Builds a network of the zoo in evaluation mode, initialised from ``seed`` unless it is trained."""
    row = ZOO[name]
    torch.manual_seed(seed)
    model = row.build()
    if not row.trained:
        initialise(model, row.draw, seed)
    return model.eval()


def _settings(options: dict[str, Any]) -> str:
    hidden = ("num_classes", "aux_logits", "transform_input", "init_weights", "weights_backbone")
    return ", ".join(f"{key} {value}" for key, value in options.items() if key not in hidden)


def _torchvision(
    name: str,
    side: int = 64,
    domain: str = "classification",
    score: Any = None,
    draw: Draw | None = None,
    **options: Any,
) -> ZooModel:
    build = torchvision_network(name, **{"num_classes": CLASSES, **options})
    draw = draw or Smooth((3, side, side))
    return ZooModel(name, "torchvision", domain, build, draw, score, settings=_settings(options))


def _timm(name: str, side: int = 64, **options: Any) -> ZooModel:
    def build() -> nn.Module:
        define_missing_operators()
        import timm

        model: nn.Module = timm.create_model(name, pretrained=False, **{"num_classes": CLASSES, **options})
        return model

    return ZooModel(name, "timm", "classification", build, Smooth((3, side, side)), settings=_settings(options))


def _timm_fixed(name: str, side: int = 64, **options: Any) -> ZooModel:
    """A network of timm that is made for one size of image."""
    return _timm(name, side, img_size=side, **options)


def _own(name: str, domain: str, build: Callable[[], nn.Module], draw: Draw, score: Any = None) -> ZooModel:
    return ZooModel(name, "own", domain, build, draw, score)


def _trained(name: str, build: Callable[[], nn.Module], draw: Draw) -> ZooModel:
    return ZooModel(name, "trained", "classification", build, draw, trained=True)


def _digit_recognizer() -> nn.Module:
    from benchmarks.networks.samples import load_digit_network

    return load_digit_network().model


_NO_AUXILIARY: dict[str, Any] = {"aux_logits": False, "transform_input": False, "init_weights": False}
_SEGMENTATION: dict[str, Any] = {"weights_backbone": None, "domain": "segmentation", "score": segmentation_score}
_SHALLOW: dict[str, Any] = {"depths": (1, 1, 2, 1)}
_VIDEO: dict[str, Any] = {"domain": "video", "draw": Smooth((3, 8, 32, 32))}

_TORCHVISION = (
    _torchvision("alexnet"),
    _torchvision("vgg11_bn"),
    _torchvision("resnet18"),
    _torchvision("resnet50"),
    _torchvision("resnext50_32x4d"),
    _torchvision("densenet121"),
    _torchvision("googlenet", **_NO_AUXILIARY),
    _torchvision("inception_v3", 96, **_NO_AUXILIARY),
    _torchvision("mobilenet_v2"),
    _torchvision("mobilenet_v3_small"),
    _torchvision("efficientnet_b0"),
    _torchvision("efficientnet_v2_s"),
    _torchvision("regnet_x_400mf"),
    _torchvision("regnet_y_400mf"),
    _torchvision("shufflenet_v2_x0_5"),
    _torchvision("squeezenet1_1"),
    _torchvision("mnasnet0_5"),
    _torchvision("convnext_tiny"),
    ZooModel(
        "vision_transformer",
        "torchvision",
        "classification",
        vision_transformer,
        Smooth((3, 64, 64)),
        settings="2 layers of width 64",
    ),
    _torchvision("swin_t"),
    _torchvision("swin_v2_t"),
    _torchvision("fcn_resnet50", **_SEGMENTATION),
    _torchvision("deeplabv3_resnet50", **_SEGMENTATION),
    _torchvision("deeplabv3_mobilenet_v3_large", **_SEGMENTATION),
    _torchvision("lraspp_mobilenet_v3_large", **_SEGMENTATION),
    ZooModel(
        "resnet18_fpn", "torchvision", "detection", feature_pyramid("resnet18"), Smooth((3, 64, 64)), feature_score
    ),
    ZooModel(
        "resnet50_fpn", "torchvision", "detection", feature_pyramid("resnet50"), Smooth((3, 64, 64)), feature_score
    ),
    ZooModel(
        "retinanet_heads",
        "torchvision",
        "detection",
        dense_detector,
        Smooth((3, 64, 64)),
        box_score,
        settings="32 channels wide",
    ),
    _torchvision("r3d_18", **_VIDEO),
    _torchvision("mc3_18", **_VIDEO),
    _torchvision("r2plus1d_18", **_VIDEO),
    ZooModel("s3d", "torchvision", "video", separable_video, Smooth((3, 16, 64, 64)), settings="pooling over any size"),
    ZooModel(
        "mvit_v2",
        "torchvision",
        "video",
        multiscale_video,
        Smooth((3, 4, 32, 32)),
        settings="3 layers of width 16 to 64",
    ),
    ZooModel(
        "swin3d",
        "torchvision",
        "video",
        shifted_window_video,
        Smooth((3, 4, 32, 32)),
        settings="4 layers of width 24 and 48",
    ),
)

_TIMM = (
    _timm("resnetv2_50", layers=(1, 1, 1, 1)),
    _timm("resnetv2_50x1_bit"),
    _timm("seresnet18"),
    _timm("skresnet18"),
    _timm("resnest14d"),
    _timm("res2net50_14w_8s"),
    _timm("gernet_s"),
    _timm("cs3darknet_s"),
    _timm("cspresnet50"),
    _timm("ese_vovnet19b_slim_dw"),
    _timm("hrnet_w18_small"),
    _timm("dla46_c"),
    _timm("dpn48b"),
    _timm("selecsls42b"),
    _timm("xception41"),
    _timm("repvgg_a0"),
    _timm("mobileone_s0"),
    _timm("nf_regnet_b0"),
    _timm("eca_nfnet_l0"),
    _timm("ghostnet_050"),
    _timm("mixnet_s"),
    _timm("lcnet_050"),
    _timm("tinynet_e"),
    _timm("rexnet_100"),
    _timm("mobilenetv4_conv_small"),
    _timm("convnext_atto", depths=(1, 1, 2, 1)),
    _timm("convnextv2_atto", depths=(1, 1, 2, 1)),
    _timm("inception_next_atto", **_SHALLOW),
    ZooModel(
        "convmixer",
        "timm",
        "classification",
        convolution_mixer,
        Smooth((3, 56, 56)),
        settings="4 layers of width 64",
    ),
    _timm("starnet_s1"),
    _timm("mambaout_femto", **_SHALLOW),
    _timm("edgenext_xx_small"),
    _timm("mobilevit_xxs"),
    _timm("mobilevitv2_050"),
    _timm("fastvit_t8"),
    _timm("repvit_m0_9"),
    _timm("efficientformer_l1", 224),
    _timm("efficientvit_b0"),
    _timm("poolformer_s12"),
    _timm("caformer_s18"),
    _timm("focalnet_tiny_srf"),
    _timm("pvt_v2_b0", **_SHALLOW),
    _timm_fixed("botnet26t_256"),
    _timm_fixed("vit_tiny_patch16_224", depth=2),
    _timm_fixed("deit_tiny_distilled_patch16_224", depth=2),
    _timm_fixed("vit_small_patch14_reg4_dinov2", 70, depth=2, embed_dim=96, num_heads=3),
    _timm_fixed("pit_ti_224", depth=(1, 1, 1)),
    _timm_fixed("beit_base_patch16_224", depth=2, embed_dim=96, num_heads=3),
    _timm_fixed("eva02_tiny_patch14_224", 70, depth=2),
    _timm_fixed("cait_xxs24_224", depth=2),
    _timm_fixed("xcit_nano_12_p8_224", depth=2),
    _timm_fixed("levit_128s"),
    _timm_fixed("swin_tiny_patch4_window7_224", 56, depths=(2, 2), num_heads=(3, 6), embed_dim=48),
    _timm_fixed("swinv2_tiny_window8_256", 64, depths=(2, 2), num_heads=(3, 6), embed_dim=48),
    _timm_fixed("maxvit_rmlp_pico_rw_256", 128, depths=(1, 1, 1, 1)),
    _timm_fixed("coatnet_nano_rw_224", 64, depths=(1, 1, 1, 1)),
    _timm_fixed("twins_pcpvt_small", depths=(1, 1, 1, 1)),
    _timm_fixed("hiera_tiny_224", 64, stages=(1, 1, 2, 1)),
    _timm("tiny_vit_5m_224", depths=(1, 1, 2, 1)),
    _timm_fixed("mixer_s32_224"),
    _timm_fixed("gmlp_ti16_224"),
    _timm_fixed("resmlp_12_224"),
)

_OWN = (
    _own("unet", "segmentation", SegmentationUNet, Smooth((3, 64, 64)), segmentation_score),
    _own("yolo_like_neck", "detection", DetectionNeck, Smooth((3, 64, 64)), feature_score),
    _own("m5", "audio", WaveformNetwork, Smooth((1, 8000))),
    _own("encoder_classifier", "classification", EncoderClassifier, Smooth((3, 32, 32))),
    _own("perceptron", "tabular", Perceptron, Noise((12,))),
    _own("ft_transformer", "tabular", FeatureTokenizerTransformer, Several((Noise((6,)), Integers(5, 3)))),
    _own("gru", "time series", SeriesGRU, Noise((20, 4))),
    _own("embedding_lstm", "text", EmbeddingLSTM, Integers(100, 12)),
)

_TRAINED = (
    *(_trained(f"efficientnet_lite{i}", partial(efficientnet_lite, i), Smooth((3, 128, 128))) for i in range(3)),
    _trained("digit_recognizer", _digit_recognizer, Smooth((1, 28, 28))),
)

_TRANSFORMERS = (
    *(
        ZooModel(
            row.name,
            "transformers",
            row.domain,
            partial(transformers_network, row),
            row.draw,
            row.score,
            settings=row.summary(),
        )
        for row in TRANSFORMERS
    ),
    ZooModel(
        "hf_detr",
        "transformers",
        "detection",
        query_detector,
        Smooth((3, 64, 64)),
        box_score,
        settings="1 layer of width 32 each way",
    ),
)

ZOO: dict[str, ZooModel] = {
    row.name: row for table in (_TORCHVISION, _TIMM, _TRANSFORMERS, _OWN, _TRAINED) for row in table
}
"""Every network by name."""
