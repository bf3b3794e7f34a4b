"""Many points of a map as the density of them."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from skrepr.displays import EmbeddingDisplay
from skrepr.displays._matplotlib import ON_LIGHT

pytestmark = pytest.mark.usefixtures("figures")
COLORS = ON_LIGHT.colors


def test_density_counts_every_point():
    Z = np.random.default_rng(0).normal(size=(5000, 2))
    display = EmbeddingDisplay.from_embedding(Z, density_from=5000)
    assert display.counts_.sum() == 5000 - display.n_outside_
    assert not display.scatters_ and not display.ax_.collections
    assert display.image_.origin == "lower"
    left, right, bottom, top = display.image_.get_extent()
    assert display.ax_.get_xlim() == (left, right) and display.ax_.get_ylim() == (bottom, top)
    n_cells = len(display.counts_)
    expected, _, _ = np.histogram2d(*Z.T, bins=n_cells, range=[(left, right), (bottom, top)])
    assert (display.counts_ != expected.T).mean() < 0.001  # points on an edge
    assert display.colorbar_.ax.get_ylabel() == "points in a cell"
    assert EmbeddingDisplay.from_embedding(Z, density_from=5001).image_ is None


def test_density_has_the_color_of_the_most_frequent_label():
    y = np.repeat([0, 1, 2], [1000, 900, 100])
    Z = np.random.default_rng(0).uniform(size=(2000, 2)) + 5 * (y == 0)[:, None]
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=0)
    picture = np.asarray(display.image_.get_array())
    shown = display.counts_ > 0
    assert (picture[..., 3] > 0).tolist() == shown.tolist()
    colors = np.array([matplotlib.colors.to_rgb(color) for color in COLORS[:3]])
    n_cells = len(shown)
    low, span = display.ax_.get_xlim()[0], np.diff(display.ax_.get_xlim())
    cells = ((Z - [low, display.ax_.get_ylim()[0]]) / span * n_cells).astype(int)
    for column, row in np.unique(cells, axis=0)[::20]:
        here = y[(cells == [column, row]).all(axis=1)]
        most = np.bincount(here, minlength=3)
        chosen = np.abs(colors - picture[row, column, :3]).sum(axis=1).argmin()
        assert most[chosen] == most.max()


def test_density_of_as_many_labels_as_points():
    Z = np.random.default_rng(0).uniform(size=(30_000, 2))
    y = np.where(np.arange(30_000) < 20_000, np.arange(30_000), -1).astype(str)
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert list(display.counts_.shape) == [86, 86]
    picture = np.asarray(display.image_.get_array())[display.counts_ > 8]
    shown = {to_hex(cell[:3]).upper() for cell in picture}
    assert COLORS[0] in shown  # "-1", the first in order
    assert [text.get_text() for text in display.legend_.get_texts()][-1] == "19991 other labels"


def test_density_shows_mean_values():
    Z = np.random.default_rng(0).uniform(size=(4000, 2))
    y = np.where(Z[:, 0] < 0.5, 1.5, 3.5)
    y[::10] = np.nan
    display = EmbeddingDisplay.from_embedding(Z, y, density_from=0)
    means = display.image_.get_array()
    width = means.shape[1] // 2
    np.testing.assert_allclose(means[:, : width - 1].compressed(), 1.5)
    np.testing.assert_allclose(means[:, width + 1 :].compressed(), 3.5)
    assert display.colorbar_.ax.get_ylabel() == "mean value"


def test_million_points_are_drawn_as_an_image():
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(10**6, 2)).astype(np.float32), rng.integers(0, 5, 10**6)
    display = EmbeddingDisplay.from_embedding(Z, y)
    assert display.image_ is not None and not display.scatters_
    assert display.counts_.shape == (200, 200)
    assert display.counts_.sum() == 10**6 - display.n_outside_
    assert len(display.legend_.get_texts()) == 5
