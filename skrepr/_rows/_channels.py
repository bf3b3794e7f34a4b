"""Channels of series that hold something else than values: times, errors, bands."""

from typing import NamedTuple

import numpy as np
import torch

# More are no category.
_MOST_BANDS = 64
# Series as long as this share of them or longer are not common.
_COMMON = 0.75


class NoValueError(ValueError):
    """All values of X are missing."""


class Channels(NamedTuple):
    """Which channels hold something else than values; None: none."""

    time_channel: int | None = None
    error_channel: int | None = None
    band_channel: int | None = None

    def check(self, n_channels):
        """Check that the channels are there, and return those of values."""
        named = {name: channel for name, channel in self._asdict().items() if channel is not None}
        for name, channel in named.items():
            if channel >= n_channels:
                raise ValueError(
                    f"{name}={channel} needs series of at least {channel + 1} channels. Got "
                    f"{n_channels}: X must have the shape (n_samples, n_channels, length), or be "
                    "given an input_shape."
                )
        if len(set(named.values())) < len(named):
            raise ValueError(
                "time_channel, error_channel and band_channel must be different channels. Got "
                f"{self.time_channel}, {self.error_channel} and {self.band_channel}."
            )
        if len(named) == n_channels:
            raise ValueError(
                f"X has {n_channels} channels, and all of them are times, errors or bands. One of "
                "values is needed at least."
            )
        return [channel for channel in range(n_channels) if channel not in named.values()]

    def prepare(self, values, bands=None, first_row=0):
        """Make float32 of series, of times and bands before they are rounded.

        Parameters
        ----------
        values : torch.Tensor of shape (n, n_channels, length), float64
        bands : ndarray of shape (n_bands,), float64, or None
            The known ones, in rising order, whose numbers stand for them afterwards: -1 for what
            is none of them.
        first_row : int, default=0
            Number of the first of these series in X.

        Returns
        -------
        values : torch.Tensor of shape (n, n_channels, length), float32
        """
        self.check(values.shape[1])
        if self.time_channel is not None:
            values = from_first_time(values, self.time_channel, first_row)
        if self.band_channel is not None:
            values = values.clone()
            values[:, self.band_channel] = numbers_of(values[:, self.band_channel], bands)
        values = values.float()
        if values.isinf().any():
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float32')."
            )
        return check_errors(values, self.error_channel)

    @property
    def needs_float64(self):
        return self.time_channel is not None or self.band_channel is not None


def from_first_time(values, time_channel, first_row=0):
    """Subtract the first observed time of each row from its times, before they are float32.

    A Julian date in float32 is good to a quarter of a day only.

    Parameters
    ----------
    values : torch.Tensor of shape (n, n_channels, length), float64
    time_channel : int
    first_row : int, default=0
        Number of the first of these series in X.

    Returns
    -------
    values : torch.Tensor of shape (n, n_channels, length), float64
        A step without a time has no values either.
    """
    times = values[:, time_channel]  # (n, length)
    # behind a gap of the times stands the time before it
    so_far = times.nan_to_num(nan=-torch.inf).cummax(1).values
    if (times < so_far).any():
        row = first_row + int((times < so_far).any(1).nonzero()[0])
        raise ValueError(
            f"Times must not fall. Those of X[{row}] do (channel {time_channel} of "
            f"{values.shape[1]}, {values.shape[2]} steps): sort its steps by time, or give series "
            "as (n_channels, length) if these are (length, n_channels)."
        )
    first = times.nan_to_num(nan=torch.inf).amin(1)  # (n,)
    first = torch.where(first.isinf(), 0.0, first)
    values = torch.where(times.isnan()[:, None], torch.nan, values)
    values[:, time_channel] -= first[:, None]
    return values


def check_errors(x, error_channel):
    """Check that errors are none below 0, and hand ``x`` on: (B, n_channels, length)."""
    if error_channel is not None and (x[:, error_channel] < 0).any():
        raise ValueError(
            f"Errors must not be negative. Some in the channel {error_channel} of X are. NaN "
            "stands for one that is not known."
        )
    return x


def find_bands(series, band_channel):
    """List the values of a category.

    Parameters
    ----------
    series : iterable of torch.Tensor of shape (..., n_channels, length), float64
    band_channel : int

    Returns
    -------
    bands : ndarray of shape (n_bands,), float64
        In rising order.
    """
    bands = [np.unique(x[..., band_channel, :].cpu().numpy()) for x in series]
    bands = np.unique(np.concatenate(bands))
    bands = bands[~np.isnan(bands)]
    if len(bands) > _MOST_BANDS:
        raise ValueError(
            f"band_channel={band_channel} must be a category of at most {_MOST_BANDS} values. Got "
            f"{len(bands)}."
        )
    return bands


def numbers_of(values, bands):
    """Replace categories by their places in ``bands``, -1 for none of them, NaN for NaN."""
    if not len(bands):
        return torch.where(values.isnan(), values, -1.0)
    bands = torch.as_tensor(bands, device=values.device)
    place = torch.searchsorted(bands, values.contiguous()).clamp(max=len(bands) - 1)
    number = torch.where(bands[place] == values, place.to(values.dtype), -1.0)
    return torch.where(values.isnan(), values, number)


def common_length(rows, channels):
    """Find a common length of series: the upper quartile, of what is observed of each.

    Parameters
    ----------
    rows : Rows
    channels : Channels

    Returns
    -------
    length : int
    """
    if len(rows.sample_shape) != 2:
        raise ValueError(
            "input_shape must be (n_channels, length): series have no other axes. Got samples of "
            f"shape {rows.sample_shape}."
        )
    of_values = channels.check(rows.sample_shape[0])
    lengths = []
    for x in rows.blocks():
        observed = ~x[:, of_values].isnan().all(1)  # (B, L)
        first = observed.int().argmax(1)
        last = observed.shape[1] - 1 - observed.flip(1).int().argmax(1)
        lengths.append((last + 1 - first)[observed.any(1)].cpu())
    lengths = torch.cat(lengths)
    if not len(lengths):
        raise NoValueError(
            "X holds no value: NaN is a missing one, and all are. Nothing can be learned of them."
        )
    return int(lengths.double().quantile(_COMMON, interpolation="higher"))
