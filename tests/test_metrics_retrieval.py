"""Search for partners: ranks counted in full, chance, and what a collapse must not find."""

import numpy as np
import pytest

from skrepr.metrics import median_rank, recall_at_k


def ranks_in_full(Z, other, metric):
    if metric == "cosine":
        Z, other = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (Z, other))
    distances = np.linalg.norm(Z[:, None] - other, axis=2)
    return 1 + (distances < np.diag(distances)[:, None]).sum(axis=1)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("block", [2**21, 64])
def test_ranks_are_those_of_the_full_matrix(metric, block, monkeypatch):
    monkeypatch.setattr("skrepr.metrics._sampling._BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(120, 4)) + 3
    other = Z + rng.normal(size=Z.shape)
    ranks = ranks_in_full(Z, other, metric)
    assert median_rank(Z, other, metric=metric) == np.median(ranks)
    for k in (1, 5, 120):
        assert recall_at_k(Z, other, k=k, metric=metric) == pytest.approx(np.mean(ranks <= k))


def test_a_shift_by_one_is_found_second():
    line = np.arange(9.0)[:, None]
    assert recall_at_k(line, line + 0.9, metric="euclidean") == pytest.approx(1 / 9)
    assert recall_at_k(line, line + 0.9, k=2, metric="euclidean") == 1
    assert median_rank(line, line + 0.9, metric="euclidean") == 2


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_constant_embedding_finds_nothing(metric, value):
    Z = np.full((31, 3), value)
    assert recall_at_k(Z, Z, metric=metric) == 0
    assert median_rank(Z, Z, metric=metric) == 16


def test_a_sample_estimates_the_whole_with_its_error():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(1000, 4))
    other = Z + 0.3 * rng.normal(size=Z.shape)
    whole = recall_at_k(Z, other, sample_size=None)
    found = [
        recall_at_k(Z, other, sample_size=100, random_state=seed, return_error=True)
        for seed in range(20)
    ]
    assert 0.6 < np.std([(value - whole) / error for value, error in found]) < 1.5
    assert median_rank(Z, other, sample_size=500, random_state=0) == pytest.approx(
        median_rank(Z, other), abs=3
    )


def test_bad_parameters():
    Z = np.eye(3)
    with pytest.raises(ValueError, match="k == 0, must be >= 1"):
        recall_at_k(Z, Z, k=0)
    with pytest.raises(ValueError, match=r"metric must be 'cosine' or 'euclidean'. Got 'l1'"):
        median_rank(Z, Z, metric="l1")
    with pytest.raises(ValueError, match=r"same number of components. Got 3 and 2"):
        recall_at_k(Z, Z[:, :2])
