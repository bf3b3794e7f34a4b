"""What a code is expected to be before a row is seen.

A prior is a torch module. ``log_prob(z, posterior)`` is the log-density of codes, (..., K) to
(...), ``divergence(mean, log_variance, draws, posterior)`` the Kullback-Leibler divergence of
each unit, (B, K), and ``place(noise, generator, posterior)`` turns standard normal noise into
codes. ``posterior(inputs)`` gives means and log-variances of codes, as the encoder tells them.
"""

import math

import torch
from torch import nn


class NormalPrior(nn.Module):
    """The standard normal one."""

    has_closed_form = True

    def start(self, inputs):
        """Nothing depends on the data."""

    def log_prob(self, z, posterior):
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)

    def divergence(self, mean, log_variance, draws, posterior):
        return kl_divergence(mean, log_variance)

    def place(self, noise, generator, posterior):
        return noise


class MixturePrior(nn.Module):
    """The mean of the posteriors of some learned inputs (VampPrior, Tomczak & Welling 2018).

    Parameters
    ----------
    n_pseudo_inputs : int
    sample_shape : tuple of int
    """

    has_closed_form = False

    def __init__(self, n_pseudo_inputs, sample_shape):
        super().__init__()
        self.pseudo_inputs = nn.Parameter(torch.randn(n_pseudo_inputs, *sample_shape))

    def start(self, inputs):
        """Start at rows, evenly spread among those given."""
        n = len(self.pseudo_inputs)
        self.pseudo_inputs.copy_(inputs[torch.linspace(0, len(inputs) - 1, n).long()])

    def log_prob(self, z, posterior):
        return self._logs_of_units(z, posterior).sum(-1).logsumexp(-1) - self._log_number

    def divergence(self, mean, log_variance, draws, posterior):
        """Estimate how far each unit is from the prior of that unit alone."""
        total = 0.0
        for noise in draws[:, None]:
            z = mean + noise * (log_variance / 2).exp()
            own = -0.5 * (noise.square() + log_variance + math.log(2 * math.pi))
            marginal = self._logs_of_units(z, posterior).logsumexp(-2) - self._log_number
            total = total + own - marginal
        return total / len(draws)

    def place(self, noise, generator, posterior):
        mean, log_variance = posterior(self.pseudo_inputs)
        which = torch.randint(len(mean), (len(noise),), generator=generator)
        return mean[which] + noise.to(mean.device) * (log_variance[which] / 2).exp()

    @property
    def _log_number(self):
        return math.log(len(self.pseudo_inputs))

    def _logs_of_units(self, z, posterior):
        mean, log_variance = posterior(self.pseudo_inputs)  # (P, K)
        squares = (z.unsqueeze(-2) - mean).square() * (-log_variance).exp()
        return -0.5 * (squares + log_variance + math.log(2 * math.pi))  # (..., P, K)


def make_prior(name, n_pseudo_inputs, sample_shape):
    """Make the prior of that name."""
    return MixturePrior(n_pseudo_inputs, sample_shape) if name == "mixture" else NormalPrior()


def kl_divergence(mean, log_variance):
    """Of a normal posterior from the standard normal prior, for each unit: (B, K)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
