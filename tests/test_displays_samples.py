"""Rows of X as samples to be looked at."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr import AutoencoderEmbedding
from skrepr.architectures import MLP
from skrepr.displays import EmbeddingDisplay

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
