"""Class scores in words."""

from __future__ import annotations

import numpy as np

from fgcompile.artifact.elements import class_score, top_classes

LOGITS = np.array([0.5, 2.0, 2.0, -1.0], np.float32)


def test_best_first_and_the_lower_index_of_equals() -> None:
    assert [entry.index for entry in top_classes(LOGITS, None)] == [1, 2, 0]
    assert [entry.index for entry in top_classes(LOGITS, None, count=9)] == [1, 2, 0, 3]


def test_names_come_from_the_labels() -> None:
    assert class_score(LOGITS, 3, ["a", "b", "c", "d"]).name == "d"
    assert class_score(LOGITS, 3, None).name == "class 3"
    assert class_score(LOGITS, 3, None).score == -1.0


def test_labels_that_two_classes_share_have_their_numbers() -> None:
    labels = ["missile", "b", "c", "missile"]
    assert class_score(LOGITS, 3, labels).name == "missile (3)"
    assert class_score(LOGITS, 1, labels).name == "b"
