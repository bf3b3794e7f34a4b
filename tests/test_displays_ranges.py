"""Ranges that a few rows far out do not stretch."""

import numpy as np
import pytest

from skrepr.displays import EmbeddingDisplay

pytestmark = pytest.mark.usefixtures("figures")


def test_both_axes_have_one_scale_and_all_points_are_inside():
    Z = np.random.default_rng(0).uniform(size=(100, 2)) * [10, 1]
    display = EmbeddingDisplay.from_embedding(Z)
    x, y = display.ax_.get_xlim(), display.ax_.get_ylim()
    assert np.diff(x) == pytest.approx(np.diff(y))
    assert display.ax_.get_aspect() == 1
    assert x[0] < Z[:, 0].min() and x[1] > Z[:, 0].max()
    assert display.n_outside_ == 0


def test_points_far_out_leave_room_and_are_counted():
    Z = np.random.default_rng(0).normal(size=(1000, 2))
    Z[7] = 1e4, 0
    display = EmbeddingDisplay.from_embedding(Z)
    assert display.ax_.get_xlim()[1] < 10
    assert display.n_outside_ == 1
    assert "1 of 1,000 points are outside" in display.ax_.get_xlabel()
    assert display.plot(coverage=1.0).ax_.get_xlim()[1] > 1e4
    assert display.n_outside_ == 0
    display.plot(coverage=0.5)
    x, y = display.ax_.get_xlim(), display.ax_.get_ylim()
    low, high = np.transpose([x, y])
    inside = ((low <= Z) & (high >= Z)).all(axis=1)
    assert display.n_outside_ == (~inside).sum() > 300


def test_one_point_of_few_far_out_leaves_room():
    Z = np.random.default_rng(0).normal(size=(60, 2))
    Z[7] = 1e4, 0
    display = EmbeddingDisplay.from_embedding(Z)
    assert display.n_outside_ == 1 and display.ax_.get_xlim()[1] < 10


def test_any_share_of_the_points_leaves_some():
    Z = np.random.default_rng(0).normal(size=(10, 2))
    for coverage in (1e-12, 0.1, 0.5, 1):
        display = EmbeddingDisplay.from_embedding(Z, coverage=coverage)
        low, high = display.ax_.get_xlim()
        assert low < high
    assert display.n_outside_ == 0
