"""The options of ``compile`` that are one of a few words: for the compiler, and for what runs without torch."""

from __future__ import annotations

from typing import Literal

Format = Literal["onnx", "torchscript", "pt2", "exported"]
Output = Literal["logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients", "model"]
Method = Literal["fullgrad", "simple_fullgrad", "smooth_fullgrad"]
PsiName = Literal["auto", "fullgrad", "grad-cam", "signed"]
RuleSet = Literal["auto", "taylor", "libragrad", "attnlrp"]
Terms = Literal["all", "parameters"]
Biases = Literal["constants", "inputs"]
Precision = Literal["float32", "float16", "bfloat16"]
Device = Literal["cpu", "cuda"]
Order = Literal["rgb", "bgr"]
