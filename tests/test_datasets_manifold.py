"""Rows on a manifold: the factors that are returned are the truth."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skrepr.datasets import make_manifold


def test_without_curvature_the_factors_are_all_there_is():
    X, factors = make_manifold(200, 12, n_factors=3, curvature=0, random_state=0)
    assert np.linalg.matrix_rank(X) == 3
    assert LinearRegression().fit(X, factors).score(X, factors) == pytest.approx(1)
    nearly = make_manifold(200, 12, n_factors=3, curvature=1e-7, random_state=0)[0]
    assert np.allclose(nearly, X, atol=1e-5)


def test_curvature_bends_it_out_of_the_plane():
    ranks = [
        np.linalg.matrix_rank(make_manifold(300, 12, curvature=c, random_state=0)[0], rtol=0.05)
        for c in (0.0, 1.0, 4.0)
    ]
    assert ranks[0] == 2 < ranks[1] < ranks[2]


def test_features_are_a_function_of_the_factors_one_to_one():
    X, factors = make_manifold(300, 20, random_state=0)
    gaps = np.linalg.norm(X[:, None] - X, axis=2) + np.eye(300)
    assert gaps.min() > 1e-4
    # the same factor, moved a little, moves the row a little
    nearest = gaps.argmin(axis=1)
    assert np.abs(factors - factors[nearest]).max(axis=1).mean() < 0.2


def test_factors_are_uniform_and_independent():
    _, factors = make_manifold(5000, n_factors=3, random_state=0)
    assert factors.shape == (5000, 3)
    assert -1 <= factors.min() < -0.99 and 0.99 < factors.max() <= 1
    assert np.allclose(factors.var(axis=0), 1 / 3, atol=0.02)
    assert np.allclose(np.corrcoef(factors.T), np.eye(3), atol=0.05)


def test_noise_has_its_standard_deviation_and_leaves_the_manifold():
    clean, factors = make_manifold(2000, random_state=0)
    noisy, same = make_manifold(2000, noise=0.3, random_state=0)
    assert (factors == same).all()
    assert (noisy - clean).std() == pytest.approx(0.3, rel=0.02)


def test_seeds():
    for first, second in zip(make_manifold(random_state=0), make_manifold(random_state=0)):
        assert (first == second).all()
    assert not np.allclose(make_manifold(random_state=0)[0], make_manifold(random_state=1)[0])
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert not np.allclose(make_manifold()[0], make_manifold()[0])
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_samples": 0}, "n_samples == 0, must be >= 1"),
        ({"n_factors": 0}, "n_factors == 0, must be >= 1"),
        ({"curvature": -1}, "curvature == -1, must be >= 0"),
        ({"noise": -0.1}, "noise == -0.1, must be >= 0"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_manifold(**parameters)
