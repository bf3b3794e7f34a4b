"""How many directions an embedding uses, on cases with known answers."""

import math

import numpy as np
import pytest

from skrepr.metrics import effective_rank


def rank_of_the_paper(Z):
    """Transcribe RankMe (Garrido et al. 2023, equation 1), with its epsilon of 1e-7."""
    sigma = np.sqrt(np.clip(np.linalg.eigvalsh(Z.T @ Z), 0, None))
    p = [value / sum(abs(sigma)) + 1e-7 for value in sigma]
    return math.exp(-sum(value * math.log(value) for value in p))


def orthonormal(n, k, seed=0):
    Z = np.random.default_rng(seed).normal(size=(n, k))
    return np.linalg.qr(Z - Z.mean(axis=0))[0]


@pytest.mark.parametrize("k", [1, 2, 7])
def test_equal_directions_count_one_each(k):
    assert effective_rank(orthonormal(100, k)) == pytest.approx(k, rel=1e-9)


def test_two_directions_of_unequal_length():
    # shares 3/4 and 1/4: exp(entropy) = 4 / 3^(3/4)
    Z = orthonormal(100, 2) * [3, 1]
    assert effective_rank(Z) == pytest.approx(4 / 3**0.75, rel=1e-9)


def test_rows_on_a_line_have_rank_one():
    Z = np.outer(np.arange(50.0), [1, 2, -3]) + 5.0
    assert effective_rank(Z) == pytest.approx(1, abs=1e-6)
    # without centring, the way to the origin is a direction of its own
    assert effective_rank(Z, center=False) > 1.05


@pytest.mark.parametrize("value", [0.0, 1.0, 1e6])
def test_a_constant_embedding_has_rank_zero(value):
    assert effective_rank(np.full((20, 3), value)) == 0
    assert effective_rank(np.full((20, 3), 0.1 * value, dtype=np.float32)) == 0
    # the mean of many rows is off by rounding, and is none of their values
    assert effective_rank(np.full((100_000, 3), 0.1 * value)) == 0


def test_the_formula_of_the_paper():
    Z = np.random.default_rng(1).normal(size=(300, 6)) * [5, 3, 2, 1, 0.5, 0.1] + 1
    assert effective_rank(Z, center=False) == pytest.approx(rank_of_the_paper(Z), rel=1e-5)
    centred = Z - Z.mean(axis=0)
    assert effective_rank(Z) == pytest.approx(rank_of_the_paper(centred), rel=1e-5)


def test_it_does_not_depend_on_units_axes_or_origin():
    rng = np.random.default_rng(2)
    Z = rng.normal(size=(200, 4)) * [4, 2, 1, 0.3]
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rank = effective_rank(Z)
    for unit in (1e-200, 1e-17, 1e-3, 1e200):
        assert effective_rank(unit * Z) == pytest.approx(rank, rel=1e-9)
    assert effective_rank(Z @ turn) == pytest.approx(rank, rel=1e-9)
    assert effective_rank(Z + 100) == pytest.approx(rank, rel=1e-9)
    assert isinstance(rank, float)


def test_fewer_rows_than_components():
    assert effective_rank(np.random.default_rng(3).normal(size=(4, 10))) <= 3 + 1e-9


@pytest.mark.parametrize("bad", [[[1.0, np.nan]], [1.0, 2.0], np.empty((0, 3))])
def test_bad_input(bad):
    with pytest.raises(ValueError, match=r"Z|2D array|minimum"):
        effective_rank(bad)
