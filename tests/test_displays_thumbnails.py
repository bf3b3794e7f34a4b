"""Small pictures of rows on a map."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from pictures import overlaps
from sklearn.decomposition import PCA

from skrepr.displays import EmbeddingDisplay
from skrepr.displays._matplotlib import ON_LIGHT

pytestmark = pytest.mark.usefixtures("figures")
COLORS, GREY = ON_LIGHT


@pytest.mark.parametrize("sample_shape", [(1, 3, 4), (3, 2, 2), (1, 12), (12,)])
def test_thumbnails_are_samples_at_their_points(sample_shape, X):
    pca = PCA(2).fit(X)
    y = np.arange(60) % 2
    display = EmbeddingDisplay.from_estimator(
        pca, X, y, n_thumbnails=12, sample_shape=sample_shape
    )
    rows = display.thumbnail_rows_
    assert 4 <= len(rows) == len(display.thumbnails_) <= 12
    frames = display.ax_.patches
    boxes = [
        (*frame.get_xy(), frame.get_x() + frame.get_width(), frame.get_y() + frame.get_height())
        for frame in frames
    ]
    assert not overlaps(boxes)
    for row, frame, shown in zip(rows, frames, display.thumbnails_, strict=True):
        np.testing.assert_allclose(frame.get_center(), display.points[row], atol=1e-9)
        assert to_hex(frame.get_edgecolor()).upper() == COLORS[y[row]]
        if len(sample_shape) == 3:
            _, _, bottom, top = shown.get_extent()
            assert bottom < top and shown.origin == "upper"
            image = np.asarray(shown.get_array())
            sample = X[row].reshape(sample_shape)
            sample = sample[0] if sample_shape[0] == 1 else np.moveaxis(sample, 0, -1)
            assert image.shape == sample.shape
            assert np.corrcoef(image.ravel(), sample.ravel())[0, 1] == pytest.approx(1)
        else:
            (line,) = shown
            assert np.corrcoef(line.get_ydata(), X[row])[0, 1] == pytest.approx(1)
    x, y = display.ax_.get_xlim(), display.ax_.get_ylim()
    left, bottom, right, top = np.array(boxes).T
    assert x[0] <= left.min() and right.max() <= x[1]
    assert y[0] <= bottom.min() and top.max() <= y[1]


def test_thumbnails_at_the_edge_are_whole():
    Z = np.array([[0.0, 0.0], [1.0, 1.0]])
    display = EmbeddingDisplay.from_embedding(Z, samples=np.eye(2), n_thumbnails=5)
    assert sorted(display.thumbnail_rows_) == [0, 1]
    for frame in display.ax_.patches:
        low, high = frame.get_extents().transformed(display.ax_.transData.inverted()).get_points()
        assert (low >= display.ax_.get_xlim()[0]).all() and (
            high <= display.ax_.get_xlim()[1]
        ).all()


def test_frames_have_the_colors_of_values():
    Z = np.random.default_rng(0).normal(size=(50, 2))
    y = np.r_[np.full(5, np.nan), Z[5:, 0]]
    display = EmbeddingDisplay.from_embedding(Z, y, samples=Z, n_thumbnails=20)
    marks = display.scatters_[None]
    for row, frame in zip(display.thumbnail_rows_, display.ax_.patches, strict=True):
        expected = GREY if np.isnan(y[row]) else marks.get_cmap()(marks.norm(y[row]))
        assert to_hex(frame.get_edgecolor()) == to_hex(expected)


def test_many_thumbnails_are_placed_in_a_dense_cloud():
    Z = np.random.default_rng(0).normal(size=(2000, 2))
    display = EmbeddingDisplay.from_embedding(Z, samples=Z, n_thumbnails=20)
    assert 14 <= len(display.thumbnail_rows_) <= 20


@pytest.mark.parametrize("n_channels", [None, 2])
def test_series_of_different_lengths_are_thumbnails(n_channels):
    rng = np.random.default_rng(0)
    shape = () if n_channels is None else (n_channels,)
    samples = [rng.normal(size=(*shape, length)) for length in 5 + np.arange(30) % 4]
    display = EmbeddingDisplay.from_embedding(
        rng.normal(size=(30, 2)), samples=samples, n_thumbnails=10
    )
    for row, lines in zip(display.thumbnail_rows_, display.thumbnails_, strict=True):
        for line, channel in zip(lines, np.atleast_2d(samples[row]), strict=True):
            drawn = np.asarray(line.get_ydata())
            drawn = drawn[np.isfinite(drawn)]
            assert len(drawn) == len(channel)
            assert np.corrcoef(drawn, channel)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("sample", [np.full(6, np.nan), np.full(6, 3.0), np.ones(1)])
def test_thumbnails_without_a_curve_are_drawn(sample):
    Z = np.random.default_rng(0).normal(size=(10, 2))
    display = EmbeddingDisplay.from_embedding(Z, samples=np.tile(sample, (10, 1)), n_thumbnails=3)
    for row, (line,) in zip(display.thumbnail_rows_, display.thumbnails_, strict=True):
        if np.isfinite(sample).all():
            np.testing.assert_allclose(np.mean(line.get_data(), axis=1), Z[row])
