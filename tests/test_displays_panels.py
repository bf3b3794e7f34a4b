"""Panels in one frame: how they are laid out, and what samples in them are measured in."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from skrepr.displays._panels import (
    columns_units,
    divide,
    is_table,
    limits,
    mark_columns,
    mark_positions,
    names_of_columns,
    short_names,
)

pytestmark = pytest.mark.usefixtures("figures")


@pytest.mark.parametrize("shape", [(1, 1), (3, 2)])
def test_panels_fill_the_frame(shape):
    _, ax = plt.subplots()
    panels = divide(ax, shape, 0.5, 0.25)
    assert panels.shape == shape and not ax.axison
    frame, boxes = ax.get_window_extent(), [p.get_window_extent() for p in panels.flat]
    assert boxes[0].y1 == pytest.approx(frame.y1) and boxes[0].x0 == pytest.approx(frame.x0)
    assert boxes[-1].y0 == pytest.approx(frame.y0) and boxes[-1].x1 == pytest.approx(frame.x1)
    if shape == (3, 2):
        gap = boxes[1].x0 - boxes[0].x1, boxes[0].y0 - boxes[2].y1
        assert gap == pytest.approx((0.5 * boxes[0].width, 0.25 * boxes[0].height))


def test_tables_are_narrow_and_without_positions():
    assert is_table(np.ones((2, 30)), None)
    assert not is_table(np.ones((2, 31)), None)
    assert not is_table(np.ones((2, 30)), np.arange(30))
    assert not is_table(np.ones((2, 1, 30)), None)


def test_units_are_those_of_the_values_there_are():
    X = np.random.default_rng(0).normal(3, 2, size=(20, 3))
    X[4, 0], X[5, 0], X[:, 2] = np.nan, np.inf, 7.0
    center, scale = columns_units(X)
    seen = np.delete(X[:, 0], [4, 5])
    np.testing.assert_allclose(center, [seen.mean(), X[:, 1].mean(), 7])
    np.testing.assert_allclose(scale, [seen.std(), X[:, 1].std(), 1])
    assert columns_units(X[:9]) == (None, None)


def test_names_are_those_of_a_frame_and_cut():
    assert names_of_columns(pd.DataFrame({1: [0.0], "b": [1.0]})) == ["1", "b"]
    assert names_of_columns(np.ones((2, 2))) is None
    assert short_names(["ab", "x" * 30]) == ["ab", f"{'x' * 11}…{'x' * 12}"]


def test_columns_are_marked_by_names_or_whole_numbers():
    figure, (left, right) = plt.subplots(1, 2)
    for panel, names in ((left, None), (right, ["$a$", "b", "c"])):
        panel.plot([0, 1, 2], [0, 1, 2])
        mark_columns(panel, 3, names)
    figure.draw_without_rendering()
    np.testing.assert_array_equal(left.get_xticks() % 1, 0)
    assert [label.get_text() for label in right.get_xticklabels()] == ["$a$", "b", "c"]


@pytest.mark.parametrize("x", [np.arange(1000), np.arange("2020", "2023", dtype="M8[D]")])
def test_positions_have_few_marks(x):
    figure, ax = plt.subplots(figsize=(9, 2))
    ax.plot(x, np.zeros(len(x)))
    mark_positions(ax, x)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    assert 1 <= sum(low <= tick <= high for tick in ax.get_xticks()) <= 4


def test_limits_have_a_margin():
    assert limits(np.array([1.0, np.nan, 3.0, np.inf])) == (1, 3, pytest.approx(0.1))
    assert limits(np.array([2.0, 2.0])) == (2, 2, 1)
