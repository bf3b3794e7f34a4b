"""What a model with a code that is drawn says of data, by samples that all rows share."""

import math

import torch
from torch import nn

# Draws for the bound, in `score`.
N_BOUND_DRAWS = 16
# Rounds of imputation, and their damping: undamped or longer, they drift off.
_ROUNDS, _DAMPING = 10, 0.5


class LatentModel(nn.Module):
    """A decoder with a likelihood, and an encoder that tells which code is probable.

    Every chance is in ``draws``, which are the same for all rows and at all times.

    Parameters
    ----------
    encoder : torch.nn.Module
        Gives means and log-variances of the code.
    decoder : torch.nn.Module
    width : int
        Number of units of the code.
    units : Units
    likelihood, prior : torch.nn.Module
    n_draws : int
        At least `N_BOUND_DRAWS`.
    """

    def __init__(self, encoder, decoder, width, units, likelihood, prior, n_draws):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.width = width
        self.units = units
        self.likelihood = likelihood
        self.prior = prior
        self.register_buffer("draws", torch.randn(n_draws, width))

    def encode(self, x):
        return self.posterior(self.units(x))[0]  # (B, K)

    def decode(self, h, x=None):
        """Return what is expected of codes: of rows with the totals of ``x``, for counts."""
        return self.likelihood.mean(self.decoder(h), x)  # (B, *input_shape)

    def posterior(self, inputs, encoder=None):
        """Return mean and log-variance of the code: (B, K) each."""
        encoder = self.encoder if encoder is None else encoder
        code = encoder(self.units.as_read_by(encoder, inputs)).to(self.draws.dtype)
        mean, log_variance = code.chunk(2, dim=1)
        return mean, log_variance.clamp(-14, 6)

    def log_likelihood(self, x, z):
        """Compute log p(x | z): (S, B), of codes (S, B, K)."""
        output = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        return self.likelihood(x, output)

    def log_ratio(self, z, noise, log_variance):
        """Compute log p(z) - log q(z | x) of codes that this noise has given: (S, B)."""
        own = -0.5 * (noise.square() + log_variance + math.log(2 * math.pi)).sum(-1)
        return self.prior.log_prob(z, self.posterior) - own

    def expected(self, x, mean, log_variance, n_draws=N_BOUND_DRAWS):
        """Average log p(x | z), and the divergence of the posterior: (B,), and (B, K) or (B, 1).

        The divergence is that of single units where it has a closed form. Draws come with
        their mirror images, scaled to unit variance: where the model is linear, means over
        them are exact, but for products of different units.
        """
        half = self.draws[: n_draws // 2, None]
        half = half / half.square().mean(0).sqrt()
        total = log_ratio = 0.0
        for noise in torch.cat([half, -half]):
            z = draw(mean, log_variance, noise[None])
            total = total + self.log_likelihood(x, z)[0] / n_draws
            if not self.prior.has_closed_form:
                log_ratio = log_ratio + self.log_ratio(z, noise, log_variance)[0] / n_draws
        if self.prior.has_closed_form:
            return total, self.divergence(mean, log_variance)
        return total, -log_ratio[:, None]

    def bound(self, x):
        """Compute the lower bound on log p(x) with the same draws for all rows: (B,)."""
        total, divergence = self.expected(x, *self.posterior(self.units(x)))
        return total - divergence.sum(1)

    def divergence(self, mean, log_variance):
        """Compute the divergence of each unit of the posterior from the prior: (B, K)."""
        draws = self.draws[:N_BOUND_DRAWS]
        return self.prior.divergence(mean, log_variance, draws, self.posterior)

    def log_evidence(self, x, n_draws=None, beta=1.0):
        """Estimate log p(x) by importance sampling, with the same draws for all rows: (B,)."""
        mean, log_variance = self.posterior(self.units(x))
        draws = self.draws[:n_draws, None]
        total = torch.full((len(x),), -torch.inf, device=x.device, dtype=mean.dtype)
        for noise in draws:
            z = draw(mean, log_variance, noise[None])
            log_ratio = self.log_ratio(z, noise, log_variance)
            total = total.logaddexp((self.log_likelihood(x, z) + beta * log_ratio)[0])
        return total - math.log(len(draws))

    def impute(self, x):
        """Replace what is missing by its expectation given what is observed."""
        seen, inputs = ~x.isnan(), self.units(x)
        for _ in range(_ROUNDS):
            rebuilt = self.units(self.decode(self.posterior(inputs)[0], x))
            inputs = inputs.where(seen, torch.lerp(inputs, rebuilt, _DAMPING))
        mean, log_variance = self.posterior(inputs)
        total = torch.full((len(x),), -torch.inf, device=x.device)
        expected = self.decode(mean, x)
        for noise in self.draws[:, None]:
            z = draw(mean, log_variance, noise[None])
            log_ratio = self.log_ratio(z, noise, log_variance)
            log_weight = (self.log_likelihood(x, z) + log_ratio)[0]
            total = total.logaddexp(log_weight)
            # NaN where no draw had any weight yet
            share = (log_weight - total).exp().nan_to_num(nan=0.0)
            share = share.reshape(-1, *[1] * (x.ndim - 1))
            expected = torch.lerp(expected, self.decode(z[0], x), share)
        return x.where(seen, expected)

    def place(self, noise, generator):
        """Turn standard normal noise into codes drawn from the prior: (B, K)."""
        return self.prior.place(noise, generator, self.posterior)


def draw(mean, log_variance, noise):
    """Turn standard normal noise into codes drawn from posteriors: (S, B, K)."""
    return mean + noise * (log_variance / 2).exp()
