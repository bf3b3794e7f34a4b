"""Rows next to what augmentations make of them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris

from skrepr import ContrastiveEmbedding
from skrepr.augmentations import FeatureSwap, GaussianNoise, Jitter, RandomRotation
from skrepr.displays import plot_views

pytestmark = pytest.mark.usefixtures("figures")

DIGITS = load_digits().data
IMAGES = DIGITS.reshape(-1, 1, 8, 8)


@pytest.mark.parametrize(
    ("parameters", "X"),
    [
        ({"input_shape": (1, 8, 8)}, DIGITS),
        ({}, IMAGES),
        ({"input_shape": (1, -1)}, DIGITS),
        ({}, load_iris().data),
        ({}, load_iris(as_frame=True).data),
        ({"missing": "mask"}, np.where(load_iris().data < 0.3, np.nan, load_iris().data)),
    ],
)
def test_a_row_of_panels_for_each_row(parameters, X):
    axes = plot_views(ContrastiveEmbedding(**parameters), X, n_samples=3, n_views=2)
    assert axes.shape == (3, 3)
    assert [panel.get_title() for panel in axes[0]] == ["row", "view 1", "view 2"]
    assert all(panel.images or panel.lines or panel.patches for panel in axes.flat)


def test_rows_are_in_the_first_column_and_views_beside_them():
    embedding = ContrastiveEmbedding(augmentation=RandomRotation(90))
    axes = plot_views(embedding, IMAGES[:4], n_samples=4, n_views=3, random_state=0)
    views = embedding.make_views(IMAGES[:4], 3, random_state=0)
    for i, line in enumerate(axes):
        np.testing.assert_allclose(line[0].images[0].get_array(), IMAGES[i, 0], atol=1e-5)
        for j in range(3):
            np.testing.assert_allclose(line[1 + j].images[0].get_array(), views[i, j, 0])


def test_bars_show_which_values_were_swapped():
    embedding = ContrastiveEmbedding(augmentation=FeatureSwap(0.5))
    axes = plot_views(embedding, load_iris().data[::10], n_samples=5, n_views=4, random_state=0)
    shades = {bar.get_facecolor() for panel in axes[:, 1:].flat for bar in panel.patches}
    assert len(shades) == 2
    assert len({bar.get_facecolor() for panel in axes[:, 0] for bar in panel.patches}) == 1


def test_names_and_positions():
    frame = load_iris(as_frame=True).data
    axes = plot_views(ContrastiveEmbedding(), frame, n_samples=2)
    assert [label.get_text() for label in axes[-1, 0].get_xticklabels()] == list(frame)
    x = np.linspace(400, 900, 64)
    spectra = ContrastiveEmbedding(input_shape=(1, -1), augmentation=Jitter(0.1))
    axes = plot_views(spectra, DIGITS[:9], x=x, n_samples=2)
    np.testing.assert_array_equal(axes[0, 0].lines[0].get_xdata(), x)


def test_it_draws_into_given_axes():
    figure, ax = plt.subplots()
    assert plot_views(ContrastiveEmbedding(), pd.DataFrame(DIGITS), ax=ax)[0, 0].figure is figure


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"n_views": 1.5}, "n_views"),
        ({"random_state": "a"}, "random_state"),
        ({"ax": 3}, "ax"),
    ],
)
def test_what_is_not_one_is_refused(arguments, told):
    with pytest.raises(ValueError, match=f"The '{told}' parameter of plot_views must be"):
        plot_views(ContrastiveEmbedding(), DIGITS, **arguments)


def test_the_same_seed_makes_the_same_views():
    embedding = ContrastiveEmbedding(augmentation=GaussianNoise(0.5))
    first, second = (embedding.make_views(DIGITS[:5], 3, random_state=7) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (5, 3, 64)
    assert (embedding.make_views(DIGITS[:5], 3, random_state=8) != first).any()
    assert not hasattr(embedding, "n_features_in_")
