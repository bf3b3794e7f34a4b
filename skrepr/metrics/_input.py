"""The door: arrays and parameters as the metrics want them, whatever they came as."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_scalar,
    column_or_1d,
)

# Beyond, a product with another number may leave the range of float64.
LARGEST_REAL = 1e300


def read_integer(value, name, min_val, max_val=None):
    """Validate a whole number, of Python or of numpy, and turn it into an ``int``.

    The narrow types of numpy would overflow in what is computed from them.
    """
    return _checked(value, name, Integral, min_val, max_val, "both")


def read_real(value, name, min_val, max_val=LARGEST_REAL, include_boundaries="right"):
    """Validate a number, of Python or of numpy, and turn it into a ``float``."""
    return float(_checked(value, name, Real, min_val, max_val, include_boundaries))


def read_test_size(test_size):
    """Validate the share of the rows that are held out."""
    return read_real(test_size, "test_size", 0, 1, "neither")


def _checked(value, name, kind, min_val, max_val, include_boundaries):
    if isinstance(value, np.generic):
        value = value.item()  # else the limits are cast to its type, where they may overflow
    if isinstance(value, bool):  # which Python takes for 0 or 1
        wanted = "int" if kind is Integral else "float"
        raise TypeError(f"{name} must be an instance of {wanted}, not bool.")
    check_scalar(
        value,
        name,
        kind,
        min_val=min_val,
        max_val=max_val,
        include_boundaries=include_boundaries,
    )
    if value != value:  # NaN, which no comparison with a limit stops
        raise ValueError(f"{name} == {value}, must be a number.")
    return value


def as_array(X):
    """Turn a torch tensor into an array, from any device and graph; leave all else alone."""
    if not hasattr(X, "detach"):
        return X
    try:
        return X.numpy(force=True)
    except TypeError:  # a type that numpy does not have, such as bfloat16
        return X.float().numpy(force=True)


def read_data(X):
    """Validate what an estimator of any kind will read: of arrays, that nothing is infinite."""
    X = as_array(X)
    if hasattr(X, "shape"):  # a list may be of texts
        _refuse_infinity(X, "X", allow_nan=True)
    return X


def read_table(X, name, *, missing=False, **rules):
    """Validate an array of rows of numbers, and flatten each of them: (n_samples, n_values).

    ``missing``: NaN may stand for a missing value. ``rules`` are those of ``check_array``.
    """
    with _silent_sums():
        X = check_array(
            as_array(X),
            allow_nd=True,
            input_name=name,
            ensure_all_finite="allow-nan" if missing else True,
            **rules,
        )
    return X.reshape(len(X), -1)


def read_rows(X, name, *, least=2):
    """Validate an array of at least ``least`` rows, as float64 or float32."""
    return read_table(X, name, dtype=[np.float64, np.float32], ensure_min_samples=least)


def read_pair(Z, other):
    """Validate two embeddings of the same rows in one space, as float64."""
    Z, other = read_rows(Z, "Z"), read_rows(other, "other")
    check_consistent_length(Z, other)
    if Z.shape[1] != other.shape[1]:
        raise ValueError(
            "Z and other must have the same number of components. Got "
            f"{Z.shape[1]} and {other.shape[1]}."
        )
    return Z.astype(np.float64), other.astype(np.float64)


def read_targets(y):
    """Validate what is to be read off an embedding: (n_samples,), nothing missing."""
    y = column_or_1d(as_array(y))
    if pd.isna(y).any():  # None and NA too, which hide among strings
        raise ValueError("Input y contains NaN.")
    _refuse_infinity(y, "y")
    return y


def _refuse_infinity(X, name, **rules):
    with _silent_sums():
        assert_all_finite(X, input_name=name, **rules)


def _silent_sums():
    # infinities of both signs are an error with a message, not a warning of their sum
    return np.errstate(over="ignore", invalid="ignore")
