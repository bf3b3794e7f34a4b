"""The loss of a variational autoencoder, term by term."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.distributions import Independent, Normal, kl_divergence

from skrepr._likelihoods import make_likelihood
from skrepr._priors import make_prior
from skrepr._rows import Rows
from skrepr._start import Units
from skrepr._variational import VariationalAutoencoder
from skrepr.architectures import MLP, Linear
from skrepr.augmentations import GaussianNoise
from skrepr.objectives import info_nce

D, K = 5, 2
X = np.random.default_rng(0).normal(size=(200, D)) @ np.diag([3, 2, 1, 0.5, 0.5])


SMALL = MLP((7,), linear_path=None)


def make(prior="normal", recipe=SMALL, n_draws=64, **settings):
    torch.manual_seed(0)
    units = Units((D,))
    made = VariationalAutoencoder(
        recipe.make_encoder((D,), 2 * K),
        recipe.make_decoder(K, (D,)),
        K,
        units,
        make_likelihood("gaussian", units),
        make_prior(prior, 3, (D,), K),
        n_draws,
        **settings,
    )
    made.generator = torch.Generator().manual_seed(0)
    return made


def rows(values=X):
    return Rows(torch.as_tensor(values, dtype=torch.float32), (D,), torch.device("cpu"))


def started(**settings):
    made = make(**settings)
    made.start(rows())
    return made.double()


x = torch.from_numpy(X)[:50]


def drawn(made, n=1):
    """Draw what the loss draws."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.empty(n, len(x), K).normal_(generator=generator)
    mean, log_variance = made.posterior(made.units(x))
    own = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    z = mean + noise * (log_variance / 2).exp()
    output = made.units.undo(made.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2]))
    log_likelihood = Normal(output, made.likelihood.scale).log_prob(x).sum(-1)
    return own, z, log_likelihood


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_minus_the_bound(beta):
    made = started(beta=beta)
    own, _, log_likelihood = drawn(made)
    terms = made(x)
    assert_allclose(terms["reconstruction"].item(), -log_likelihood.mean().item(), rtol=1e-6)
    prior = Independent(Normal(torch.zeros(K), torch.ones(K)), 1)
    expected = beta * kl_divergence(own, prior).mean().item()
    assert_allclose(terms["divergence"].item(), expected, rtol=1e-6)


def test_with_a_mixture_the_divergence_is_that_of_the_draws():
    made = started(prior="mixture")
    own, z, _ = drawn(made)
    expected = (own.log_prob(z) - made.prior.log_prob(z, made.posterior)).mean().item()
    assert_allclose(made(x)["divergence"].item(), expected, rtol=1e-6, atol=1e-7)


def test_several_samples_give_the_bound_of_burda():
    made = started(n_importance_samples=5)
    own, z, log_likelihood = drawn(made, 5)
    prior = Independent(Normal(torch.zeros(K), torch.ones(K)), 1)
    weights = (log_likelihood + prior.log_prob(z) - own.log_prob(z)).exp()
    terms = made(x)
    assert list(terms) == ["bound"]
    assert_allclose(terms["bound"].item(), -weights.mean(0).log().mean().item(), rtol=1e-6)


def test_without_beta_and_noise_of_the_code_the_loss_is_affine_in_the_squared_error():
    made = started(beta=0.0, recipe=Linear())
    noise = 0.3
    for shift in (0.0, 0.4, 2.0):
        with torch.no_grad():
            made.encoder.linear.weight[K:] = 0
            made.encoder.linear.bias[:K] = shift
            made.encoder.linear.bias[K:] = -30
            made.likelihood.log_noise.fill_(math.log(noise - 1e-4))
        error = (x - made.decode(made.encode(x))).square().mean() / made.units.scale**2
        constant = 0.5 * D * (math.log(2 * math.pi * noise) + 2 * made.units.scale.log())
        expected = 0.5 * D / noise * error + constant
        assert_allclose(sum(made(x).values()).item(), expected.item(), rtol=2e-3)


def test_free_bits_cost_nothing():
    plain = started()
    of_units = plain.divergence(*plain.posterior(plain.units(x))).mean(0)
    between = float(of_units.detach().mean())  # one unit is above, the other below
    expected = of_units.clamp(min=between).sum()
    received = started(free_bits=between)(x)["divergence"]
    assert_allclose(received.item(), expected.item(), rtol=1e-6)
    assert received > of_units.sum()


def test_warm_up_raises_the_weight_of_the_divergence():
    made, full = started(kl_warmup_epochs=5), started()(x)["divergence"].item()
    made.set_plan(20)
    for fraction, weight in ((0.0, 0.0), (0.125, 0.5), (0.25, 1.0), (0.9, 1.0), (None, 1.0)):
        made.set_progress(fraction)
        assert_allclose(made(x)["divergence"].item(), weight * full, rtol=1e-6)
    made.set_progress(0.0)
    made.eval()
    assert made(x)["divergence"].item() > 0.5 * full  # held-out rows are judged by the whole
    for n_epochs in (20, None):
        made = started()
        made.set_plan(n_epochs)
        made.set_progress(0.0)
        assert made.kl_weight == 1


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"beta": 3.0},
        {"free_bits": 0.2},
        {"prior": "mixture"},
        {"n_importance_samples": 5},
        {"contrastive_weight": 2.0, "augmentation": [GaussianNoise()]},
    ],
    ids=str,
)
def test_what_early_stopping_watches_is_the_loss_without_rows_far_out(settings):
    made = make(**settings, n_draws=256)
    made.start(rows())
    made.eval()
    with torch.no_grad():
        some = X[:128]
        loss = sum(made(rows(some).values).values())
        watched = made.watched(rows(some))
        assert made.watched(rows(some)) == watched
        assert_allclose(watched, loss, atol=0.6)
        # 2 of 130 rows are within the 2 % that are cut
        far = np.vstack([some, np.full((2, D), 1e4)])
        assert_allclose(made.watched(rows(far)), watched, atol=0.3)


def test_beta_decides_what_early_stopping_watches():
    made, other = make(), make(beta=5.0)
    for model in (made, other):
        model.start(rows())
    other.load_state_dict(made.state_dict())
    with torch.no_grad():
        divergence = made.divergence(*made.posterior(made.units(rows().values))).sum(1).mean()
        assert other.watched(rows()) - made.watched(rows()) == pytest.approx(
            4 * float(divergence), rel=0.1
        )


def test_views_find_each_other_by_the_means():
    settings = {"contrastive_weight": 2.0, "temperature": 0.5}
    made = started(augmentation=[GaussianNoise()], **settings).float()
    generator = made.generator.manual_seed(0)
    inputs = made.units(x.float())
    torch.empty(1, len(x), K).normal_(generator=(again := torch.Generator().manual_seed(0)))
    first, second = (
        made.posterior(inputs + 0.1 * torch.empty_like(inputs).normal_(generator=again))[0]
        for _ in range(2)
    )
    expected = (info_nce(first, second, 0.5) + info_nce(second, first, 0.5)) / 2
    assert_allclose(made(x.float())["contrast"].item(), 2 * expected.item(), rtol=1e-5)
    assert generator.get_state().equal(again.get_state())


def test_the_teacher_follows_and_held_out_rows_leave_it_alone():
    settings = {"contrastive_weight": 2.0, "contrastive_momentum": 0.9}
    made = make(augmentation=[GaussianNoise()], **settings)
    made.start(rows())
    for own, of_student in zip(made.teacher.network.parameters(), made.encoder.parameters()):
        assert own.equal(of_student)
    batch = x.float()
    before = [p.clone() for p in made.teacher.network.parameters()]
    with torch.no_grad():
        for parameter in made.encoder.parameters():
            parameter += 1
    sum(made(batch).values()).backward()
    assert all(parameter.grad is None for parameter in made.teacher.parameters())
    queue = made.teacher.queue.clone()
    made.after_step()
    for own, first in zip(made.teacher.network.parameters(), before):
        assert_allclose(own.detach(), first.detach() + 0.1, rtol=1e-4, atol=1e-6)
    assert made.teacher.queue[len(batch) :].equal(queue[: -len(batch)])
    assert not made.teacher.queue[: len(batch)].equal(queue[: len(batch)])
    state = {name: value.clone() for name, value in made.state_dict().items()}
    made.eval()
    with torch.no_grad():
        made(batch), made.watched(rows())
        made.after_step()
    assert made.teacher.queue.equal(state["teacher.queue"])


def test_the_rate_rises_in_a_tenth_and_falls_to_zero():
    factor = VariationalAutoencoder.learning_rate_factor
    assert factor(0.0) == pytest.approx(0.3)
    assert factor(0.1) == pytest.approx(3.0)
    assert factor(0.55) == pytest.approx(1.5)
    assert factor(1.0) == pytest.approx(0.0)
    assert factor(None) == 1.0
