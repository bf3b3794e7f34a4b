"""Rows of X as samples to be looked at."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.displays import EmbeddingDisplay, ReconstructionDisplay

pytestmark = pytest.mark.usefixtures("figures")


def test_series_with_different_channels_are_told():
    samples = [np.ones((1 + i % 2, 5)) for i in range(10)]
    with pytest.raises(ValueError, match="with one number of channels"):
        EmbeddingDisplay.from_embedding(
            np.random.default_rng(0).normal(size=(10, 2)), samples=samples, n_thumbnails=3
        )


def test_only_the_rows_shown_become_dense(X):
    X = csr_array(np.where(X > 0, X, 0))
    pca = PCA(2, svd_solver="arpack", random_state=0).fit(X)
    display = EmbeddingDisplay.from_estimator(pca, X, n_thumbnails=4, sample_shape=(1, 3, 4))
    assert display.samples is X
    assert {image.get_array().shape for image in display.thumbnails_} == {(3, 4)}


def test_thumbnails_take_the_shape_that_the_network_sees(X):
    model = make_pipeline(
        StandardScaler(),
        AutoencoderEmbedding(
            2, architecture=MLP((8,)), input_shape=(1, 3, 4), max_epochs=1, random_state=0
        ),
    ).fit(X)
    display = EmbeddingDisplay.from_estimator(model, X, n_thumbnails=4)
    assert display.sample_shape == (1, 3, 4)
    assert {image.get_array().shape for image in display.thumbnails_} == {(3, 4)}


def test_a_shape_that_does_not_fit_is_told(X):
    with pytest.raises(ValueError, match=r"sample_shape=\(1, 5, 5\) does not fit rows of shape"):
        EmbeddingDisplay.from_estimator(PCA(2).fit(X), X, n_thumbnails=3, sample_shape=(1, 5, 5))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (pd.DataFrame({"a": np.arange(10), "z": ["red"] * 10}), "Of column 'z', .* 'red'"),
        (np.full((10, 3), ""), "must be numbers to be drawn"),
        (np.ones((10, 3), dtype=complex), "must be numbers .* complex128"),
        (pd.DataFrame({"d": pd.date_range("2020", periods=10)}), "Of column 'd', .* datetime"),
        (np.ones((10, 0)), r"nothing to draw in samples of shape \(0,\)"),
        (np.ones((10, 1, 0, 4)), r"nothing to draw in samples of shape \(1, 0, 4\)"),
    ],
)
def test_samples_without_numbers_are_told(samples, message):
    Z = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_embedding(Z, samples=samples, n_thumbnails=3)
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay(samples, samples).plot()


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, None, 3], "b": [1.5, 2.5, 3.5]}, dtype="object"),
        pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1.5, 2.5, 3.5]}),
        pd.DataFrame({"a": pd.Categorical([1.0, None, 3.0]), "b": [1.5, 2.5, 3.5]}),
        pytest.importorskip("polars").DataFrame({"a": [1, None, 3], "b": [1.5, 2.5, 3.5]}),
    ],
)
def test_frames_of_every_kind_are_read(frame):
    expected = np.array([[1, 1.5], [np.nan, 2.5], [3, 3.5]])
    display = ReconstructionDisplay(frame, np.zeros((3, 2))).plot()
    heights = [[bar.get_height() for bar in bars] for bars in display.artists_[0]]
    np.testing.assert_array_equal(heights, expected)


def test_thumbnails_take_the_shape_of_the_best_estimator_of_a_search(X):
    model = AutoencoderEmbedding(
        2, architecture=MLP((8,)), input_shape=(1, 3, 4), max_epochs=1, random_state=0
    )
    search = GridSearchCV(model, {"n_components": [2]}, cv=2).fit(X)
    assert EmbeddingDisplay.from_estimator(search, X, n_thumbnails=4).sample_shape == (1, 3, 4)
