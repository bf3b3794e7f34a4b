"""Likelihoods against torch.distributions in float64, and their linear starts."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from torch.distributions import Bernoulli, NegativeBinomial, Normal, Poisson

from skrepr._likelihoods import make_likelihood
from skrepr._rows import Rows
from skrepr._start import CountUnits, Units, linear_start

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)


def units_of(X, kind=Units, missing=False):
    X = torch.as_tensor(X, dtype=torch.float32)
    return kind(X.shape[1:], missing).fit(Rows(X, X.shape[1:], CPU)).double()


def outputs(*shape):
    return torch.from_numpy(RNG.normal(size=shape))


@pytest.mark.parametrize("noise", ["shared", "feature"])
@pytest.mark.parametrize("unit", [1.0, 1e-26, 1e12])
def test_gaussian_is_normal_in_the_units_of_x(noise, unit):
    x = torch.from_numpy(RNG.normal(size=(7, 2, 3)) * unit + 5 * unit)
    likelihood = make_likelihood("gaussian", units_of(x), noise).double()
    with torch.no_grad():
        likelihood.log_noise.copy_(torch.randn_like(likelihood.log_noise))
    output = outputs(4, 7, 2, 3)
    normal = Normal(likelihood.mean(output), likelihood.scale)
    assert_allclose(
        likelihood(x, output).detach(), normal.log_prob(x).sum((2, 3)).detach(), rtol=1e-9
    )
    assert_allclose(likelihood(x, output[0]).detach(), likelihood(x, output)[0].detach())


def test_bernoulli_is_that_of_the_logits():
    x = torch.from_numpy(RNG.integers(2, size=(7, 3)).astype(float))
    likelihood, output = make_likelihood("bernoulli", units_of(x)), outputs(4, 7, 3)
    expected = Bernoulli(logits=output).log_prob(x).sum(-1)
    assert_allclose(likelihood(x, output), expected, rtol=1e-9)
    assert_allclose(likelihood.mean(output), output.sigmoid())


def rates(units, output, x):
    return units.average * output.exp() * units.size(x)


def counts():
    return torch.from_numpy(
        RNG.poisson(RNG.uniform(0.2, 9, size=(7, 1)) * [1, 5, 30]).astype(float)
    )


def test_poisson_has_the_rate_of_column_and_row():
    x, output = counts(), outputs(4, 7, 3)
    units = units_of(x, CountUnits)
    likelihood = make_likelihood("poisson", units)
    rate = rates(units, output, x)
    assert_allclose(likelihood(x, output), Poisson(rate).log_prob(x).sum(-1), rtol=1e-9)
    assert_allclose(likelihood.mean(output, x), rate)
    assert_allclose(likelihood.mean(output), units.average * output.exp())
    assert_allclose(
        units.size(x).flatten(),
        x.sum(1).clamp(min=1) / x.mean(0).clamp(min=0.5 / 7).sum(),
        rtol=1e-6,
    )


def test_negative_binomial_has_a_dispersion_for_each_column():
    x, output = counts(), outputs(4, 7, 3)
    units = units_of(x, CountUnits)
    likelihood = make_likelihood("negative_binomial", units).double()
    with torch.no_grad():
        likelihood.log_dispersion.copy_(torch.tensor([-1.0, 0.5, 3.0]))
    dispersion, rate = likelihood.log_dispersion.exp(), rates(units, output, x)
    # torch's second parameter is the odds of mean to dispersion
    expected = NegativeBinomial(dispersion, logits=(rate / dispersion).log()).log_prob(x)
    assert_allclose(likelihood(x, output).detach(), expected.sum(-1).detach(), rtol=1e-9)
    draws = NegativeBinomial(dispersion, logits=(rate / dispersion).log())
    assert_allclose(draws.mean.detach(), rate.detach(), rtol=1e-9)


@pytest.mark.parametrize("name", ["gaussian", "bernoulli", "poisson", "negative_binomial"])
def test_missing_values_are_left_out(name):
    x = torch.from_numpy(RNG.integers(2, size=(6, 5)).astype(float))
    kind = Units if name in ("gaussian", "bernoulli") else CountUnits
    units = units_of(x, kind, missing=True)
    likelihood, output = make_likelihood(name, units).double(), outputs(3, 6, 5)
    holes = x.clone()
    holes[:, 3] = torch.nan
    every_value = torch.stack(
        [
            likelihood(torch.where(torch.arange(5) == j, holes, torch.nan), output)
            for j in (0, 1, 2, 4)
        ]
    )
    if kind is Units:  # for counts, the size factor is that of what is observed
        assert_allclose(likelihood(holes, output).detach(), every_value.sum(0).detach(), rtol=1e-9)
    other = output.clone()
    other[..., 3] = 99.0
    assert_allclose(likelihood(holes, other).detach(), likelihood(holes, output).detach())
    assert_allclose(likelihood(x * torch.nan, output).detach(), np.zeros((3, 6)))


def test_the_size_factor_of_rows_with_missing_values_is_that_of_what_is_observed():
    x = counts()
    units = units_of(x, CountUnits, missing=True)
    holes = x.clone()
    holes[:, 0] = torch.nan
    expected = x[:, 1:].sum(1) / units.average[1:].sum()
    assert_allclose(units.size(holes).flatten(), expected, rtol=1e-9)
    assert_allclose(units.size(x * torch.nan), np.ones((7, 1)))


def test_units_of_counts_are_logarithms_at_the_average_total():
    x = counts()
    units = units_of(x, CountUnits)
    inputs = units(x)
    logarithms = (x / units.size(x)).log1p()
    assert_allclose(inputs.mean(0), np.zeros(3), atol=1e-6)
    assert_allclose(inputs.var(0, correction=0).mean(), 1, rtol=1e-6)
    assert_allclose(inputs, (logarithms - logarithms.mean(0)) / units.scale, atol=1e-6)
    assert_allclose(units.undo(inputs), x / units.size(x), rtol=1e-5, atol=1e-6)
    assert_allclose(units(2 * x), inputs, atol=0.5)  # depth hardly matters


def spectrum(n=400, d=6):
    latent = np.random.default_rng(1).normal(size=(n, d)) * [3, 2, 1.5, 1, 0.7, 0.5]
    return latent - latent.mean(0)


def linearized(X, k, beta):
    rows = Rows(torch.as_tensor(X, dtype=torch.float32), X.shape[1:], CPU)
    units = Units(X.shape[1:]).fit(rows)
    likelihood = make_likelihood("gaussian", units)
    with torch.no_grad():
        return likelihood, likelihood.linearize(linear_start(rows, units, k), beta)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_start_is_probabilistic_pca(k):
    X = spectrum()
    likelihood, model = linearized(X, k, 1.0)
    pca = PCA(k).fit(X)
    n = len(X)
    assert_allclose(likelihood.scale.detach() ** 2, pca.noise_variance_ * (n - 1) / n, rtol=1e-4)
    scale = float(likelihood.units[0].scale)
    covariance = (model.weight @ model.weight.T).numpy() * scale**2
    covariance += np.eye(6) * pca.noise_variance_ * (n - 1) / n
    assert_allclose(covariance, pca.get_covariance() * (n - 1) / n, atol=1e-3)


def linear_objective(log_noise, deviation, k, variance, beta):
    """The bound of a linear model along the axes, per row, with its best posterior."""
    noise = math.exp(log_noise)
    weight2 = deviation**2
    posterior = 1 / (1 + weight2 / (beta * noise))
    slope = posterior * deviation / (beta * noise)  # of the posterior mean
    error = (1 - slope * deviation) ** 2 * variance[:k] + weight2 * posterior
    kl = 0.5 * (slope**2 * variance[:k] + posterior - 1 - np.log(posterior))
    total = error.sum() + variance[k:].sum()
    return -0.5 * (total / noise + len(variance) * log_noise) - beta * kl.sum()


@pytest.mark.parametrize("beta", [0.3, 1.0, 1.6, 3.0])
def test_the_start_is_the_best_linear_model_with_any_beta(beta):
    X, k = spectrum(), 3
    likelihood, model = linearized(X, k, beta)
    variance = np.sort(np.linalg.eigvalsh(np.cov(X.T, ddof=0)))[::-1]
    variance /= float(likelihood.units[0].scale) ** 2
    deviation = np.sort(model.weight.norm(dim=0).double().numpy())[::-1]
    log_noise = float(likelihood.variance.detach().log())
    here = linear_objective(log_noise, deviation, k, variance, beta)
    for step in (1e-2, -1e-2):
        assert linear_objective(log_noise + step, deviation, k, variance, beta) < here
        for i in range(k):
            moved = np.abs(deviation + step * np.eye(k)[i])
            assert linear_objective(log_noise, moved, k, variance, beta) < here
    # the law of collapse: used are the axes of a variance above beta times that of the noise
    noise = math.exp(log_noise)
    assert_allclose(deviation > 0, variance[:k] > beta * noise)


def test_without_a_rest_every_axis_is_used_and_the_noise_is_above_its_floor():
    likelihood, model = linearized(spectrum(), 6, 1.0)
    assert (model.weight.norm(dim=0) > 0).all()
    assert not likelihood.at_floor.any()


def test_the_floor_is_told():
    X = spectrum()
    X[:, 2:] = X[:, :2] @ np.ones((2, 4))
    likelihood, _ = linearized(X, 2, 1.0)
    assert likelihood.at_floor.all()
    assert_allclose(
        likelihood.scale.detach(), float(likelihood.units[0].scale) * 0.01 * 2**0.5, rtol=1e-3
    )
