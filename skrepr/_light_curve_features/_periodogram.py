"""The generalized Lomb-Scargle periodogram, with several bands, and its best period."""

import math

import torch
from torch.nn.functional import max_pool1d

from ._curves import TINY

# The lowest frequency is this many steps: one cycle in the longest span.
PER_RESOLVED = 2
N_BINS = 24
# Peaks that are refined, rounds of it, points to either side; each round is as many times finer.
_PEAKS, _ROUNDS, _POINTS = 10, 2, 4
# Harmonics that decide between the peaks.
_HARMONICS = 3
# Frequencies whose sums are taken by one product of two tables of phasors.
_COARSE, _FINE = 64, 256
# Below this share of its common value the determinant tells that sine and cosine and constant
# are one and the same at the times observed.
_LEAST_DETERMINANT = 1e-3


def search(curves, step, n_frequencies):
    """Compute the periodogram at frequencies from one cycle in the longest span on.

    Since e^(i (a + b) t) = e^(i a t) e^(i b t), the sums over the observations at a regular
    grid of frequencies are a product of two small tables: coarse times fine.

    Parameters
    ----------
    curves : Curves
    step : torch.Tensor of shape (), float64
        Between frequencies.
    n_frequencies : int

    Returns
    -------
    binned : torch.Tensor of shape (B, 24)
        Highest power in intervals of log frequency.
    peaks : torch.Tensor of shape (B, at most 10), float64
        Frequencies of the highest peaks.
    """
    time, weight = curves.time, curves.weight.float()
    of_sums = torch.cat([curves.value[:, None], curves.member], 1).float()  # (B, 1 + b, N)
    weights = (weight[:, None] * of_sums).transpose(1, 2)
    fine = _phasors(time[..., None] * (step * torch.arange(_FINE, device=time.device)))
    tables = (weights[..., None] * fine[:, :, None]).flatten(2)  # (B, N, (1 + b) * fine)
    table_of_double = weight[..., None] * fine.square()
    blocks = []
    for start in range(0, n_frequencies, _COARSE * _FINE):
        end = min(n_frequencies, start + _COARSE * _FINE)
        number = PER_RESOLVED + torch.arange(start, end, _FINE, device=time.device)
        coarse = _phasors((step * number)[:, None] * time[:, None])  # (B, coarse, N)
        sums = (coarse @ tables).unflatten(2, (-1, _FINE)).movedim(2, 1).flatten(2)
        double = (coarse.square() @ table_of_double).flatten(1)
        blocks.append(_power(curves, sums[:, 0], sums[:, 1:], double)[:, : end - start])
    power = torch.cat(blocks, 1)  # (B, F)
    is_peak = power == max_pool1d(power[:, None], 3, stride=1, padding=1)[:, 0]
    n_peaks = min(_PEAKS, n_frequencies)
    peaks = torch.where(is_peak, power, -1.0).topk(n_peaks, dim=1).indices
    return _highest_in_bins(power), step * (PER_RESOLVED + peaks)


def _highest_in_bins(power):
    """Return the highest power in intervals of log frequency: (B, 24)."""
    cycles = 1 + torch.arange(power.shape[1], device=power.device) / PER_RESOLVED  # in a span
    bins = (N_BINS * cycles.log() / (cycles[-1:] + 1 / PER_RESOLVED).log()).long()
    empty = power.new_zeros(len(power), N_BINS)
    return empty.scatter_reduce(1, bins.expand_as(power), power, "amax")


def best_frequency(curves, peaks, step):
    """Climb the peaks, in float64, and choose one.

    Where nights are the only times observed, the peaks at one cycle a day more and less are as
    high; but a curve that is no sinusoid has harmonics, and these fit at one peak alone.

    Returns
    -------
    frequency, power : torch.Tensor of shape (B,), float64
    """
    around = torch.arange(-_POINTS, _POINTS + 1, device=peaks.device) / _POINTS
    for _ in range(_ROUNDS):
        near = peaks[..., None] + step * around  # (B, peaks, points)
        power = power_at(curves, near.flatten(1)).unflatten(1, near.shape[1:])
        power, best = power.max(2, keepdim=True)
        peaks = near.gather(2, best)[..., 0]
        step = step / _POINTS
    best = _explained_by_harmonics(curves, peaks).argmax(1, keepdim=True)
    return peaks.gather(1, best)[:, 0], power[..., 0].gather(1, best)[:, 0]


def power_at(curves, frequency):
    """Return the power at any frequencies (B, F), in float64."""
    return _power(curves, *_sums(curves, frequency))


def _phasors(cycles, dtype=torch.float32):
    """Return e^(2 pi i cycles); cycles in float64, of which only the fraction matters."""
    angle = (2 * math.pi * (cycles - cycles.floor())).to(dtype)
    return torch.complex(angle.cos(), angle.sin())


def _normal_equations(curves, wy, w_of_bands, w_double):
    """Return YC, YS, CC, SS, CS, each band having its mean taken out.

    Parameters
    ----------
    wy : torch.Tensor of shape (B, F), complex
        Sums of weight x value x phasor at the frequencies.
    w_of_bands : torch.Tensor of shape (B, b, F), complex
        Sums of weight x phasor of each band.
    w_double : torch.Tensor of shape (B, F), complex
        Sum of weight x phasor at twice the frequencies.
    """
    share = curves.band_weight.clamp(min=TINY)[..., None].to(w_double.real.dtype)
    c, s = w_of_bands.real, w_of_bands.imag
    cc = (1 + w_double.real) / 2 - (c * c / share).sum(1)
    ss = (1 - w_double.real) / 2 - (s * s / share).sum(1)
    cs = w_double.imag / 2 - (c * s / share).sum(1)
    return wy.real, wy.imag, cc, ss, cs


def _power(curves, *sums):
    """Return the generalized Lomb-Scargle periodogram, YY being 1: (B, F)."""
    yc, ys, cc, ss, cs = _normal_equations(curves, *sums)
    determinant = cc * ss - cs * cs
    power = (ss * yc * yc + cc * ys * ys - 2 * cs * yc * ys) / determinant
    tells = determinant > _LEAST_DETERMINANT / 4  # 1/4 at well spread times
    return torch.where(tells, power, 0).clamp(0, 1)


def _sums(curves, frequency):
    """Return the sums that the normal equations need at any frequencies (B, F), in float64."""
    phasors = _phasors(frequency[..., None] * curves.time[:, None], torch.float64)  # (B, F, N)
    weight = curves.weight[:, None]
    weights = torch.cat([weight * curves.value[:, None], weight * curves.member], 1)
    sums = weights.to(phasors.dtype) @ phasors.transpose(1, 2)  # (B, 1 + b, F)
    double = weight.to(phasors.dtype) @ phasors.square().transpose(1, 2)
    return sums[:, 0], sums[:, 1:], double[:, 0]


def _explained_by_harmonics(curves, frequency):
    """Return what a sinusoid and two harmonics explain, shrunk by half an observation: (B, F)."""
    cycles = frequency[..., None, None] * curves.time[:, None, None]
    harmonics = torch.arange(1, _HARMONICS + 1, device=cycles.device)[:, None]
    phasors = _phasors(harmonics * cycles, torch.float64)
    basis = torch.cat([phasors.real, phasors.imag], 2)  # (B, F, 2 H, N)
    weight, member = curves.weight[:, None, None], curves.member[:, None]
    share = curves.band_weight.clamp(min=TINY)[:, None, None]
    means = (basis * weight) @ member.transpose(2, 3) / share  # (B, F, 2 H, b)
    basis = basis - means @ member
    gram = (basis * weight) @ basis.transpose(2, 3)
    prior = 0.5 / curves.n_observations.clamp(min=1)[:, None, None]
    gram.diagonal(dim1=2, dim2=3).add_(prior)
    target = (basis * weight * curves.value[:, None, None]).sum(3)
    return (torch.linalg.solve(gram, target) * target).sum(2)


def phase_of_minimum(curves, frequency):
    """Return the phase, in cycles, at which the fitted sinusoid is lowest: (B,)."""
    yc, ys, cc, ss, cs = _normal_equations(curves, *_sums(curves, frequency[:, None]))
    of_maximum = torch.atan2(ys * cc - yc * cs, yc * ss - ys * cs) / (2 * math.pi)
    return of_maximum[:, 0] + 0.5


def values_in_tables(n_observations, n_bands, n_frequencies):
    """Return how many values one curve takes in `search`."""
    return n_observations * (_FINE * (2 + n_bands) + 2 * _COARSE) + 3 * n_frequencies
