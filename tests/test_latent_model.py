"""What a latent model says, on a linear-Gaussian one whose density is known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.distributions import MultivariateNormal

from skrepr._latent_model import LatentModel
from skrepr._likelihoods import make_likelihood
from skrepr._priors import make_prior
from skrepr._start import Units

D, K, NOISE = 5, 2, 0.5


class Encoder(nn.Module):
    """The exact posterior, or one next to it."""

    def __init__(self, weight, shift, widening):
        super().__init__()
        variance = 1 / (1 + weight.square().sum(0) / NOISE)  # columns are orthogonal
        self.register_buffer("to_mean", variance[:, None] * weight.T / NOISE)
        self.register_buffer("log_variance", variance.log() + widening)
        self.shift = shift

    def forward(self, inputs):
        mean = inputs @ self.to_mean.T + self.shift
        return torch.cat([mean, self.log_variance.expand_as(mean)], 1)


def model(shift=0.0, widening=0.0, n_draws=100):
    torch.manual_seed(0)
    units = Units((D,), missing=True)
    units.center.copy_(torch.arange(float(D)))
    units.scale.fill_(2.0)
    weight = torch.linalg.qr(torch.randn(D, K, dtype=torch.float64))[0] * torch.tensor([1.5, 0.7])
    decoder = nn.Linear(K, D, bias=False)
    decoder.weight.data = weight
    likelihood = make_likelihood("gaussian", units)
    likelihood.log_noise.data.fill_(np.log(NOISE - 1e-4))
    made = LatentModel(
        Encoder(weight, shift, widening),
        decoder,
        K,
        units,
        likelihood,
        make_prior("normal", 1, (D,), K),
        n_draws,
    )
    return made.double().requires_grad_(False)


def density(made):
    covariance = made.decoder.weight @ made.decoder.weight.T + NOISE * torch.eye(D).double()
    return MultivariateNormal(made.units.center, covariance * made.units.scale**2)


@pytest.fixture
def x():
    torch.manual_seed(1)
    return density(model()).sample((300,))


def test_with_the_exact_posterior_one_draw_is_enough_and_the_bound_is_tight(x):
    made = model()
    expected = density(made).log_prob(x)
    assert_allclose(made.log_evidence(x, 1), expected, rtol=1e-3)  # noise is half a ten-thousandth
    assert_allclose(made.bound(x), expected, rtol=1e-3)


def test_importance_sampling_approaches_the_density_from_below_and_the_bound_lies_below(x):
    x, made = x[:20], model(shift=0.8, widening=0.5)
    exact = density(made).log_prob(x).mean()
    generator = torch.Generator().manual_seed(0)
    gaps = {}
    for n in (1, 4, 16, 128):
        of_seeds = []
        for _ in range(100):
            made.draws = torch.randn(n, K, generator=generator, dtype=torch.float64)
            of_seeds.append(float(exact - made.log_evidence(x).mean()))
        gaps[n] = np.mean(of_seeds)
    assert gaps[1] > gaps[4] > gaps[16] > gaps[128] > -0.01
    assert gaps[128] < 0.05
    made.draws = torch.randn(1024, K, generator=generator, dtype=torch.float64)
    assert made.bound(x).mean() < made.log_evidence(x).mean() - 0.1


def test_the_bound_falls_short_by_the_divergence_from_the_posterior(x):
    exact, off = model(), model(shift=0.3, widening=-0.5)
    mean, log_variance = off.posterior(off.units(x))
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    mean, log_variance = exact.posterior(exact.units(x))
    true = torch.distributions.Normal(mean, (log_variance / 2).exp())
    gap = density(exact).log_prob(x) - off.bound(x)
    expected = torch.distributions.kl_divergence(own, true).sum(1)
    assert_allclose(gap, expected, rtol=1e-3)  # columns of the weight are orthogonal


def test_imputation_is_the_conditional_expectation(x):
    made = model(n_draws=4000)
    normal = density(made)
    hidden = torch.tensor([False, True, False, False, True])
    holes = x.clone()
    holes[:, hidden] = torch.nan
    covariance, mean = normal.covariance_matrix, normal.mean
    slope = covariance[hidden][:, ~hidden] @ covariance[~hidden][:, ~hidden].inverse()
    expected = mean[hidden] + (x - mean)[:, ~hidden] @ slope.T
    filled = made.impute(holes)
    assert_allclose(filled[:, ~hidden], x[:, ~hidden])
    error = (filled[:, hidden] - expected).square().mean().sqrt()
    assert error < 0.05 * expected.std()
    assert_allclose(made.impute(x), x)


def test_rows_without_a_value_get_the_mean_of_the_prior_and_a_density_of_one():
    made = model(n_draws=4000)
    nothing = torch.full((1, D), torch.nan, dtype=torch.float64)
    assert_allclose(made.log_evidence(nothing), 0.0, atol=0.1)
    assert_allclose(made.impute(nothing)[0], made.units.center, atol=0.3)


def test_rows_far_out_are_never_filled_with_nan():
    made = model().float()
    far = torch.tensor([[1e30, torch.nan, -1e30, 1e30, 1e30]])
    assert not made.impute(far).isnan().any()
