"""What ``fgcompile compile`` has to be told of files that do not say everything: flags, by the end of the path."""

from __future__ import annotations

import shlex
from pathlib import Path

_STEPS_FIRST = "--target benchmarks.onnx_files.targets:likeliest"
_STATES = "--layout h='l n c' --layout c='l n c'"

OPTIONS = {
    "resources/encoder.onnx": "--explained memory_out --input src=12",
    "resources/decoder.onnx": "--explained logprobs --input prefix=5 --input memory=12x256 --input src_mask=12",
    "persian/encoder.onnx": "--explained hidden_out --input src=12 --input src_mask=12",
    "persian/decoder.onnx": "--explained logprobs --input prefix=5 --input memory=12x256 --input src_mask=12",
    "rxnmap.onnx": "--input atoms=20 --input neighbors=20 --input distances=20x20 --input roles=20",
    "ddddocr/common.onnx": f"--input 1x64x128 {_STEPS_FIRST}",
    "ddddocr/common_old.onnx": f"--input 1x64x128 {_STEPS_FIRST}",
    "captcha_crnn.onnx": _STEPS_FIRST,
    "320n.onnx": "--input 3x320x320",
    "hey_jarvis_v0.1.onnx": "--explained input.19",
    "melspectrogram.onnx": "--input 16000",
    "ch_PP-OCRv4_det_infer.onnx": "--input 3x320x320",
    "ch_PP-OCRv4_rec_infer.onnx": "--input 3x48x320",
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": "--input 3x48x192",
    "flashvad-stream.onnx": "--explained speech_logits --layout recurrent='c n c'",
    "resources/models/silero_vad.onnx": f"--explained output --input input=512 --fix sr=16000 {_STATES}",
    "data/silero_vad.onnx": "--explained output --input input=576 --fix sr=16000 --layout state='l n c'",
    "silero_vad_16k_op15.onnx": "--explained output --input input=576 --fix sr=16000 --layout state='l n c'",
    "silero_vad_op18_ifless.onnx": "--explained output --input input=576 --fix sr=16000 --layout state='l n c'",
    "silero_vad_half.onnx": "--explained output --input input=576 --layout state='l n c'",
    "silero_vad_openvino_16k.onnx": "--explained output --layout state='l n c'",
    "silero_vad_16k_sequence.onnx": f"--explained speech_probs {_STATES}",
}
"""Sizes that are open, the tensor of several or inner ones, where the batch is, what is constant."""


def options_for(path: Path) -> list[str]:
    """The flags of a file, none where it says all there is to know."""
    name = f"/{path.as_posix()}"
    found = [flags for end, flags in OPTIONS.items() if name.endswith(f"/{end}")]
    return shlex.split(found[0]) if found else []
