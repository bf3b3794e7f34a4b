"""Similarity of embeddings: invariances, transcriptions, and seeds that do or do not matter."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from skrepr.metrics import consistency_score, linear_cka


def cka_by_gram_matrices(A, B):
    """Transcribe HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) (Kornblith et al. 2019, section 3)."""
    H = np.eye(len(A)) - 1 / len(A)
    K, L = H @ A @ A.T @ H, H @ B @ B.T @ H
    return np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L))


def test_cka_is_the_formula_of_the_paper():
    A, B = np.random.default_rng(0).normal(size=(2, 80, 5)) + 3
    B = (A + B)[:, :3]
    assert linear_cka(A, B) == pytest.approx(cka_by_gram_matrices(A, B), rel=1e-9)
    assert linear_cka(A, B) == pytest.approx(linear_cka(B, A), rel=1e-12)


def test_cka_ignores_rotation_scale_and_offset_and_sees_stretching():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert linear_cka(A, 7 * A @ turn - 100) == pytest.approx(1)
    assert linear_cka(A, A * [10, 1, 1, 1]) < 0.7
    for unit in (1e-300, 1e-200, 1e120, 1e300):
        assert linear_cka(A, unit * A) == pytest.approx(1)


def test_cka_of_independent_and_of_constant_embeddings():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, 2000, 2))
    assert linear_cka(A, B) < 0.01
    for constant in (1, 0.1, 1e6 / 3):
        assert linear_cka(A, np.full((2000, 3), constant)) == 0


class NoiseBySeed(TransformerMixin, BaseEstimator):
    """The first column of X, the second too or a column of noise in its place."""

    def __init__(self, share=0.0, random_state=None, unit=1.0):
        self.share = share
        self.random_state = random_state
        self.unit = unit

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        noise = np.random.default_rng(self.random_state).normal(size=len(X))
        Z = np.c_[X[:, 0], self.share * noise + (1 - self.share) * X[:, 1]] + 100
        return self.unit * Z


def test_half_of_an_embedding_that_is_noise_halves_its_consistency():
    X = np.random.default_rng(0).normal(size=(2000, 2))
    assert consistency_score(NoiseBySeed(0.0), X, 3, random_state=0) == pytest.approx(1)
    score = consistency_score(NoiseBySeed(1.0), X, 3, random_state=0)
    assert score == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e155, 1e300])
def test_units_of_the_embedding_do_not_matter(unit):
    X = np.random.default_rng(0).normal(size=(200, 2))
    expected = consistency_score(NoiseBySeed(0.7), X, 3, random_state=0)
    found = consistency_score(NoiseBySeed(0.7, unit=unit), X, 3, random_state=0)
    assert found == pytest.approx(expected)


def test_alignment_is_linear_so_that_rotations_do_not_count():
    X = np.random.default_rng(0).normal(size=(200, 4))
    # full width: every projection spans the same space
    full = consistency_score(GaussianRandomProjection(4), X, random_state=0)
    assert full == pytest.approx(1)
    score, std = consistency_score(GaussianRandomProjection(1), X, random_state=0, return_std=True)
    assert score < 0.9
    assert std > 0.01


def test_every_seed_in_a_pipeline_is_set_and_the_estimator_is_left_as_it_was():
    X = np.random.default_rng(0).normal(size=(100, 3))
    model = make_pipeline(StandardScaler(), GaussianRandomProjection(1, random_state=0))
    assert consistency_score(model, X, 3, random_state=0) < 0.999
    assert model[-1].random_state == 0
    assert not hasattr(model[-1], "components_")
    same = [consistency_score(model, X, 3, random_state=5) for _ in range(2)]
    assert same[0] == same[1] != consistency_score(model, X, 3, random_state=6)


def test_bad_parameters():
    with pytest.raises(ValueError, match="n_repeats == 1, must be >= 2"):
        consistency_score(PCA(1), np.eye(8), 1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        linear_cka(np.eye(4), np.eye(5))
