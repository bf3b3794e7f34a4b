"""What is known of a light curve without training: its periodogram, its fold, its moments.

"Light curve" stands for any series of values at uneven times, with errors and bands or without.
"""

import math
from typing import NamedTuple

import torch
from torch import nn

# Frequencies to search: two for each that the longest curve can tell from its neighbors, since
# peaks are refined, up to this many.
_PER_RESOLVED, _MOST_FREQUENCIES = 2, 2**16
# Of the intervals between observations this share is shorter than half the shortest period.
_SHORT_INTERVALS = 0.05
_PERIODOGRAM_BINS = 24
# Peaks that are refined, rounds of it, points to either side; each round is as many times finer.
_PEAKS, _ROUNDS, _POINTS = 10, 2, 4
# Harmonics that decide between the peaks.
_HARMONICS = 3
# Frequencies whose sums are taken by one product of two tables of phasors.
_COARSE, _FINE = 64, 256
# Values of the tables at a time, as far as one curve allows (64 MB).
_CHUNK_VALUES = 2**23
# Below this share of its common value the determinant tells that sine and cosine and constant
# are one and the same at the times observed.
_LEAST_DETERMINANT = 1e-3
# An error of less than this share of the median one is not believed.
_LEAST_ERROR = 0.1
# A curve that varies by less than this share of its error, or of its largest value, is constant.
_CONSTANT_IN_ERRORS, _CONSTANT_IN_VALUES = 1e-2, 1e-6
_TINY = 1e-30  # divides what is 0 anyway
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_OF_CURVE = (
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
_OF_PERIOD = ("log_period", "power", "log_significance", "explained", "explained_twice")
_OF_BAND = ("share", "color", "std")


class LightCurveFeatures(nn.Module):
    r"""Describe uneven series by periodogram, folded curve and robust moments.

    The periodogram is the generalized one of Lomb and Scargle [1]_: the share of the weighted
    squares that a sinusoid and a constant explain, errors being the weights,

    .. math::
        p(\omega) = \frac{SS\, YC^2 + CC\, YS^2 - 2\, CS\, YC\, YS}{YY\, (CC\, SS - CS^2)},

    eq. 5 there. With several bands each has a constant of its own, and all share the sinusoid:
    the shared-phase model of [2]_ without terms of single bands. Frequencies are evenly spaced,
    dense enough for every peak; the highest ones are refined.

    Parameters
    ----------
    n_bands : int, default=1
        Bands are numbered 0 to ``n_bands - 1``.
    n_bins : int, default=32
        Phase bins of a folded curve; even.
    min_period : float, default=None
        Shortest period to search for, in the unit of time. None: twice as long as all but the
        shortest 5 percent of the intervals between observations, but no more than 2**16
        frequencies, which is 0.1 days for nine years.

    Attributes
    ----------
    names : list of str
        Names of the features:

        - of the curve: log10 of the number of observations, of the span, of the standard
          deviation about the means of the bands, of the median error, of chi-square of constancy
          per degree of freedom; the mean; skewness, excess kurtosis (asinh), percentiles, von
          Neumann's ratio, Stetson's J (asinh) and K, steepest slope, correlation with time
        - of the period: log10 of the best one; its power p; its significance
          :math:`-\tfrac{n}{2}\log(1 - p)` (log1p); the share that the folded curve explains, at
          the period and at twice the period
        - of each band: share of the observations, mean relative to all bands, standard deviation
          relative to that of the curve
        - highest power in each of 24 intervals of log frequency
        - the curve folded at the best period, phase 0 where the sinusoid is lowest; and at twice
          the period, the higher of two maxima in the first half. Values are relative to the mean
          of the band, divided by the standard deviation.

    Notes
    -----
    Twice the period: an eclipsing binary is two equal cycles of a sinusoid, and its period is
    twice the one that is found. Both folds are given, since the light curve alone does not tell.

    All features are finite for every input. Below three observations more than bands no
    period is looked for: the power is 0, and the fold is that of the longest period. Features do
    not depend on the order of the observations, nor on the origin of time. In another unit of
    value (and error) the mean and the colors scale, ``log_std``, ``log_error`` and ``log_slope``
    shift, and the rest stays.

    Without errors, or where their median is 0, all observations weigh the same, and the error is
    taken to be the standard deviation. Errors below a tenth of the median count as that much.

    Cost goes as observations x frequencies, by matrix products; memory is bounded by working in
    chunks of curves and of frequencies.

    References
    ----------
    .. [1] M. Zechmeister and M. Kuerster (2009). The generalised Lomb-Scargle periodogram.
       Astronomy and Astrophysics 496.
    .. [2] J. T. VanderPlas and Z. Ivezic (2015). Periodograms for multiband astronomical time
       series. Astrophysical Journal 812.

    Examples
    --------
    >>> import torch
    >>> from skrepr._light_curve_features import LightCurveFeatures
    >>> generator = torch.Generator().manual_seed(0)
    >>> time = 1000 * torch.rand(3, 200, generator=generator, dtype=torch.float64)
    >>> period = torch.tensor([[0.7], [5.0], [33.0]])
    >>> features = LightCurveFeatures(min_period=0.2).fit(time)
    >>> found = features(time, torch.sin(2 * torch.pi * time / period))
    >>> print((10 ** found[:, features.names.index("log_period")]).round(decimals=2))
    tensor([ 0.7000,  5.0000, 33.0000])
    """

    def __init__(self, n_bands=1, n_bins=32, min_period=None):
        super().__init__()
        if n_bands < 1:
            raise ValueError(f"n_bands must be at least 1. Got {n_bands} instead.")
        if n_bins < 2 or n_bins % 2:
            raise ValueError(f"n_bins must be even and at least 2. Got {n_bins} instead.")
        if min_period is not None and min_period <= 0:
            raise ValueError(f"min_period must be positive. Got {min_period} instead.")
        self.n_bands, self.n_bins, self.min_period = n_bands, n_bins, min_period
        self.names = [
            *_OF_CURVE,
            *_OF_PERIOD,
            *(f"{name}_{band}" for band in range(n_bands) for name in _OF_BAND),
            *(f"periodogram_{i}" for i in range(_PERIODOGRAM_BINS)),
            *(f"fold_{i}" for i in range(n_bins)),
            *(f"fold_twice_{i}" for i in range(n_bins)),
        ]
        self.n_features = len(self.names)
        self.register_buffer("step", torch.tensor(1.0, dtype=torch.float64))  # of frequency
        self.register_buffer("n_frequencies", torch.tensor(1))

    @torch.no_grad()
    def fit(self, time, mask=None):
        """Choose the frequencies from the times of the training rows.

        Parameters
        ----------
        time : torch.Tensor of shape (n_samples, n_observations), float64
            NaN is padding.
        mask : torch.Tensor of bool, shape (n_samples, n_observations), default=None
            True where there is an observation.

        Returns
        -------
        self : LightCurveFeatures
        """
        time = time.double()
        if mask is not None:
            time = time.masked_fill(~mask, math.nan)
        time = time.sort(1).values  # NaN come last
        intervals = time.diff(dim=1)
        intervals = intervals[intervals > 0].sort().values
        if not len(intervals):  # no curve has two times
            return self
        span = (time.nan_to_num(-math.inf).amax(1) - time[:, 0]).nan_to_num().max()
        step = 1 / (_PER_RESOLVED * span)
        shortest = self.min_period or 2 * intervals[int(_SHORT_INTERVALS * len(intervals))]
        most = _MOST_FREQUENCIES if self.min_period is None else math.inf
        self.step.copy_(step)
        self.n_frequencies.fill_(int(min(most, max(1, 1 / (shortest * step) - 1))))
        return self

    @torch.no_grad()
    def forward(self, time, value, error=None, band=None, mask=None):
        """Compute the features.

        Parameters
        ----------
        time, value, error : torch.Tensor of shape (n_samples, n_observations)
            Times in float64. An observation counts if all of them are finite.
        band : torch.Tensor of shape (n_samples, n_observations), default=None
            Number of the band of each observation; others do not count. None: all 0.
        mask : torch.Tensor of bool, shape (n_samples, n_observations), default=None
            True where there is an observation.

        Returns
        -------
        features : torch.Tensor of shape (n_samples, n_features), float32
        """
        if not len(time):
            return value.new_empty(0, self.n_features, dtype=torch.float32)
        error = torch.zeros_like(value) if error is None else error  # 0: not known
        band = torch.zeros_like(value) if band is None else band
        seen = time.isfinite() & value.isfinite() & error.isfinite()
        seen = seen & (band >= 0) & (band < self.n_bands)
        seen = seen if mask is None else seen & mask
        columns = [x.double() for x in (time, value, error, band)]
        features = [
            self._features(_curves(*chunk, self.n_bands))
            for chunk in zip(*(x.split(self._rows(x)) for x in (*columns, seen)), strict=True)
        ]
        return torch.cat(features)

    def _rows(self, x):
        """Return how many curves are described at a time."""
        tables = _FINE * (2 + self.n_bands) + 2 * _COARSE
        found = min(int(self.n_frequencies), _MOST_FREQUENCIES)
        return max(1, _CHUNK_VALUES // (x.shape[1] * tables + found + 1))

    def _features(self, curves):
        """Return the features of one chunk of curves."""
        enough = curves.n_observations - curves.n_present >= 3
        binned, candidates = self._search(curves)
        frequency, power = self._best(curves, candidates)
        longest = _PER_RESOLVED * self.step
        frequency = torch.where(enough, frequency, longest)
        power, binned = power * enough, binned * enough[:, None]
        phase = _phase_of_minimum(curves, frequency)
        once, explained = _fold(curves, frequency, phase, self.n_bins)
        twice, explained_twice = _fold(curves, frequency / 2, phase / 2, self.n_bins)
        first, second = twice.split(self.n_bins // 2, dim=1)
        swap = (second.amax(1) > first.amax(1))[:, None]
        twice = torch.where(swap, torch.cat([second, first], 1), twice)
        freedom = (curves.n_observations - curves.n_present - 2).clamp(min=0)
        significance = torch.log1p(-freedom / 2 * torch.log1p(-power.clamp(max=1 - 1e-9)))
        of_period = (-frequency.log10(), power, significance, explained, explained_twice)
        features = (
            _moments(curves, self.n_frequencies * self.step),
            torch.stack(of_period, 1),
            _of_bands(curves),
            binned,
            once,
            twice,
        )
        return torch.cat([feature.float() for feature in features], 1)

    def _search(self, curves):
        """Compute the periodogram at all frequencies.

        Since e^(i (a + b) t) = e^(i a t) e^(i b t), the sums over the observations at a regular
        grid of frequencies are a product of two small tables: coarse times fine.

        Returns
        -------
        binned : torch.Tensor of shape (B, 24)
            Highest power in intervals of log frequency.
        candidates : torch.Tensor of shape (B, peaks), float64
            Frequencies of the highest peaks.
        """
        n, step, time = int(self.n_frequencies), self.step, curves.time
        weight = (
            curves.weight * curves.value,
            *(curves.weight[:, None] * curves.member).unbind(1),
        )
        fine = _phasors(time[..., None] * (step * torch.arange(_FINE, device=time.device)))
        table = torch.cat([w.float()[..., None] * fine for w in weight], 2)  # (B, N, (1 + b) F)
        fine = curves.weight.float()[..., None] * fine.square()
        blocks = []
        for start in range(0, n, _COARSE * _FINE):
            end = min(n, start + _COARSE * _FINE)
            number = _PER_RESOLVED + torch.arange(start, end, _FINE, device=time.device)
            coarse = _phasors((step * number)[:, None] * time[:, None])  # (B, G, N)
            sums = (coarse @ table).unflatten(2, (-1, _FINE)).movedim(2, 1).flatten(2)
            double = (coarse.square() @ fine).flatten(1)
            blocks.append(_power(curves, sums[:, 0], sums[:, 1:], double)[:, : end - start])
        power = torch.cat(blocks, 1)  # (B, n)
        at = torch.arange(n, device=time.device)
        log = (1 + at / _PER_RESOLVED).log() / math.log1p(max(1, n) / _PER_RESOLVED)
        bins = (log * _PERIODOGRAM_BINS).long().clamp(max=_PERIODOGRAM_BINS - 1).expand_as(power)
        binned = power.new_zeros(len(power), _PERIODOGRAM_BINS).scatter_reduce(
            1, bins, power, "amax"
        )
        beside = nn.functional.max_pool1d(power[:, None], 3, 1, 1)[:, 0]
        peaks = torch.where(power == beside, power, -1.0).topk(min(_PEAKS, n), 1).indices
        return binned, step * (_PER_RESOLVED + peaks)

    def _best(self, curves, candidates):
        """Climb the peaks, in float64, and choose one: the frequency and its power, (B,), (B,).

        Where nights are the only times observed, the peaks at one cycle a day more and less are
        as high, but a curve that is no sinusoid has harmonics, and these fit at one peak alone.
        """
        around = torch.arange(-_POINTS, _POINTS + 1, device=candidates.device) / _POINTS
        width = self.step.clone()
        for _ in range(_ROUNDS):
            near = candidates[..., None] + width * around  # (B, peaks, points)
            power = _power(curves, *_sums(curves, near.flatten(1))).unflatten(1, near.shape[1:])
            power, best = power.max(2, keepdim=True)
            candidates = near.gather(2, best)[..., 0]
            width = width / _POINTS
        best = _explained_by_harmonics(curves, candidates).argmax(1, keepdim=True)
        return candidates.gather(1, best)[:, 0], power[..., 0].gather(1, best)[:, 0]


class _Curves(NamedTuple):
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


def _curves(time, value, error, band, seen, n_bands):
    """Sort, weigh and center curves."""
    time, value, error, band, seen = _sorted(time, value, error, band, seen)
    first = time.masked_fill(~seen, math.inf).amin(1, keepdim=True)
    time = torch.where(seen, time - first, 0)
    usual = error.masked_fill(~seen, math.nan).nanmedian(1, keepdim=True).values.nan_to_num()
    known = usual > 0
    error = torch.where(known, torch.maximum(error, _LEAST_ERROR * usual), 1.0)
    weight = seen * (torch.where(known, usual, 1.0) / error).square()
    weight = weight / weight.sum(1, keepdim=True).clamp(min=_TINY)
    band = band.long()
    member = (band[:, None] == torch.arange(n_bands, device=band.device)[:, None]) & seen[:, None]
    member = member.double()  # (B, b, N)
    band_weight = (weight[:, None] * member).sum(2)
    band_mean = ((weight * value)[:, None] * member).sum(2) / band_weight.clamp(min=_TINY)
    least = torch.where(
        known, _CONSTANT_IN_ERRORS * usual, _CONSTANT_IN_VALUES * value.abs().amax(1, keepdim=True)
    )
    least = torch.where(least > 0, least, _CONSTANT_IN_VALUES)
    value = torch.where(seen, value - band_mean.gather(1, band), 0)
    scale = (weight * value.square()).sum(1, keepdim=True).sqrt()
    value = torch.where(scale > least, value / scale, 0)
    scale = torch.maximum(scale, least)
    return _Curves(
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
    share = curves.band_weight.clamp(min=_TINY)[..., None].to(w_double.real.dtype)
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
    phasors = _phasors(frequency[..., None] * curves.time[:, None], torch.float64)
    powers = torch.stack([phasors**k for k in range(1, _HARMONICS + 1)], 2)
    basis = torch.cat([powers.real, powers.imag], 2)  # (B, F, 2 H, N)
    weight, member = curves.weight[:, None, None], curves.member[:, None]
    share = curves.band_weight.clamp(min=_TINY)[:, None, None]
    means = (basis * weight) @ member.transpose(2, 3) / share  # (B, F, 2 H, b)
    basis = basis - means @ member
    gram = (basis * weight) @ basis.transpose(2, 3)
    prior = 0.5 / curves.n_observations.clamp(min=1)[:, None, None]
    gram.diagonal(dim1=2, dim2=3).add_(prior)
    target = (basis * weight * curves.value[:, None, None]).sum(3)
    return (torch.linalg.solve(gram, target) * target).sum(2)


def _phase_of_minimum(curves, frequency):
    """Return the phase, in cycles, at which the fitted sinusoid is lowest: (B,)."""
    yc, ys, cc, ss, cs = _normal_equations(curves, *_sums(curves, frequency[:, None]))
    of_maximum = torch.atan2(ys * cc - yc * cs, yc * ss - ys * cs) / (2 * math.pi)
    return of_maximum[:, 0] + 0.5


def _fold(curves, frequency, phase, n_bins):
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


def _moments(curves, highest_frequency):
    """Return what needs no period: (B, 19)."""
    value, weight, seen = curves.value, curves.weight, curves.seen
    n = curves.n_observations
    levels = value.new_tensor((0.0, *_QUANTILES, 1.0))
    quantiles = value.masked_fill(~seen, math.nan).nanquantile(levels, dim=1).nan_to_num()
    lowest, q05, q25, q50, q75, q95, highest = quantiles
    width = (q95 - q05).clamp(min=_TINY)
    usual_error = curves.error.masked_fill(~seen, math.nan).nanmedian(1).values.nan_to_num(1.0)
    z = value / curves.error
    chi_square = (seen * z.square()).sum(1)
    span = curves.time.amax(1)
    late = curves.time - (weight * curves.time).sum(1, keepdim=True)
    late = late / (weight * late.square()).sum(1, keepdim=True).sqrt().clamp(min=_TINY)
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
        "stetson_k": (seen * z.abs()).sum(1) / (n * chi_square).sqrt().clamp(min=_TINY),
        "log_slope": ((slope + 1e-3 / (1e-3 + span)) * curves.scale).log10(),
        "trend": (weight * value * late).sum(1),
    }
    return torch.stack([features[name] for name in _OF_CURVE], 1)


def _of_bands(curves):
    """Return share, color and standard deviation of each band: (B, 3 b)."""
    present = curves.band_weight > 0
    share = curves.member.sum(2) / curves.n_observations.clamp(min=1)[:, None]
    mean = curves.band_mean.sum(1, keepdim=True) / curves.n_present.clamp(min=1)[:, None]
    color = torch.where(present, curves.band_mean - mean, 0)
    square = ((curves.weight * curves.value.square())[:, None] * curves.member).sum(2)
    std = (square / curves.band_weight.clamp(min=_TINY)).sqrt()
    return torch.stack([share, color, std], 2).flatten(1)
