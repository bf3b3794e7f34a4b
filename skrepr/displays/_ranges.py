"""Ranges that a few rows far out do not stretch."""

import numpy as np


def trimmed_range(values, n_trimmed):
    """Find the range of values without the `n_trimmed` lowest and highest.

    Parameters
    ----------
    values : ndarray of shape (n,) or (n, n_axes)
    n_trimmed : int
        Below ``n / 2``.

    Returns
    -------
    low, high : float or ndarray of shape (n_axes,)
    """
    first, last = n_trimmed, len(values) - 1 - n_trimmed
    ordered = np.partition(values, [first, last], axis=0)
    return ordered[first], ordered[last]


def middle_range(values):
    """Find the range of the middle 98 % of values.

    Of at least 20 values one is left out at each end, however few 1 % of them are: quantiles
    that interpolate would reach towards a value far out. Fewer values are taken whole.
    """
    n = len(values)
    return trimmed_range(values, max(1, n // 100) if n >= 20 else 0)


def near_range(values):
    """Find the range beyond which values are far out.

    That is further from the middle 98 % than half as much again as these take.
    """
    low, high = middle_range(values)
    margin = (high - low) / 2
    return low - margin, high + margin
