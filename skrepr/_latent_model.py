"""What a model with a code that is drawn says of data, by samples that all rows share."""

import math

import torch
from torch import nn

# Draws for the bound, in `score` and on held-out rows.
_DRAWS_OF_BOUND = 16
# Rounds of imputation, and their damping: undamped or longer, they drift off.
_ROUNDS, _DAMPING = 10, 0.5


class LatentModel(nn.Module):
    """A decoder with a likelihood, and an encoder that tells which code is probable.

    The prior of the code is the standard normal one. Every chance is in ``draws``, which are the
    same for all rows and at all times.

    Parameters
    ----------
    encoder : torch.nn.Module
        Gives means and log-variances of the code.
    decoder : torch.nn.Module
    width : int
        Number of units of the code.
    units : Units
    likelihood : torch.nn.Module
    n_draws : int
    """

    def __init__(self, encoder, decoder, width, units, likelihood, n_draws):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.width = width
        self.units = units
        self.likelihood = likelihood
        self.register_buffer("draws", torch.randn(n_draws, width))

    def encode(self, x):
        return self.posterior(self.units(x))[0]  # (B, K)

    def decode(self, h):
        return self.likelihood.mean(self.decoder(h))  # (B, *input_shape)

    def posterior(self, inputs):
        """Return mean and log-variance of the code: (B, K) each."""
        code = self.encoder(self.units.as_read_by(self.encoder, inputs))
        mean, log_variance = code.chunk(2, dim=1)
        return mean, log_variance.clamp(-14, 6)

    def weigh(self, x, mean, log_variance, noise):
        """Draw codes; return log p(x | z) and log p(z) - log q(z | x): (S, B) each."""
        z = mean + noise * (log_variance / 2).exp()  # (S, B, K)
        output = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        log_ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(-1)
        return self.likelihood(x, output), log_ratio

    def bound(self, x):
        """Compute the lower bound on log p(x) with the same draws for all rows: (B,)."""
        mean, log_variance = self.posterior(self.units(x))
        draws = self.draws[:_DRAWS_OF_BOUND, None]
        expected = sum(self.weigh(x, mean, log_variance, noise[None])[0][0] for noise in draws)
        return expected / len(draws) - kl_divergence(mean, log_variance).sum(1)

    def log_evidence(self, x):
        """Estimate log p(x) by importance sampling, with the same draws for all rows: (B,)."""
        mean, log_variance = self.posterior(self.units(x))
        total = torch.full((len(x),), -torch.inf, device=x.device)
        for noise in self.draws[:, None]:
            total = total.logaddexp(sum(self.weigh(x, mean, log_variance, noise[None]))[0])
        return total - math.log(len(self.draws))

    def impute(self, x):
        """Replace what is missing by its expectation given what is observed."""
        seen, inputs = ~x.isnan(), self.units(x)
        for _ in range(_ROUNDS):
            rebuilt = self.units(self.decode(self.posterior(inputs)[0]))
            inputs = inputs.where(seen, torch.lerp(inputs, rebuilt, _DAMPING))
        mean, log_variance = self.posterior(inputs)
        total, expected = torch.full((len(x),), -torch.inf, device=x.device), 0.0
        for noise in self.draws[:, None]:
            log_weight = sum(self.weigh(x, mean, log_variance, noise[None]))[0]
            total = total.logaddexp(log_weight)
            share = (log_weight - total).exp().reshape(-1, *[1] * (x.ndim - 1))
            drawn = self.decode(mean + noise * (log_variance / 2).exp())
            expected = expected + share * (drawn - expected)
        return x.where(seen, expected)


def kl_divergence(mean, log_variance):
    """Of a normal posterior from the standard normal prior, for each unit: (B, K)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
