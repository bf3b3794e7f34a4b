"""Priors against torch.distributions in float64."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from skrepr import _priors
from skrepr._priors import make_prior

LINEAR = torch.nn.Linear(3, 4).double()


def posterior(inputs):
    mean, log_variance = LINEAR(inputs).chunk(2, dim=1)
    return mean, log_variance


@pytest.fixture(params=["normal", "mixture"])
def prior(request):
    torch.manual_seed(0)
    made = make_prior(request.param, 5, (3,), 2).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def as_distribution(prior):
    if isinstance(prior, _priors.NormalPrior):
        return Independent(Normal(torch.zeros(2).double(), torch.ones(2).double()), 1)
    mean, log_variance = posterior(prior.pseudo_inputs)
    log_variance = log_variance + prior.log_width
    parts = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    return MixtureSameFamily(Categorical(torch.ones(5).double()), parts)


def test_log_prob(prior):
    z = torch.randn(4, 6, 2).double()
    expected = as_distribution(prior).log_prob(z)
    assert_allclose(
        prior.log_prob(z, posterior).detach(), expected.detach(), rtol=1e-9, atol=1e-12
    )


def test_divergence_of_the_normal_one_is_closed():
    mean, log_variance = torch.randn(7, 2).double(), torch.randn(7, 2).double()
    received = make_prior("normal", 1, (3,), 2).divergence(mean, log_variance, None, posterior)
    own, of_prior = Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)
    assert_allclose(received, kl_divergence(own, of_prior), rtol=1e-9)


def test_divergence_from_a_mixture_of_one_part_is_that_from_a_normal():
    mixture = make_prior("mixture", 1, (3,), 2).double()
    (center,), (log_variance,) = posterior(mixture.pseudo_inputs)
    mean = torch.randn(7, 2).double()
    spread = torch.full((7, 2), -1.0).double()
    draws = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)).double()
    received = mixture.divergence(mean, spread, draws, posterior)
    expected = kl_divergence(
        Normal(mean, (spread / 2).exp()), Normal(center, (log_variance / 2).exp())
    )
    assert_allclose(received.detach(), expected.detach(), rtol=0.05, atol=0.05)


def test_placed_codes_have_the_density_of_the_prior(prior):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 2, generator=generator).double()
    with torch.no_grad():
        codes = prior.place(noise, generator, posterior)
        expected = as_distribution(prior)
        assert_allclose(codes.mean(0), expected.mean, atol=0.04)
        assert_allclose(codes.var(0), expected.variance, rtol=0.05)


def test_a_mixture_starts_at_rows_far_from_each_other_and_as_wide_as_their_rows():
    torch.manual_seed(0)
    near, far = torch.randn(100, 2), torch.randn(60, 2) * 0.5 + 50
    rows = torch.cat([near, far])

    def exact(inputs):  # the code is the row, known to a hundredth
        return inputs, torch.full_like(inputs, 2 * -4.605)

    mixture = make_prior("mixture", 2, (2,), 2)
    with torch.no_grad():
        mixture.start(rows, exact)
        first, second = mixture.pseudo_inputs
        assert (rows == first).all(1).any() and (rows == second).all(1).any()
        assert (first - second).norm() > 40
        nearest = torch.where(rows[:, :1] < 25, *sorted([first, second], key=lambda u: u[0]))
        expected = (rows - nearest).square().mean(0) + 1e-4
        assert_allclose(mixture.log_width.exp() * 1e-4, expected, rtol=1e-2)
        many = make_prior("mixture", 5, (2,), 2)
        many.start(rows[:3], exact)  # fewer rows than parts
        assert {tuple(u) for u in many.pseudo_inputs.tolist()} == {
            tuple(row) for row in rows[:3].tolist()
        }
