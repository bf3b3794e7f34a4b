"""A light curve as a function of its phase."""

import torch


def fold(curves, frequency, phase, n_bins):
    """Average the curve in bins of phase.

    Each observation is shared between the two nearest bins. Half of what one observation weighs
    is added at the mean, so that an empty bin is 0.

    Returns
    -------
    folded : torch.Tensor of shape (B, n_bins)
    explained : torch.Tensor of shape (B,)
        Share of the weighted squares that the folded curve explains.
    """
    cycles = curves.time * frequency[:, None] - phase[:, None]
    position = n_bins * (cycles - cycles.floor())
    low = position.long()
    part = position - low
    low, high = low % n_bins, (low + 1) % n_bins
    zeros = curves.time.new_zeros(len(cycles), n_bins)

    def sum_in_bins(x):
        return zeros.scatter_add(1, low, x * (1 - part)).scatter_add(1, high, x * part)

    prior = 0.5 / curves.n_observations.clamp(min=1)[:, None]
    folded = sum_in_bins(curves.weight * curves.value)
    folded = folded / (sum_in_bins(curves.weight) + prior)
    rest = curves.value - torch.lerp(folded.gather(1, low), folded.gather(1, high), part)
    explained = curves.weight * (curves.value.square() - rest.square())
    return folded, explained.sum(1)


def fold_twice(curves, frequency, phase, n_bins):
    """Fold at twice the period, the higher of two maxima in the first half."""
    folded, explained = fold(curves, frequency / 2, phase / 2, n_bins)
    first, second = folded.split(n_bins // 2, dim=1)
    swap = (second.amax(1) > first.amax(1))[:, None]
    return torch.where(swap, torch.cat([second, first], 1), folded), explained
