"""Networks of torchvision and timm in small forms, which the libraries' own constructors by name do not make."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from benchmarks.networks.architectures import torchvision_network
from benchmarks.networks.torchvision_shim import define_missing_operators
from benchmarks.zoo.networks import DenseDetector

CLASSES = 10


def feature_pyramid(name: str) -> Callable[[], nn.Module]:
    """torchvision's feature pyramid of a ResNet, without weights."""

    def build() -> nn.Module:
        define_missing_operators()
        from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # type: ignore[import-untyped]

        model: nn.Module = resnet_fpn_backbone(backbone_name=name, weights=None)
        return model

    return build


def separable_video() -> nn.Module:
    """torchvision's S3D, its last pooling made for any size instead of 224×224 alone."""
    model = torchvision_network("s3d", num_classes=CLASSES)()
    model.avgpool = nn.AdaptiveAvgPool3d(1)
    return model


def multiscale_video() -> nn.Module:
    """torchvision's MViT, version 2, with three small blocks."""
    define_missing_operators()
    from torchvision.models.video.mvit import MSBlockConfig, MViT  # type: ignore[import-untyped]

    strides = ((), (1, 2, 2), ())
    blocks = [
        MSBlockConfig(
            num_heads=1 << i,
            input_channels=16 << max(0, i - 1) if i else 16,
            output_channels=16 << i if i else 16,
            kernel_q=[3, 3, 3],
            kernel_kv=[3, 3, 3],
            stride_q=list(stride) or [1, 1, 1],
            stride_kv=[1, 2, 2],
        )
        for i, stride in enumerate(strides)
    ]
    model: nn.Module = MViT(
        spatial_size=(32, 32),
        temporal_size=4,
        block_setting=blocks,
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        num_classes=CLASSES,
    )
    return model


def shifted_window_video() -> nn.Module:
    """torchvision's video Swin with four small blocks."""
    define_missing_operators()
    from torchvision.models.video.swin_transformer import SwinTransformer3d  # type: ignore[import-untyped]

    model: nn.Module = SwinTransformer3d(
        patch_size=[2, 4, 4],
        embed_dim=24,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=[2, 4, 4],
        num_classes=CLASSES,
    )
    return model


def vision_transformer() -> nn.Module:
    """torchvision's ViT with two layers of width 64."""
    define_missing_operators()
    from torchvision.models import VisionTransformer  # type: ignore[import-untyped]

    model: nn.Module = VisionTransformer(64, 16, 2, 4, 64, 128, num_classes=CLASSES)
    return model


def convolution_mixer() -> nn.Module:
    """timm's ConvMixer with four layers of width 64."""
    define_missing_operators()
    from timm.models.convmixer import ConvMixer

    model: nn.Module = ConvMixer(dim=64, depth=4, kernel_size=9, patch_size=7, num_classes=CLASSES)
    return model


def dense_detector() -> nn.Module:
    """torchvision's heads of RetinaNet over a feature pyramid of a ResNet-18, 32 channels wide."""
    define_missing_operators()
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.models.detection.retinanet import RetinaNetHead  # type: ignore[import-untyped]

    layers = {f"layer{index}": str(index) for index in (2, 3, 4)}
    features = BackboneWithFPN(torchvision_network("resnet18")(), layers, [128, 256, 512], 32)
    return DenseDetector(features, RetinaNetHead(32, 3, CLASSES))


def query_detector() -> nn.Module:
    """transformers' DETR, one layer each way over a ResNet of two blocks."""
    define_missing_operators()
    import transformers

    backbone = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", out_features=["stage2"]
    )
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        num_queries=6,
        num_labels=CLASSES,
    )
    model: nn.Module = transformers.DetrForObjectDetection._from_config(config)
    return model
