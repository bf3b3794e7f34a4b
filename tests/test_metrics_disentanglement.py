"""MIG and DCI: factors themselves, factors turned, factors repeated, and nothing."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from skrepr.metrics import dci, mig


def discrete(n=2000, seed=0):
    return np.random.default_rng(seed).integers(5, size=(n, 2))


def turned(factors):
    return (factors - factors.mean(axis=0)) @ [[1, 1], [1, -1]]


def test_factors_themselves_have_a_gap_of_one():
    # a grid: factors are exactly independent
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(5)), -1).reshape(-1, 2)
    assert mig(grid, grid) == pytest.approx(1)
    assert mig(grid[:, ::-1] * [3.0, -1], grid) == pytest.approx(1)


def test_a_factor_in_two_components_has_no_gap():
    factors = discrete()
    assert mig(np.c_[factors[:, 0], factors[:, 0]], factors[:, :1]) == pytest.approx(0)
    assert mig(turned(factors), factors) < 0.15


def test_the_gap_is_the_formula_of_the_paper():
    rng = np.random.default_rng(0)
    factors = discrete()
    Z = np.c_[
        factors[:, 0] + rng.integers(2, size=2000), factors[:, 1], rng.integers(3, size=2000)
    ]
    gaps = []
    for v in factors.T:
        known = sorted(mutual_info_score(v, z) for z in Z.T)
        gaps.append((known[-1] - known[-2]) / mutual_info_score(v, v))
    assert mig(Z, factors) == pytest.approx(np.mean(gaps))


def test_continuous_factors_are_cut_into_bins():
    factors = np.random.default_rng(0).uniform(size=(20_000, 2))
    assert mig(factors, factors, n_bins=10) == pytest.approx(1, abs=0.01)
    assert mig(-factors, factors, n_bins=10) == pytest.approx(1, abs=0.01)


def test_the_span_of_a_factor_may_be_beyond_floating_point():
    factors = np.random.default_rng(0).uniform(-1, 1, size=(2000, 2))
    expected = mig(factors, factors)
    assert mig(factors, 1.7e308 * factors) == pytest.approx(expected)
    assert mig(1.7e308 * factors, factors) == pytest.approx(expected)


def test_a_constant_factor_or_component_is_left_out():
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(5)), -1).reshape(-1, 2)
    assert mig(np.c_[grid, np.ones(20)], np.c_[grid, np.ones(20)]) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"At least 1 of the factors must vary\. Got 0 of 1"):
        mig(grid, np.ones((20, 1)))


def test_dci_of_factors_themselves_and_turned():
    factors = np.random.default_rng(0).uniform(size=(800, 2))
    straight, mixed = (dci(Z, factors, random_state=0) for Z in (factors, turned(factors)))
    assert min(straight) > 0.95
    assert mixed.disentanglement < 0.15
    assert mixed.completeness < 0.15
    assert mixed.informativeness > 0.85


def test_a_factor_in_two_components_is_disentangled_but_incomplete():
    factors = np.random.default_rng(0).uniform(size=(800, 2))
    found = dci(np.c_[factors, factors], factors, random_state=0)
    assert found.disentanglement > 0.95
    assert found.completeness == pytest.approx(0.5, abs=0.1)  # two of four: 1 - log_4 2


def test_both_factors_in_one_component_are_complete_but_entangled():
    grid = np.random.default_rng(0).integers(2, size=(800, 2))
    noise = np.random.default_rng(1).normal(size=(800, 2))
    found = dci(np.c_[grid @ [1, 2], noise], grid, random_state=0)
    assert found.disentanglement < 0.1
    assert found.completeness > 0.9
    assert found.informativeness > 0.99


def test_dci_leaves_a_constant_factor_out():
    factors = np.random.default_rng(0).uniform(size=(300, 2))
    with_constant = dci(factors, np.c_[factors, np.ones(300)], random_state=0)
    assert with_constant == dci(factors, factors, random_state=0)


def test_a_factor_of_many_whole_numbers_is_a_number():
    factors = np.random.default_rng(0).permuted(np.tile(np.arange(300), (2, 1)), axis=1).T
    # as classes, of one row each, none of those held out would be known
    assert dci(factors, factors, random_state=0).informativeness > 0.95


def test_without_information_nothing_is_predicted():
    rng = np.random.default_rng(0)
    found = dci(rng.normal(size=(400, 3)), rng.uniform(size=(400, 2)), random_state=0)
    assert found.informativeness < 0.1


def test_seeds_repeat():
    factors = np.random.default_rng(0).uniform(size=(200, 2))
    Z = turned(factors)
    first, same, other = (dci(Z, factors, random_state=seed) for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("metric", [mig, dci])
def test_bad_parameters(metric):
    factors = discrete(20)
    with pytest.raises(ValueError, match=r"1 feature\(s\) while a minimum of 2 is required by Z"):
        metric(factors[:, :1], factors)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        metric(factors[1:], factors)
    with pytest.raises(ValueError, match="2D array"):
        metric(factors, factors[:, 0])


def test_dci_needs_two_factors_and_mig_two_bins():
    factors = discrete(20)
    with pytest.raises(ValueError, match=r"At least 2 of the factors must vary\. Got 1 of 1"):
        dci(factors, factors[:, :1])
    with pytest.raises(ValueError, match="n_bins == 1, must be >= 2"):
        mig(factors, factors, n_bins=1)
