"""Channels of series that hold something else than values: times, errors, bands."""

import numpy as np

# More are no category.
_MOST_BANDS = 64


def check_channel(name, channel, n_channels):
    """Check that the channel that a parameter names is there."""
    if channel >= n_channels:
        raise ValueError(
            f"{name}={channel} needs series of at least {channel + 1} channels. Got {n_channels}: "
            "X must have the shape (n_samples, n_channels, length), or be given an input_shape."
        )


def check_channels(rows, *, time_channel, error_channel, band_channel):
    """Check which channels hold something else than values, and what stands in them.

    Parameters
    ----------
    rows : Rows
    time_channel, error_channel, band_channel : int or None
    """
    if len(rows.sample_shape) != 2:
        raise ValueError(
            "input_shape must be (n_channels, length): series have no other axes. Got samples of "
            f"shape {rows.sample_shape}."
        )
    n_channels = rows.sample_shape[0]
    channels = {
        "time_channel": time_channel,
        "error_channel": error_channel,
        "band_channel": band_channel,
    }
    named = {name: channel for name, channel in channels.items() if channel is not None}
    for name, channel in named.items():
        check_channel(name, channel, n_channels)
    if len(set(named.values())) < len(named):
        raise ValueError(
            "time_channel, error_channel and band_channel must be different channels. Got "
            f"{time_channel}, {error_channel} and {band_channel}."
        )
    if len(named) == n_channels:
        raise ValueError(
            f"X has {n_channels} channels, and all of them are times, errors or bands. One of "
            "values is needed at least."
        )
    if error_channel is not None:
        for x in rows.blocks():
            check_errors(x, error_channel)


def check_errors(x, error_channel):
    """Check that errors are none below 0, and hand ``x`` on: (B, n_channels, length)."""
    if error_channel is not None and (x[:, error_channel] < 0).any():
        raise ValueError(
            f"Errors must not be negative. Some in the channel {error_channel} of X are. NaN "
            "stands for one that is not known."
        )
    return x


def find_bands(rows, band_channel):
    """List the values of a category.

    Returns
    -------
    bands : ndarray of shape (n_bands,), float64
        In rising order.
    """
    bands = [np.unique(x[:, band_channel].cpu()) for x in rows.blocks()]
    bands = np.unique(np.concatenate(bands)).astype(np.float64)
    bands = bands[~np.isnan(bands)]
    if len(bands) > _MOST_BANDS:
        raise ValueError(
            f"band_channel={band_channel} must be a category of at most {_MOST_BANDS} values. Got "
            f"{len(bands)}."
        )
    return bands
