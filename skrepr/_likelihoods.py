"""Likelihoods of what a decoder gives: how probable the data are, in nats.

A likelihood is a torch module. ``forward(x, output)`` is the log-likelihood of rows, in nats and
in the units of X, summed over observed values: (B,), or (S, B) where ``output`` has a leading
axis of draws. ``mean(output, x)`` is what is expected: for counts, of rows with the totals of x.
``linearize(start, beta)`` is the linear-Gaussian model next to it, around the mean of the data,
where training starts; counts have none.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

# Standard deviation below which noise does not fall, in the unit of the network: a column of
# few values would make the likelihood infinite.
_LEAST_NOISE = 0.01
# Beyond it counts are Poisson's, and the logarithms of gamma functions lose their digits.
_LARGEST_LOG_DISPERSION = 7.0


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

    has_linear_start = True

    def __init__(self, units, per_feature):
        super().__init__()
        self.units = [units]  # the parent's, not a part of this module
        shape = units.center.shape if per_feature else (1,)
        self.log_noise = nn.Parameter(torch.zeros(shape))

    @property
    def variance(self):
        """Of the noise, in the unit of the network."""
        return self.log_noise.exp() + _LEAST_NOISE**2

    @property
    def at_floor(self):
        """Whether the floor is at least half of the variance: (d,), or (1,) if it is shared."""
        return self.variance <= 2.001 * _LEAST_NOISE**2

    @property
    def scale(self):
        """Standard deviation of the noise, in the units of X: (d,), or (1,) if it is shared."""
        return self.variance.sqrt() * self.units[0].scale

    def forward(self, x, output):
        (units,) = self.units
        variance = self.variance
        error = (units(x) - output).square() / variance
        constant = (2 * math.pi * variance).log() + 2 * units.scale.log()
        if units.missing:
            return -0.5 * _sum_of_seen(error + constant, x, units)
        return -0.5 * (_sum_of_all(error, x) + constant.expand(x.shape[1:]).sum())

    def mean(self, output, x=None):
        return self.units[0].undo(output)

    def linearize(self, start, beta=1.0):
        r"""Probabilistic PCA (Tipping & Bishop 1999), or what it becomes with another beta.

        With beta, posterior and weights are those of a noise of beta times its variance: an
        axis is in use if its variance is above :math:`\beta \sigma^2` (Lucas et al. 2019), and
        adds that much to the error. So :math:`d \sigma^2 = \sum_{unused} \lambda + k \beta
        \sigma^2`.
        """
        variance = start.from_code.square().sum(0)  # (k,), of the axes, falling
        noise = _noise_beside(variance, start.from_code.shape[0], beta)
        self.log_noise.fill_(math.log(noise - _LEAST_NOISE**2))
        d = start.from_code.shape[0]
        weight = start.from_code * (1 - beta * noise / variance).clamp(min=0).sqrt()
        precision = torch.full((d,), 1 / noise)
        return LinearModel(weight, torch.zeros(d), precision, precision)


class BernoulliLikelihood(nn.Module):
    """Values in [0, 1], whose logits are the output.

    Parameters
    ----------
    units : Units
    """

    has_linear_start = True

    def __init__(self, units):
        super().__init__()
        self.units = [units]

    def forward(self, x, output):
        known = _known(x, self.units[0]).expand_as(output)
        terms = F.binary_cross_entropy_with_logits(output, known, reduction="none")
        return -_sum_of_seen(terms, x, self.units[0])

    def mean(self, output, x=None):
        return output.sigmoid()

    def linearize(self, start, beta=1.0):
        """PCA of the values, with the slope of the logit at their mean."""
        (units,) = self.units
        p, slope = units.probabilities()
        weight = start.from_code * slope[:, None]
        return LinearModel(weight, p.logit(), units.scale.cpu().expand_as(p), p * (1 - p))


class PoissonLikelihood(nn.Module):
    """Counts whose rate is the average of their column, times the size factor of the row.

    The output is the logarithm of what is left.

    Parameters
    ----------
    units : CountUnits
    """

    has_linear_start = False

    def __init__(self, units):
        super().__init__()
        self.units = [units]

    def forward(self, x, output):
        (units,) = self.units
        terms = self.log_prob(_known(x, units), self._log_rate(output, x))
        return _sum_of_seen(terms, x, units)

    def log_prob(self, x, log_rate):
        return x * log_rate - log_rate.exp() - (x + 1).lgamma()

    def mean(self, output, x=None):
        return self._log_rate(output, x).exp()

    def _log_rate(self, output, x):
        (units,) = self.units
        log_rate = output + units.average.log()
        return log_rate if x is None else log_rate + units.size(x).log()


class NegativeBinomialLikelihood(PoissonLikelihood):
    r"""Counts of a variance above their mean: :math:`\mu + \mu^2 / \theta`.

    The dispersion :math:`\theta` is learned, one for each value of a sample.

    Parameters
    ----------
    units : CountUnits
    """

    def __init__(self, units):
        super().__init__(units)
        self.log_dispersion = nn.Parameter(torch.zeros(units.center.shape))

    def log_prob(self, x, log_rate):
        log_dispersion = self.log_dispersion.clamp(max=_LARGEST_LOG_DISPERSION)
        dispersion = log_dispersion.exp()
        logit = log_rate - log_dispersion  # of mean against dispersion
        combinations = (x + dispersion).lgamma() - dispersion.lgamma() - (x + 1).lgamma()
        return combinations - dispersion * F.softplus(logit) - x * F.softplus(-logit)


def make_likelihood(name, units, noise="shared"):
    """Make the likelihood of that name.

    Parameters
    ----------
    name : {"gaussian", "bernoulli", "poisson", "negative_binomial"}
    units : Units
        For counts, `CountUnits`.
    noise : {"shared", "feature"}
        Of the Gaussian one.
    """
    if name == "gaussian":
        return GaussianLikelihood(units, noise == "feature")
    return {
        "bernoulli": BernoulliLikelihood,
        "poisson": PoissonLikelihood,
        "negative_binomial": NegativeBinomialLikelihood,
    }[name](units)


def _noise_beside(variance, d, beta):
    """Find the variance of the noise outside of the axes that it leaves in use."""
    noise = 1.0  # of data of unit variance, if no axis is in use
    for k in range(len(variance), 0, -1):
        # rounding may leave less than nothing
        rest = max(0.0, d - float(variance[:k].sum()))
        candidate = rest / (d - beta * k) if beta * k < d else math.inf
        if k == d and beta == 1:
            # without a rest, any noise up to the last variance is as probable as any other
            candidate = float(variance[-1]) / 2
        if beta * candidate < variance[k - 1]:
            noise = candidate
            break
    return max(noise, 2 * _LEAST_NOISE**2)


def _known(x, units):
    return x.nan_to_num() if units.missing else x


def _sum_of_seen(terms, x, units):
    """Sum over the observed values of each row."""
    return _sum_of_all(terms.where(~x.isnan(), 0.0) if units.missing else terms, x)


def _sum_of_all(terms, x):
    return terms.flatten(terms.ndim - x.ndim + 1).sum(-1)
