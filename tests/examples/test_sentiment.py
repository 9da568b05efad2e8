"""The sentences of ``examples/sentiment``."""

from __future__ import annotations

from examples.sentiment.network import LABELS, composed, written


def test_sentences_are_of_both_classes_and_none_is_there_twice() -> None:
    texts = [text for text, _ in written() + composed()]
    assert len(set(texts)) == len(texts)
    assert all(text.strip() == text and "{" not in text for text in texts)
    for sentences in (written(), written()[::2], written()[1::2], composed()):
        counts = [sum(number == index for _, number in sentences) for index in range(len(LABELS))]
        assert counts[0] == counts[1] > 0
    assert (len(written()), len(composed())) == (60, 480)
