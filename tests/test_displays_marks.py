"""Points of a map as marks or as letters."""

import numpy as np
import pytest

from skrepr.displays import EmbeddingDisplay

pytestmark = pytest.mark.usefixtures("figures")


def test_rare_labels_lie_above_frequent_ones_and_gray_below():
    y = np.array([None] + ["rare"] * 5 + ["frequent"] * 30, dtype=object)
    scatters = EmbeddingDisplay.from_embedding(np.zeros((36, 2)), y).scatters_
    order = sorted(scatters, key=lambda name: scatters[name].get_zorder())
    assert order == ["not known", "frequent", "rare"]


def test_marks_can_be_the_labels_themselves():
    Z = np.random.default_rng(0).normal(size=(20, 2))
    display = EmbeddingDisplay.from_embedding(Z, np.arange(20) % 2, marker="label")
    assert display.legend_ is None
    zero, one = (marks.get_paths()[0].vertices for marks in display.scatters_.values())
    assert zero.shape != one.shape


def test_letters_are_written_as_they_are_in_one_size():
    Z = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array(["$1", "a_b", "x^2 y^2", "$a$"])[np.arange(40) % 4]
    display = EmbeddingDisplay.from_embedding(Z, y, marker="label")
    plain = EmbeddingDisplay.from_embedding(Z, np.full(40, "$1"), marker="label")
    heights = {}
    for name, marks in display.scatters_.items():
        box = marks.get_paths()[0].get_extents()
        heights[name] = box.height / max(box.width, box.height) * np.sqrt(marks.get_sizes()[0])
        np.testing.assert_allclose((box.min + box.max) / 2, 0, atol=1e-9)
    np.testing.assert_allclose(
        plain.scatters_["$1"].get_paths()[0].vertices,
        display.scatters_["$1"].get_paths()[0].vertices,
    )
    assert max(heights.values()) < 1.5 * min(heights.values())
