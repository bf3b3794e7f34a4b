"""Alignment and uniformity: against the authors' formulas and on known geometry."""

import numpy as np
import pytest
import torch

from skrepr.metrics import alignment, uniformity


def of_the_paper(z, y, alpha, t):
    """Transcribe the code of Wang & Isola (2020, appendix), on rows of unit length."""
    z, y = (torch.nn.functional.normalize(torch.from_numpy(a)) for a in (z, y))
    align = (z - y).norm(p=2, dim=1).pow(alpha).mean()
    uniform = torch.pdist(z, p=2).pow(2).mul(-t).exp().mean().log()
    return align.item(), uniform.item()


@pytest.mark.parametrize(("alpha", "t"), [(2, 2), (1, 3), (0.5, 0.1)])
def test_formulas_of_the_paper(alpha, t, monkeypatch):
    rng = np.random.default_rng(0)
    Z, other = rng.normal(size=(2, 150, 5)) + 0.5
    align, uniform = of_the_paper(Z, other, alpha, t)
    assert alignment(Z, other, alpha=alpha) == pytest.approx(align, rel=1e-9)
    assert uniformity(Z, t=t) == pytest.approx(uniform, rel=1e-9)
    monkeypatch.setattr("skrepr.metrics._sampling._BLOCK_VALUES", 64)
    assert uniformity(Z, t=t) == pytest.approx(uniform, rel=1e-9)


def test_known_angles():
    e = np.eye(2)
    assert alignment(e, 5 * e) == 0
    assert alignment(e, -e) == pytest.approx(4)
    assert alignment(e, e[::-1], alpha=1) == pytest.approx(np.sqrt(2))
    # one pair at a right angle: log exp(-2 * 2)
    assert uniformity(e) == pytest.approx(-4)


@pytest.mark.parametrize("t", [1e-300, 1e-3, 10, 200, 1e6, 1e300])
def test_a_sharp_potential_does_not_underflow(t):
    assert uniformity([[1, 0], [-1, 0]], t=t) == pytest.approx(-4 * t)
    # three rows: only the pair at a right angle counts
    expected = -2 * t + np.log((2 + np.exp(-2 * t)) / 3)
    assert uniformity([[1, 0], [-1, 0], [0, 1]], t=t) == pytest.approx(expected)


@pytest.mark.parametrize("t", [1e6, 1e18, 1e300])
def test_equal_rows_are_equal_however_sharp_the_potential(t):
    # each row has one double among 79 others; a product of matrices tells them apart
    Z = np.repeat(np.random.default_rng(0).normal(size=(40, 7)), 2, axis=0)
    assert uniformity(Z, t=t) == pytest.approx(-np.log(79))


def test_sharp_potentials_have_an_error_too():
    Z = np.random.default_rng(0).normal(size=(300, 64))
    value, error = uniformity(Z, t=1e4, sample_size=100, random_state=0, return_error=True)
    assert np.isfinite([value, error]).all()
    assert error > 0


def test_powers_of_distances_stay_in_range():
    assert alignment([[1, 0], [0, 1]], [[-1, 0], [0, -1]], alpha=1000) == pytest.approx(2.0**1000)
    with pytest.raises(ValueError, match="alpha == 1001, must be <= 1000"):
        alignment(np.eye(2), np.eye(2), alpha=1001)


def test_a_constant_embedding_is_aligned_and_not_uniform():
    Z = np.full((40, 3), 2.0)
    assert alignment(Z, Z) == 0
    assert uniformity(Z) == pytest.approx(0, abs=1e-12)


def test_an_even_circle_has_the_value_of_the_integral():
    angles = np.linspace(0, 2 * np.pi, 2001)[:-1]
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    # mean of exp(-4 + 4 cos) is exp(-4) I_0(4)
    assert uniformity(circle) == pytest.approx(np.log(np.exp(-4) * np.i0(4)), abs=5e-3)
    assert np.log(np.exp(-4) * np.i0(4)) == pytest.approx(-1.57, abs=0.01)


def test_rows_without_direction_lie_at_the_origin():
    assert uniformity(np.zeros((9, 3))) == pytest.approx(0, abs=1e-12)
    # squared distances 1, 1 and 2
    expected = np.log((2 * np.exp(-2) + np.exp(-4)) / 3)
    assert uniformity([[0, 0], [1, 0], [0, 1]]) == pytest.approx(expected)


@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e200, 1e300])
def test_units_do_not_matter(unit):
    Z, other = np.random.default_rng(0).normal(size=(2, 20, 3))
    assert alignment(unit * Z, unit * other) == pytest.approx(alignment(Z, other))
    assert uniformity(unit * Z) == pytest.approx(uniformity(Z))


def test_a_sample_estimates_the_whole_with_its_error():
    Z = np.random.default_rng(0).normal(size=(1000, 3)) + np.eye(3)[0]
    whole = uniformity(Z, sample_size=None)
    found = [
        uniformity(Z, sample_size=100, random_state=seed, return_error=True) for seed in range(20)
    ]
    assert 0.6 < np.std([(value - whole) / error for value, error in found]) < 1.5
    assert uniformity(Z, sample_size=100, random_state=3) == found[3][0]


def test_bad_parameters():
    Z = np.eye(3)
    with pytest.raises(ValueError, match="alpha == 0, must be > 0"):
        alignment(Z, Z, alpha=0)
    with pytest.raises(ValueError, match=r"same number of components. Got 3 and 2"):
        alignment(Z, Z[:, :2])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        alignment(Z, Z[:2])
    with pytest.raises(ValueError, match="t == -1, must be > 0"):
        uniformity(Z, t=-1)
