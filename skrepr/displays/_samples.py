"""Rows of X as samples to be looked at: which of them, and in which shape."""

import numpy as np
from scipy.sparse import issparse


def last_step(estimator):
    """Return the estimator itself, or the last step of a Pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def take_rows(X, rows):
    """Take rows of an array, a data frame, a sparse matrix or a tensor, in its own type."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return X[rows] if hasattr(X, "shape") else np.asarray(X)[rows]


def as_samples(X, sample_shape=None, estimator=None):
    """Bring rows of X into the shape of one sample.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
    sample_shape : tuple of int or None
        Shape asked for. None: the `input_shape_` of the estimator where it has one that
        fits, otherwise the rows as they are.
    estimator : estimator or None

    Returns
    -------
    samples : ndarray of shape (n_samples, *sample_shape)
    """
    X = np.asarray(X.toarray() if issparse(X) else X)
    if sample_shape is None:
        shape = getattr(last_step(estimator), "input_shape_", X.shape[1:])
        sample_shape = shape if np.prod(shape) == np.prod(X.shape[1:]) else X.shape[1:]
    try:
        return X.reshape(len(X), *sample_shape)
    except ValueError as error:
        raise ValueError(
            f"sample_shape={tuple(sample_shape)} does not fit rows of shape {X.shape[1:]}."
        ) from error


def as_pictures(samples):
    """Bring images, channels first, to what ``imshow`` takes.

    Three channels are colours, scaled together to [0, 1]; of any other number the mean is
    shown.
    """
    if samples.shape[1] != 3:
        return samples.mean(axis=1)  # (n, H, W)
    samples = np.moveaxis(samples, 1, -1).astype(float)  # (n, H, W, 3)
    low, high = np.nanmin(samples), np.nanmax(samples)
    return (samples - low) / (high - low or 1.0)
