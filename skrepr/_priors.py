"""What a code is expected to be before a row is seen.

A prior is a torch module. ``log_prob(z, posterior)`` is the log-density of codes, (..., K) to
(...), ``divergence(mean, log_variance, draws, posterior)`` the Kullback-Leibler divergence of
each unit, (B, K), and ``place(noise, generator, posterior)`` turns standard normal noise into
codes. ``posterior(inputs)`` gives means and log-variances of codes, as the encoder tells them.
"""

import math

import torch
from sklearn.cluster import kmeans_plusplus
from torch import nn


class NormalPrior(nn.Module):
    """The standard normal one."""

    has_closed_form = True

    def start(self, inputs, posterior):
        """Leave all as it is: nothing depends on the data."""

    def log_prob(self, z, posterior):
        return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)

    def divergence(self, mean, log_variance, draws, posterior):
        return kl_divergence(mean, log_variance)

    def place(self, noise, generator, posterior):
        return noise


class MixturePrior(nn.Module):
    """The mean of the posteriors of some learned inputs (VampPrior, Tomczak & Welling 2018).

    A posterior is as narrow as what one row tells of its code, and each part of a mixture of few
    stands for many rows: a learned factor for each unit, the same in all parts, widens them.

    Parameters
    ----------
    n_pseudo_inputs : int
    sample_shape : tuple of int
    width : int
        Number of units of the code.
    """

    has_closed_form = False

    def __init__(self, n_pseudo_inputs, sample_shape, width):
        super().__init__()
        self.pseudo_inputs = nn.Parameter(torch.randn(n_pseudo_inputs, *sample_shape))
        self.log_width = nn.Parameter(torch.zeros(width))

    def start(self, inputs, posterior):
        """Start at rows far from each other, as wide as the codes that are nearest to each."""
        n_parts = len(self.pseudo_inputs)
        n = min(n_parts, len(inputs))
        flat = inputs.flatten(1).cpu().numpy()
        chosen = torch.from_numpy(kmeans_plusplus(flat, n, random_state=0)[1]).long()
        self.pseudo_inputs.copy_(inputs[chosen.repeat(-(-n_parts // n))[:n_parts]])
        mean, log_variance = posterior(inputs)
        centers, of_parts = posterior(self.pseudo_inputs)
        nearest = centers[torch.cdist(mean, centers).argmin(1)]
        spread = (mean - nearest).square().mean(0) + log_variance.exp().mean(0)
        self.log_width.copy_((spread / of_parts.exp().mean(0)).log().clamp(min=0))

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
        mean, log_variance = self._parts(posterior)
        which = torch.randint(len(mean), (len(noise),), generator=generator)
        return mean[which] + noise.to(mean.device) * (log_variance[which] / 2).exp()

    @property
    def _log_number(self):
        return math.log(len(self.pseudo_inputs))

    def _parts(self, posterior):
        mean, log_variance = posterior(self.pseudo_inputs)
        return mean, log_variance + self.log_width

    def _logs_of_units(self, z, posterior):
        mean, log_variance = self._parts(posterior)  # (P, K)
        squares = (z.unsqueeze(-2) - mean).square() * (-log_variance).exp()
        return -0.5 * (squares + log_variance + math.log(2 * math.pi))  # (..., P, K)


def make_prior(name, n_pseudo_inputs, sample_shape, width):
    """Make the prior of that name."""
    if name == "mixture":
        return MixturePrior(n_pseudo_inputs, sample_shape, width)
    return NormalPrior()


def kl_divergence(mean, log_variance):
    """Of a normal posterior from the standard normal prior, for each unit: (B, K)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
