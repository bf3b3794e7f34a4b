"""Rows against rows, when there are too many for all pairs: blocks and samples.

Most figures are a mean over rows of what each row finds among all others. That mean is
estimated without bias by some of the rows, drawn at random, each still compared with all.
"""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import (
    check_array,
    check_consistent_length,
    check_random_state,
    check_scalar,
    column_or_1d,
    gen_batches,
)

# "auto": all rows up to the first number, the second number of rows beyond.
_MOST_ROWS_FOR_ALL, _ROWS_OF_A_SAMPLE = 20_000, 2_000
# Values of one block in float64 (16 MB); a few are alive at a time.
_BLOCK_VALUES = 2**21
_QUERIES_OF_A_BLOCK = 512


def local_generator(random_state):
    """Turn ``random_state`` into a generator that is never numpy's global one."""
    if random_state is None:
        return np.random.RandomState(np.random.default_rng().integers(2**32, size=4))
    return check_random_state(random_state)


def read_rows(X, name):
    """Validate an array of rows and flatten each of them: (n_samples, n_values)."""
    X = check_array(
        X, dtype=[np.float64, np.float32], allow_nd=True, input_name=name, ensure_min_samples=2
    )
    return X.reshape(len(X), -1)


def read_pair(Z, other):
    """Validate two embeddings of the same rows in one space."""
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
    y = column_or_1d(y)
    if pd.isna(y).any():  # None and NA too, which hide among strings
        raise ValueError("Input y contains NaN.")
    return y


def centred(Z):
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


def draw_rows(n, sample_size, random_state):
    """Choose the rows that are compared with all: their positions, sorted.

    Parameters
    ----------
    n : int
    sample_size : int, "auto" or None
    random_state : int, RandomState instance or None

    Returns
    -------
    rows : ndarray of shape (n_rows,)
    """
    if isinstance(sample_size, str) and sample_size == "auto":
        sample_size = n if n <= _MOST_ROWS_FOR_ALL else _ROWS_OF_A_SAMPLE
    elif sample_size is None:
        sample_size = n
    else:
        check_scalar(sample_size, "sample_size", Integral, min_val=2)
    if sample_size >= n:
        return np.arange(n)
    return np.sort(local_generator(random_state).choice(n, sample_size, replace=False))


def mean_and_error(values, n):
    """Compute the mean of a sample without replacement out of ``n``, and its standard error."""
    m = len(values)
    error = np.std(values, ddof=1) * np.sqrt((1 - m / n) / m) if m < n else 0.0
    return float(np.mean(values)), float(error)


def estimate(values, n, return_error):
    """Return the mean of a sample out of ``n``, with its standard error where asked for."""
    value, error = mean_and_error(values, n)
    return (value, error) if return_error else value


def query_blocks(n_queries, width):
    """Cut the rows that are compared with all into slices of at most 16 MB."""
    return gen_batches(n_queries, max(1, min(_QUERIES_OF_A_BLOCK, _BLOCK_VALUES // width)))


def row_blocks(n, width):
    """Cut all rows into slices, such that both they and their pairs take at most 16 MB."""
    return gen_batches(n, max(1, _BLOCK_VALUES // max(width, _QUERIES_OF_A_BLOCK)))
