"""Rows moved and scaled where that does not matter, so that squares stay in reach."""

import numpy as np

# Relative; what differs by less, in sums of products in float64, may be equal.
ROUNDING = 64 * np.finfo(np.float64).eps


def exponent(*arrays, axis=None):
    """Find the exponent of the power of two that is near the largest absolute value.

    Parameters
    ----------
    *arrays : ndarray of float
        All that is in one unit; NaN is left out.
    axis : int, default=None
        0: each column has a unit of its own.

    Returns
    -------
    exponent : ndarray of int, 0-dimensional or of shape (n_columns,)
        0 where all is well: up to the eighth power of the largest value, and its inverse, is in
        the range of the type. Then `in_unit` makes no copy.
    """
    largest = np.fmax.reduce(
        [np.fmax(np.fmax.reduce(A, axis=axis), -np.fmin.reduce(A, axis=axis)) for A in arrays]
    )
    found = np.frexp(np.nan_to_num(largest))[1]
    limit = min(np.finfo(A.dtype).maxexp for A in arrays) // 9
    return np.where(np.abs(found) > limit, found, 0)


def in_unit(X, exponent):
    """Divide by a power of two, which costs no digit."""
    return np.ldexp(X, -exponent) if np.any(exponent) else X


def scaled(X, axis=None):
    """Scale an array, or each of its columns (`axis` 0), to where powers are in range."""
    return in_unit(X, exponent(X, axis=axis))


def centered(Z):
    """Subtract the mean of each column, in float64, and leave nothing of constant ones."""
    constant = np.ptp(Z, axis=0) <= 4 * np.finfo(np.float64).eps * np.abs(Z).max(axis=0)
    Z = Z - Z.mean(axis=0, dtype=np.float64)
    Z[:, constant] = 0  # else rounding of the mean passes for variation
    return Z


def on_sphere(Z):
    """Scale rows to unit length; a row of zeros, which has no direction, stays."""
    largest = np.maximum(Z.max(axis=1), -Z.min(axis=1))
    # by the largest value first, whose square may be beyond floating point
    Z = Z / np.where(largest > 0, largest, 1)[:, None]
    Z /= np.maximum(1, np.sqrt(np.einsum("ij,ij->i", Z, Z)))[:, None]
    return Z
