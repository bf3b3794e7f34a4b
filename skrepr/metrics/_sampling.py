"""Rows against rows, when there are too many for all pairs: blocks and samples.

Most figures are a mean over rows of what each row finds among all others. That mean is
estimated without bias by some of the rows, drawn at random, each still compared with all.
"""

import numpy as np
from sklearn.utils import check_random_state, gen_batches

from ._input import read_integer

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
        sample_size = read_integer(sample_size, "sample_size", 2)
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


def own_places(rows, part):
    """Find where rows meet themselves in a block of all rows: places in both."""
    here = np.flatnonzero((rows >= part.start) & (rows < part.stop))
    return here, rows[here] - part.start


def log_sums(logits_of, n_queries, n, width):
    """Sum exponentials over all rows, for each row drawn, without leaving floating point.

    Parameters
    ----------
    logits_of : callable
        From two slices, of the rows drawn and of all rows, to a new array of the logarithms
        of what is summed.
    n_queries, n, width : int
        Number of rows drawn, of all rows, and of values in each.

    Returns
    -------
    logs : ndarray of shape (n_queries,)
        Logarithms of the sums.
    """
    logs = np.full(n_queries, -np.inf)
    for queries in query_blocks(n_queries, width):
        for part in row_blocks(n, width):
            logits = logits_of(queries, part)
            # what `scipy.special.logsumexp` does, in a tenth of its time
            largest = np.maximum(logits.max(axis=1), np.finfo(np.float64).min)
            logits -= largest[:, None]
            with np.errstate(divide="ignore"):  # nothing to sum: log 0
                sums = np.log(np.exp(logits, out=logits).sum(axis=1))
            logs[queries] = np.logaddexp(logs[queries], largest + sums)
    return logs
