"""What a light curve tells without a period: moments, percentiles, changes, colors."""

import math

import torch

from ._curves import TINY

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
OF_CURVE = (
    "log_n_observations",
    "log_span",
    "mean",
    "log_std",
    "log_error",
    "log_chi_square",
    "skewness",
    "kurtosis",
    "median",
    "log_width",
    "quartile_ratio",
    "upper_ratio",
    "lowest",
    "highest",
    "log_von_neumann",
    "stetson_j",
    "stetson_k",
    "log_slope",
    "trend",
)
OF_BAND = ("share", "color", "std")


def moments(curves, highest_frequency):
    """Return what needs no period: (B, 19)."""
    value, weight, seen = curves.value, curves.weight, curves.seen
    n = curves.n_observations
    levels = value.new_tensor((0.0, *_QUANTILES, 1.0))
    quantiles = value.masked_fill(~seen, math.nan).nanquantile(levels, dim=1).nan_to_num()
    lowest, q05, q25, q50, q75, q95, highest = quantiles
    width = (q95 - q05).clamp(min=TINY)
    usual_error = curves.error.masked_fill(~seen, math.nan).nanmedian(1).values.nan_to_num(1.0)
    z = value / curves.error
    chi_square = (seen * z.square()).sum(1)
    span = curves.time.amax(1)
    late = curves.time - (weight * curves.time).sum(1, keepdim=True)
    late = late / (weight * late.square()).sum(1, keepdim=True).sqrt().clamp(min=TINY)
    pair = seen[:, 1:] & (curves.band.diff(dim=1) == 0)  # next to each other, in one band
    n_pairs = pair.sum(1).clamp(min=1)
    change = value.diff(dim=1).abs() * pair
    slope = change / curves.time.diff(dim=1).clamp(min=1 / highest_frequency)
    slope = torch.cat([slope, 0 * span[:, None]], 1).amax(1)
    product = z[:, 1:] * z[:, :-1] * pair
    features = {
        "log_n_observations": torch.log10(1.0 + n),
        "log_span": span.clamp(min=1 / highest_frequency).log10(),
        "mean": curves.band_mean.sum(1) / curves.n_present.clamp(min=1),
        "log_std": curves.scale.log10(),
        "log_error": (usual_error * curves.scale).log10(),
        "log_chi_square": (chi_square / (n - curves.n_present).clamp(min=1) + 1e-3).log10(),
        "skewness": (weight * value**3).sum(1).asinh(),
        "kurtosis": ((weight * value**4).sum(1) - 3).asinh(),
        "median": q50,
        "log_width": (width + 1e-3).log10(),
        "quartile_ratio": (q75 - q25) / width,
        "upper_ratio": (q95 - q50) / width,
        "lowest": lowest.asinh(),
        "highest": highest.asinh(),
        "log_von_neumann": (change.square().sum(1) / n_pairs + 1e-3).log10(),
        "stetson_j": ((product.sign() * product.abs().sqrt()).sum(1) / n_pairs).asinh(),
        "stetson_k": (seen * z.abs()).sum(1) / (n * chi_square).sqrt().clamp(min=TINY),
        "log_slope": ((slope + 1e-3 / (1e-3 + span)) * curves.scale).log10(),
        "trend": (weight * value * late).sum(1),
    }
    return torch.stack([features[name] for name in OF_CURVE], 1)


def of_bands(curves):
    """Return share, color and standard deviation of each band: (B, 3 b)."""
    present = curves.band_weight > 0
    share = curves.member.sum(2) / curves.n_observations.clamp(min=1)[:, None]
    mean = curves.band_mean.sum(1, keepdim=True) / curves.n_present.clamp(min=1)[:, None]
    color = torch.where(present, curves.band_mean - mean, 0)
    square = ((curves.weight * curves.value.square())[:, None] * curves.member).sum(2)
    std = (square / curves.band_weight.clamp(min=TINY)).sqrt()
    return torch.stack([share, color, std], 2).flatten(1)
