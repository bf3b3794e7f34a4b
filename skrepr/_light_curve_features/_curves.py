"""Light curves in one order, with weights, relative to the means of their bands."""

import math
from typing import NamedTuple

import torch

# An error of less than this share of the median one is not believed.
_LEAST_ERROR = 0.1
# A curve that varies by less than this share of its error, or of its largest value, is constant.
_CONSTANT_IN_ERRORS, _CONSTANT_IN_VALUES = 1e-2, 1e-6
TINY = 1e-30  # divides what is 0 anyway


class Curves(NamedTuple):
    """A chunk of B curves, sorted by band and time, with weight 0 where nothing is; float64."""

    time: torch.Tensor  # (B, N), from the first observation
    value: torch.Tensor  # (B, N), relative to the mean of the band, over the scale
    error: torch.Tensor  # (B, N), over the scale
    weight: torch.Tensor  # (B, N), sum 1
    seen: torch.Tensor  # (B, N), bool
    band: torch.Tensor  # (B, N), int64
    member: torch.Tensor  # (B, b, N), 1 where an observation is of a band
    band_weight: torch.Tensor  # (B, b)
    band_mean: torch.Tensor  # (B, b), in the unit of value
    scale: torch.Tensor  # (B,), weighted standard deviation
    n_observations: torch.Tensor  # (B,)
    n_present: torch.Tensor  # (B,), bands


def as_curves(time, value, error, band, seen, n_bands):
    """Sort, weigh and center curves."""
    time, value, error, band, seen = _sorted(time, value, error, band, seen)
    first = time.masked_fill(~seen, math.inf).amin(1, keepdim=True)
    time = torch.where(seen, time - first, 0)
    usual = error.masked_fill(~seen, math.nan).nanmedian(1, keepdim=True).values.nan_to_num()
    known = usual > 0
    error = torch.where(known, torch.maximum(error, _LEAST_ERROR * usual), 1.0)
    weight = seen * (torch.where(known, usual, 1.0) / error).square()
    weight = weight / weight.sum(1, keepdim=True).clamp(min=TINY)
    band = band.long()
    member = (band[:, None] == torch.arange(n_bands, device=band.device)[:, None]) & seen[:, None]
    member = member.double()  # (B, b, N)
    band_weight = (weight[:, None] * member).sum(2)
    band_mean = ((weight * value)[:, None] * member).sum(2) / band_weight.clamp(min=TINY)
    least = torch.where(
        known, _CONSTANT_IN_ERRORS * usual, _CONSTANT_IN_VALUES * value.abs().amax(1, keepdim=True)
    )
    least = torch.where(least > 0, least, _CONSTANT_IN_VALUES)
    value = torch.where(seen, value - band_mean.gather(1, band), 0)
    scale = (weight * value.square()).sum(1, keepdim=True).sqrt()
    value = torch.where(scale > least, value / scale, 0)
    scale = torch.maximum(scale, least)
    return Curves(
        time=time,
        value=value,
        error=torch.where(known, error / scale, 1.0),
        weight=weight,
        seen=seen,
        band=band,
        member=member,
        band_weight=band_weight,
        band_mean=band_mean,
        scale=scale[:, 0],
        n_observations=seen.sum(1),
        n_present=member.any(2).sum(1),
    )


def _sorted(*columns_and_seen):
    """Sort observations by band, time, value and error, so that their order is none; cut padding.

    What is not seen comes last and is 0.
    """
    *columns, seen = columns_and_seen
    time, value, error, band = columns = [torch.where(seen, x, 0) for x in columns]
    order = torch.arange(time.shape[1], device=time.device).expand(time.shape)
    for key in (error, value, time, band, (~seen).double()):  # the last decides first
        order = order.gather(1, key.gather(1, order).argsort(dim=1, stable=True))
    order = order[:, : max(1, int(seen.sum(1).max()))]
    return *(x.gather(1, order) for x in columns), seen.gather(1, order)
