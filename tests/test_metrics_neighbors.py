"""Neighbors in the embedding: against scikit-learn's formula and on counted cases."""

import tracemalloc

import numpy as np
import pytest
from sklearn import manifold
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from skrepr.metrics import knn_agreement, neighborhood_preservation, trustworthiness


def rows_and_map(n=300, d=6, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, d)) * np.linspace(2, 0.5, d)
    return X, PCA(2).fit_transform(X)


@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_trustworthiness_is_that_of_scikit_learn(k, offset):
    X, Z = rows_and_map()
    expected = manifold.trustworthiness(X, Z, n_neighbors=k)
    assert trustworthiness(X + offset, Z, n_neighbors=k) == pytest.approx(expected, abs=1e-12)


def test_trustworthiness_across_blocks(monkeypatch):
    monkeypatch.setattr("skrepr.metrics._sampling._BLOCK_VALUES", 256)
    monkeypatch.setattr("skrepr.metrics._sampling._QUERIES_OF_A_BLOCK", 7)
    X, Z = rows_and_map()
    assert trustworthiness(X, Z) == pytest.approx(manifold.trustworthiness(X, Z), abs=1e-12)


@pytest.mark.parametrize("metric", [trustworthiness, neighborhood_preservation])
def test_the_data_themselves_are_perfect(metric):
    X, _ = rows_and_map()
    assert metric(X, X) == 1
    assert metric(X, 3 * X + 1) == 1
    assert metric(X.reshape(-1, 2, 3), X) == 1


def test_an_embedding_of_nothing_is_as_good_as_chance():
    X, _ = rows_and_map(600)
    Z = np.random.default_rng(1).normal(size=(600, 2))
    assert trustworthiness(X, Z) == pytest.approx(0.5, abs=0.03)
    assert neighborhood_preservation(X, Z) == pytest.approx(5 / 599, abs=0.01)


def test_preservation_counts_common_neighbors():
    X, Z = rows_and_map()
    sets = [
        [set(row[1:]) for row in NearestNeighbors(n_neighbors=5).fit(A).kneighbors(A)[1]]
        for A in (X, Z)
    ]
    expected = np.mean([len(a & b) / 4 for a, b in zip(*sets)])
    assert neighborhood_preservation(X, Z, n_neighbors=4) == pytest.approx(expected)


def test_swapped_rows_on_a_line():
    # 0 1 2 3 4 5 6, with 2 and 4 exchanged: counted by hand for one neighbor
    X = (np.arange(7.0) ** 1.1)[:, None]
    Z = X[[0, 1, 4, 3, 2, 5, 6]]
    nearest = [1, 0, 1, 2, 3, 4, 5], [1, 0, 3, 4, 1, 2, 5]
    expected = np.mean(np.equal(*nearest))
    assert neighborhood_preservation(X, Z, n_neighbors=1) == pytest.approx(expected)


def test_agreement_of_classes_apart_and_of_none():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], 100)
    Z = rng.normal(size=(200, 3))
    assert knn_agreement(Z + 100 * (y == "b")[:, None], y) == 1
    assert knn_agreement(Z, y) == pytest.approx(0.5, abs=0.1)
    # two equal rows of two classes, far from all others
    assert knn_agreement([[0.0], [0.0], [9.0], [9.0]], [0, 1, 0, 1], n_neighbors=1) == 0


def test_a_row_is_not_its_own_neighbor_among_duplicates():
    Z, y = np.zeros((18, 2)), np.arange(18)
    assert knn_agreement(Z, y, n_neighbors=3) == 0


@pytest.mark.parametrize("metric", [trustworthiness, neighborhood_preservation])
def test_a_sample_estimates_the_whole_with_its_error(metric):
    X, Z = rows_and_map(800)
    whole, no_error = metric(X, Z, sample_size=None, return_error=True)
    assert no_error == 0
    found = [
        metric(X, Z, sample_size=100, random_state=seed, return_error=True) for seed in range(20)
    ]
    deviations = [(value - whole) / error for value, error in found]
    assert 0.6 < np.std(deviations) < 1.5
    assert abs(np.mean(deviations)) < 0.7
    assert metric(X, Z, sample_size=100, random_state=0) == found[0][0] != found[1][0]


def test_an_error_of_the_whole_is_zero_and_a_sample_of_all_is_the_whole():
    X, Z = rows_and_map(100)
    assert trustworthiness(X, Z, sample_size=100, return_error=True) == (
        trustworthiness(X, Z, sample_size=None),
        0,
    )


def test_the_global_generator_is_left_alone():
    X, Z = rows_and_map(100)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = trustworthiness(X, Z, sample_size=20)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    draws = {first} | {trustworthiness(X, Z, sample_size=20) for _ in range(4)}
    assert len(draws) > 1


def test_memory_does_not_grow_with_all_pairs():
    X = np.random.default_rng(0).normal(size=(30_000, 8)).astype(np.float32)
    tracemalloc.start()
    trustworthiness(X, X[:, :2], sample_size=600, random_state=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6  # the distances of the sample alone would take 144 MB


@pytest.mark.parametrize("metric", [trustworthiness, neighborhood_preservation])
def test_bad_parameters_of_pairs(metric):
    X, Z = rows_and_map(20)
    with pytest.raises(ValueError, match="n_neighbors == 0, must be >= 1"):
        metric(X, Z, n_neighbors=0)
    with pytest.raises(TypeError, match="n_neighbors must be an instance of int"):
        metric(X, Z, n_neighbors=2.5)
    with pytest.raises(ValueError, match=r"n_neighbors \(10\) should be less than n_samples / 2"):
        metric(X, Z, n_neighbors=10)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric(X, Z[1:])
    with pytest.raises(ValueError, match="Z contains NaN"):
        metric(X, np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="sample_size == 1, must be >= 2"):
        metric(X, Z, sample_size=1)
    with pytest.raises(TypeError, match="sample_size must be an instance of int"):
        metric(X, Z, sample_size="all")


def test_bad_parameters_of_agreement():
    Z = np.eye(4)
    with pytest.raises(ValueError, match="n_neighbors == 4, must be <= 3"):
        knn_agreement(Z, [0, 0, 1, 1], n_neighbors=4)
    with pytest.raises(ValueError, match="Unknown label type"):
        knn_agreement(Z, [0.1, 0.2, 0.3, 0.4], n_neighbors=1)
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match="y contains NaN"):
            knn_agreement(Z, np.array(["a", "b", "a", missing], dtype=object), n_neighbors=1)
