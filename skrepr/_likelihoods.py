"""Likelihoods of what a decoder gives: how probable the data are, in nats.

A likelihood is a torch module. ``forward(x, output)`` is the log-likelihood of rows, in nats and
in the units of X, summed over observed values: (B,), or (S, B) where ``output`` has a leading
axis of draws. ``mean(output)`` is the expected x. ``linearize(start)`` is the linear-Gaussian
model next to it, around the mean of the data, where training starts.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

# Standard deviation below which noise does not fall, in the unit of the network: a column of
# few values would make the likelihood infinite.
_LEAST_NOISE = 0.01


class LinearModel(NamedTuple):
    """A model whose output is linear in the code: ``weight @ z + offset``."""

    weight: torch.Tensor  # (d, k)
    offset: torch.Tensor  # (d,)
    score: torch.Tensor  # (d,), derivative of the log-likelihood by the output, per input
    curvature: torch.Tensor  # (d,), minus its second derivative


class GaussianLikelihood(nn.Module):
    """Normal noise around the output, whose scale is learned.

    Parameters
    ----------
    units : Units
    per_feature : bool
        Whether each value of a sample has noise of its own.
    """

    def __init__(self, units, per_feature):
        super().__init__()
        self.units = [units]  # the parent's, not a part of this module
        shape = units.center.shape if per_feature else (1,)
        self.log_noise = nn.Parameter(torch.zeros(shape))

    @property
    def variance(self):
        """Of the noise, in the unit of the network."""
        return self.log_noise.exp() + _LEAST_NOISE**2

    def forward(self, x, output):
        (units,) = self.units
        error = (units(x) - output).square() / self.variance
        terms = error + (2 * math.pi * self.variance).log() + 2 * units.scale.log()
        return -0.5 * _sum_of_seen(terms, x)

    def mean(self, output):
        return self.units[0].undo(output)

    def linearize(self, start):
        """Probabilistic PCA (Tipping & Bishop 1999): the noise is the variance left over."""
        variance = start.from_code.square().sum(0)  # (k,), of the axes
        d, k = start.from_code.shape
        noise = max(float(d - variance.sum()) / max(1, d - k), 2 * _LEAST_NOISE**2)
        self.log_noise.fill_(math.log(noise - _LEAST_NOISE**2))
        weight = start.from_code * (1 - noise / variance).clamp(min=0).sqrt()
        precision = torch.full((d,), 1 / noise)
        return LinearModel(weight, torch.zeros(d), precision, precision)


class BernoulliLikelihood(nn.Module):
    """Values in [0, 1], whose logits are the output.

    Parameters
    ----------
    units : Units
    """

    def __init__(self, units):
        super().__init__()
        self.units = [units]

    def forward(self, x, output):
        x_known = x.nan_to_num().expand_as(output)
        terms = F.binary_cross_entropy_with_logits(output, x_known, reduction="none")
        return -_sum_of_seen(terms, x)

    def mean(self, output):
        return output.sigmoid()

    def linearize(self, start):
        """PCA of the values, with the slope of the logit at their mean."""
        (units,) = self.units
        scale = units.scale.cpu()
        p = units.center.cpu().flatten().clamp(0.01, 0.99)
        curvature = p * (1 - p)
        weight = start.from_code * (scale / curvature.clamp(min=0.05))[:, None]
        return LinearModel(weight, p.logit(), scale.expand_as(p), curvature)


def _sum_of_seen(terms, x):
    """Sum over the observed values of each row."""
    seen = ~x.isnan()
    if not seen.all():
        terms = terms.where(seen, 0.0)
    return terms.flatten(terms.ndim - x.ndim + 1).sum(-1)
