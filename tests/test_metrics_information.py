"""Active units and bounds on mutual information: cases whose information is known."""

import numpy as np
import pytest
from scipy.stats import norm

from skrepr.metrics import active_units, mutual_information


def test_active_units_are_counted_by_the_variance_of_the_mean():
    Z = np.random.default_rng(0).normal(size=(500, 4)) * [1.0, 0.2, 0.05, 0] + 7
    assert active_units(Z) == 2
    assert active_units(Z, threshold=0.5) == 1
    assert active_units(Z, threshold=0) == 3
    assert isinstance(active_units(Z), int)


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e155, 1e300])
def test_active_units_are_in_the_unit_of_the_prior(unit):
    Z = np.c_[np.random.default_rng(0).normal(size=(500, 3)), np.full(500, 0.1)]
    # all that varies is above any threshold, or below; what does not vary is not active
    assert active_units(unit * Z, threshold=0) == 3
    assert active_units(unit * Z) == (3 if unit > 1 else 0)
    # each component in its own
    assert active_units(np.c_[unit * Z, Z]) == (6 if unit > 1 else 3)
    if unit in (1e-170, 1e155):  # whose squares are out of range, but not their roots
        assert active_units(unit * Z, threshold=1e300) == (3 if unit > 1 else 0)


def infonce_of_the_paper(Z, other, temperature):
    """Transcribe equation 12 of Poole et al. (2019), with a cosine as critic."""
    total = 0.0
    for i, z in enumerate(Z):
        scores = [np.exp(z @ o / np.sqrt((z @ z) * (o @ o)) / temperature) for o in other]
        total += np.log(scores[i] / np.mean(scores))
    return total / len(Z)


def gaussian_of_the_paper(mean, log_variance, random_state):
    z = mean + np.exp(log_variance / 2) * np.random.RandomState(random_state).normal(
        size=mean.shape
    )
    total = 0.0
    for i in range(len(z)):
        densities = [norm.pdf(z[i], m, np.exp(v / 2)).prod() for m, v in zip(mean, log_variance)]
        total += np.log(densities[i] / np.mean(densities))
    return total / len(z)


def test_formulas_of_the_papers(monkeypatch):
    rng = np.random.default_rng(0)
    Z, other = rng.normal(size=(2, 60, 3))
    other += Z
    nce = infonce_of_the_paper(Z, other, 0.3)
    gaussian = gaussian_of_the_paper(Z, other - 2, 5)
    for values in (2**21, 16):  # also across blocks
        monkeypatch.setattr("skrepr.metrics._sampling._BLOCK_VALUES", values)
        assert mutual_information(Z, other, temperature=0.3) == pytest.approx(nce, rel=1e-9)
        assert mutual_information(
            Z + 10, other - 2, method="gaussian", random_state=5
        ) == pytest.approx(gaussian, rel=1e-9)


def test_gaussian_channel_of_known_capacity():
    # z = x + noise with x ~ N(0, 1): I = log(1 + 1 / v) / 2 in each of two components
    mean = np.random.default_rng(0).normal(size=(2000, 2))
    log_variance = np.full((2000, 2), np.log(0.25))
    bound = mutual_information(mean, log_variance, method="gaussian", random_state=0)
    assert bound == pytest.approx(np.log(1 + 1 / 0.25), abs=0.08)


def test_a_collapsed_posterior_knows_nothing():
    bound = mutual_information(np.zeros((200, 3)), np.zeros((200, 3)), method="gaussian")
    assert bound == pytest.approx(0, abs=1e-12)


def test_rows_all_apart_reach_the_logarithm_of_their_number():
    mean = 100.0 * np.arange(50)[:, None]
    bound = mutual_information(mean, np.zeros((50, 1)), method="gaussian")
    assert bound == pytest.approx(np.log(50))
    bound = mutual_information(np.eye(50), np.eye(50), temperature=0.01)
    assert bound == pytest.approx(np.log(50))


def test_narrow_posteriors_do_not_cancel():
    mean = np.random.default_rng(0).normal(size=(60, 2))
    bound = mutual_information(mean, np.full((60, 2), -80.0), method="gaussian", random_state=0)
    assert bound == pytest.approx(np.log(60))


@pytest.mark.parametrize("log_variance", [-290.0, -80.0, -40.0])
def test_equal_narrow_posteriors_share(log_variance):
    # of each pair of rows, nothing tells which it was
    mean = np.repeat(np.random.default_rng(0).normal(size=(30, 2)) + 5, 2, axis=0)
    log_variances = np.full((60, 2), log_variance)
    bound = mutual_information(mean, log_variances, method="gaussian", random_state=0)
    assert bound == pytest.approx(np.log(30))


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e-60, 1e60, 1e155, 1e300])
def test_posteriors_apart_or_not_at_any_scale(unit):
    mean = unit * np.random.default_rng(0).normal(size=(50, 2))
    bound = mutual_information(mean, np.zeros((50, 2)), method="gaussian", random_state=0)
    assert bound == pytest.approx(np.log(50) if unit > 1 else 0, abs=1e-9)


def test_the_common_unit_of_means_and_deviations_does_not_matter():
    mean, log_variance = np.random.default_rng(0).normal(size=(2, 50, 3))
    expected = mutual_information(mean, log_variance, method="gaussian", random_state=0)
    for unit in (1e-60, 1e60):
        found = mutual_information(
            unit * mean, log_variance + 2 * np.log(unit), method="gaussian", random_state=0
        )
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("temperature", [1e-300, 1e-30, 1e-3])
def test_a_low_temperature_does_not_overflow(temperature):
    Z = np.repeat(np.random.default_rng(0).normal(size=(30, 4)), 2, axis=0)
    # each row finds itself and its double, which it is not told from
    assert mutual_information(Z, Z, temperature=temperature) == pytest.approx(np.log(30))
    # all are misled: the cosine with the wrong one is 1 higher
    misled = mutual_information(np.eye(2), np.eye(2)[::-1], temperature=temperature)
    assert misled == pytest.approx(np.log(2) - 1 / temperature)


def test_a_high_temperature_says_nothing():
    Z = np.random.default_rng(0).normal(size=(30, 4))
    assert mutual_information(Z, Z, temperature=1e300) == pytest.approx(0)


def test_infonce_of_views_without_anything_in_common_is_below_zero():
    Z, other = np.random.default_rng(0).normal(size=(2, 500, 8))
    assert mutual_information(Z, other) < 0
    assert mutual_information(Z, other, temperature=100) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("method", ["infonce", "gaussian"])
def test_a_sample_estimates_the_whole_with_its_error(method):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(600, 4))
    other = Z + rng.normal(size=Z.shape) if method == "infonce" else np.zeros_like(Z)
    whole = np.mean(
        [mutual_information(Z, other, method=method, random_state=s) for s in range(5)]
    )
    found = [
        mutual_information(
            Z, other, method=method, sample_size=100, random_state=seed, return_error=True
        )
        for seed in range(20)
    ]
    assert 0.6 < np.std([(value - whole) / error for value, error in found]) < 1.6
    again = mutual_information(Z, other, method=method, sample_size=100, random_state=3)
    assert again == found[3][0]


def test_bad_parameters():
    Z = np.eye(3)
    with pytest.raises(ValueError, match=r"at most 300 in absolute value. Got 1000"):
        mutual_information(Z, 1000 * Z, method="gaussian")
    with pytest.raises(ValueError, match="threshold == -1, must be >= 0"):
        active_units(Z, threshold=-1)
    with pytest.raises(ValueError, match=r"method must be 'infonce' or 'gaussian'. Got 'mine'"):
        mutual_information(Z, Z, method="mine")
    with pytest.raises(ValueError, match="temperature == 0, must be >= 1e-300"):
        mutual_information(Z, Z, temperature=0)
    with pytest.raises(ValueError, match=r"same number of components. Got 3 and 1"):
        mutual_information(Z, Z[:, :1])
