"""The units in which a network sees series: what each channel is, and how large."""

from typing import NamedTuple

import torch
from torch import nn

# Rows from which gaps of time and errors are taken.
_ROWS_MEASURED = 1024
# A value farther from 0 counts as that far: its square is finite, also in sums over long series.
_LARGEST = 1e15
# Of its mean; a channel that varies less does not but for rounding.
_ROUNDING = torch.finfo(torch.float32).eps


class Series(NamedTuple):
    """A batch of series from their first observed step on, as networks and objectives see them."""

    values: torch.Tensor  # (B, V, L), scaled; 0 where there is none
    observed: torch.Tensor  # (B, V, L), bool
    inside: torch.Tensor  # (B, L), bool: from the first observed step to the last
    times: torch.Tensor  # (B, L), in typical steps; outside of the series without meaning
    errors: torch.Tensor  # (B, 0 or 1, L), relative to typical ones; 0 where there is none
    bands: torch.Tensor  # (B, n_bands, L), 0 or 1
    weights: torch.Tensor  # (B, V, L), of each value in a loss; 0 where there is none
    begin: torch.Tensor  # (B,), int64: number of steps of X before the first observed one
    pace: float  # by how much times go on from step to step behind the last one of X

    def moved(self, by, length):
        """Move the steps of each series to the back, into ``length`` ones.

        What stands in front and behind belongs to no series; times go on there.

        Parameters
        ----------
        by : torch.Tensor of shape (B,), int64
        length : int
        """
        names = "values", "observed", "errors", "bands", "weights"
        parts = {name: moved(getattr(self, name), by, length) for name in names}
        inside = moved(self.inside[:, None], by, length)[:, 0]
        steps = torch.arange(length, device=by.device) - by[:, None]  # (B, length)
        known = steps.clamp(0, self.times.shape[1] - 1)
        times = self.times.gather(1, known) + (steps - known) * self.pace
        return self._replace(**parts, inside=inside, times=times)

    def in_place(self, results):
        """Move what was computed for each step to where it stands in X: (B, L, n).

        NaN where there is no series.
        """
        results = results.mT.masked_fill(~self.inside[:, None], torch.nan)
        return moved(results, self.begin, fill=torch.nan).mT

    def part(self, begin, end):
        """Return the steps of each series from ``begin`` on to before ``end``: (B,) each."""
        length = self.inside.shape[1]
        steps = torch.arange(length, device=begin.device)
        inside = self.inside & (steps >= begin[:, None]) & (steps < end[:, None])
        names = "values", "observed", "errors", "bands", "weights"
        parts = {name: getattr(self, name) * inside[:, None] for name in names}
        part = self._replace(**parts, inside=inside, begin=self.begin + begin)
        return part.moved(-begin, length)


class BesideValues(NamedTuple):
    """What stands next to the values of uneven series, in units of X: (B, L) each, or None."""

    time: torch.Tensor
    error: torch.Tensor | None
    band: torch.Tensor | None  # numbers, -1 for none of the known ones, NaN for not known


class SeriesUnits(nn.Module):
    """Tells the channels of a series apart, and scales them.

    Parameters
    ----------
    n_channels : int
    time_channel, error_channel, band_channel : int or None, default=None
        Which channels hold times, errors and bands; all others hold values.
    n_bands : int, default=0
        How many bands there are, which x holds by their numbers.
    scaled : bool, default=True
        Whether values are centered and divided by their deviation, channel by channel.
    """

    def __init__(
        self,
        n_channels,
        *,
        time_channel=None,
        error_channel=None,
        band_channel=None,
        n_bands=0,
        scaled=True,
    ):
        super().__init__()
        self.time_channel = time_channel
        self.error_channel = error_channel
        self.band_channel = band_channel
        self.n_bands = n_bands
        self.scaled = scaled
        others = {time_channel, error_channel, band_channel}
        self.value_channels = [c for c in range(n_channels) if c not in others]
        n_values = len(self.value_channels)
        self.register_buffer("center", torch.zeros(n_values, 1))
        self.register_buffer("scale", torch.ones(n_values, 1))
        self.register_buffer("typical_step", torch.ones(()))
        self.register_buffer("typical_error", torch.ones(()))

    @property
    def is_even(self):
        return self.time_channel is None

    def beside_values(self, x):
        """Return times, errors and numbers of bands."""
        error = None if self.error_channel is None else x[:, self.error_channel]
        band = None if self.band_channel is None else x[:, self.band_channel]
        return BesideValues(x[:, self.time_channel], error, band)

    def fit(self, rows):
        """Measure the channels of the training rows."""
        count = total = squares = 0.0
        for x in self._values_of(rows):
            count = count + (~x.isnan()).sum((0, 2))
            total = total + x.nansum((0, 2))
        center = (total / count.clamp(min=1))[:, None]  # (V, 1)
        for x in self._values_of(rows):
            squares = squares + (x - center).square().nansum((0, 2))
        scale = (squares / count.clamp(min=1)).sqrt()[:, None]
        self.center.copy_(center)
        self.scale.copy_(torch.where(scale > _ROUNDING * center.abs(), scale, 0.0))
        sample = rows.sample(_ROWS_MEASURED)
        if not self.is_even:
            steps = sample[:, self.time_channel].diff(dim=1)
            self.typical_step.fill_(_median(steps[steps > 0]))
        if self.error_channel is not None:
            errors = sample[:, self.error_channel]
            self.typical_error.fill_(_median(errors[errors > 0]))
        return self

    def _values_of(self, rows):
        # on the CPU, since not every accelerator has float64
        return (x[:, self.value_channels].cpu().double() for x in rows.blocks())

    def forward(self, x):
        observed = ~x[:, self.value_channels].isnan()  # (B, V, L)
        # patches are cut from there on, whatever is in front
        begin = observed.any(1).int().argmax(1)
        if begin.any():
            x = moved(x, -begin, fill=torch.nan)
        values = x[:, self.value_channels]
        observed = ~values.isnan()
        inside = span(observed.any(1))
        if self.scaled:
            values = self.standardized(values)
        values = values.clamp(-_LARGEST, _LARGEST)
        errors = values.new_zeros(len(x), 0, x.shape[2])
        weights = observed.to(values.dtype)
        if self.error_channel is not None:
            errors = x[:, [self.error_channel]] / self.typical_error
            # one that is not known counts as a typical one
            errors = errors.nan_to_num(nan=1.0) * inside[:, None]
            weights = weights / (1 + errors.square())
        bands = values.new_zeros(len(x), 0, x.shape[2])
        if self.band_channel is not None:
            numbers = torch.arange(self.n_bands, device=x.device)[:, None]
            bands = ((x[:, [self.band_channel]] == numbers) & inside[:, None]).to(values.dtype)
        return Series(
            values.nan_to_num(),
            observed,
            inside,
            self._times(x),
            errors,
            bands,
            weights,
            begin,
            pace=1.0 if self.is_even else 0.0,
        )

    def undo(self, values):
        """Return values in units of X."""
        return self.restored(values) if self.scaled else values

    def standardized(self, values):
        """Center values, and divide them by the deviation of their channel if it varies."""
        return (values - self.center) / torch.where(self.scale > 0, self.scale, 1.0)

    def restored(self, values):
        """Undo `standardized`; of a channel that does not vary only its value is known."""
        return values * self.scale + self.center

    def _times(self, x):
        if self.is_even:
            return torch.arange(x.shape[2], dtype=x.dtype, device=x.device).expand(len(x), -1)
        times = x[:, self.time_channel].nan_to_num(nan=-torch.inf).cummax(1).values
        return times.clamp(min=0) / self.typical_step


def moved(x, by, length=None, *, fill=0):
    """Move the steps of each row.

    Parameters
    ----------
    x : torch.Tensor of shape (B, n, L)
    by : torch.Tensor of shape (B,), int64
        Number of steps to the back; below 0 to the front.
    length : int or None, default=None
        Number of steps of the result; None: L.
    fill : float, default=0
        What stands where no step was moved to.

    Returns
    -------
    x : torch.Tensor of shape (B, n, length)
    """
    last = x.shape[2] - 1
    index = torch.arange(length or last + 1, device=x.device) - by[:, None]  # (B, length)
    is_there = (index >= 0) & (index <= last)
    index = index.clamp(0, last)[:, None].expand(-1, x.shape[1], -1)
    return x.gather(2, index).masked_fill(~is_there[:, None], fill)


def span(observed):
    """Return which steps lie between the first and the last observed one, both included.

    Parameters
    ----------
    observed : torch.Tensor of shape (B, L), bool
    """
    begun = observed.cumsum(1) > 0
    goes_on = observed.flip(1).cumsum(1).flip(1) > 0
    return begun & goes_on


def _median(values):
    return values.median() if len(values) else 1.0
