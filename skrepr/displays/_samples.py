"""Rows of X as samples to be looked at: which of them, and in which shape."""

import numpy as np
from pandas import isna
from pandas.api.types import is_object_dtype
from scipy.sparse import issparse
from sklearn.utils import check_consistent_length

from ._arguments import as_array, without_masked


def fitted_steps(estimator):
    """List the steps that an estimator consists of: through Pipelines and finished searches."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(estimator, "steps"):
        return [estimator]
    steps = (step for _, step in estimator.steps if step not in (None, "passthrough"))
    return [inner for step in steps for inner in fitted_steps(step)]


def last_step(estimator):
    """Return the estimator itself, or the last step of a Pipeline."""
    return (fitted_steps(estimator) or [estimator])[-1]


def count_rows(X):
    """Count the rows of an array, a data frame, a sparse matrix or a list."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def take_rows(X, rows):
    """Take rows of an array, a data frame, a sparse matrix or a list, as such."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if issparse(X):
        return X.tocsr()[rows]
    return X[rows] if hasattr(X, "shape") else [X[row] for row in rows]


def seen_shape(estimator, X):
    """Return the `input_shape_` in which an estimator sees rows of X, or None.

    None, too, where it does not fit X, as after a step of a Pipeline that changes the width,
    and for rows of different lengths.
    """
    shape = getattr(last_step(estimator), "input_shape_", None)
    if shape is None or None in shape:
        return None
    row_shapes = {X.shape[1:]} if hasattr(X, "shape") else {np.shape(row) for row in X}
    return shape if {np.prod(row_shape) for row_shape in row_shapes} == {np.prod(shape)} else None


def as_samples(X, sample_shape=None):
    """Bring rows of X into the shape of one sample.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Or a list of arrays: series ``(length,)`` or ``(n_channels, length)``, which may
        differ in length.
    sample_shape : tuple of int or None, default=None
        Shape asked for. None: the rows as they are.

    Returns
    -------
    samples : ndarray of shape (n_samples, *sample_shape)
        Of bool, int or float; what is missing is NaN, as is the end of shorter series.
    """
    X = without_masked(as_array(X))
    check_consistent_length(X)  # what has no rows at all
    if not count_rows(X):
        raise ValueError("There is no sample to draw.")
    if issparse(X):
        X = X.toarray()
    is_list = not hasattr(X, "shape") or (len(X.shape) == 1 and is_object_dtype(X))
    X = _as_numbers(_one_array(X) if is_list else X)
    if 0 in X.shape:
        raise ValueError(f"There is nothing to draw in samples of shape {X.shape[1:]}.")
    if sample_shape is not None:
        try:
            X = X.reshape(len(X), *sample_shape)
        except ValueError as error:
            raise ValueError(
                f"sample_shape={tuple(sample_shape)} does not fit rows of shape {X.shape[1:]}."
            ) from error
    if not 2 <= X.ndim <= 4:
        raise ValueError(
            "A sample is a table (n_features,), a series (n_channels, length) or an image "
            f"(n_channels, height, width). Got samples of shape {X.shape[1:]}."
        )
    if X.ndim == 4 and X.shape[3] in (3, 4) and min(X.shape[1:3]) > 4:
        raise ValueError(
            "Images are (n_channels, height, width), channels first. Got samples of shape "
            f"{X.shape[1:]}: bring them into order by np.moveaxis(X, -1, 1)."
        )
    return X


def _as_numbers(X, what="them"):
    """Bring to an array of numbers what may be a data frame, or hold them as objects."""
    columns = getattr(X, "columns", None)
    given, X = X, np.asarray(X)
    if X.dtype.kind in "buif":
        return X
    if columns is not None:
        # one by one: each may write what is missing in its own way, and one may hold text
        part = getattr(given, "iloc", given)
        return np.column_stack(
            [
                _as_numbers(part[:, i].to_numpy(), f"column {name!r}")
                for i, name in enumerate(columns)
            ]
        )
    try:
        if X.dtype.kind in "cmM":
            raise TypeError(f"values are of dtype {X.dtype}")
        return np.where(isna(X), np.nan, X.astype(object)).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Samples must be numbers to be drawn. Of {what}, {error}.") from error


def _one_array(samples):
    """Bring a list of samples to one array; series of different lengths end in NaN."""
    are_arrays = any(isinstance(one, np.ndarray) for one in samples)
    samples = [_as_numbers(without_masked(one)) for one in samples]
    same_shape = len({one.shape for one in samples}) == 1
    if are_arrays or not same_shape:
        samples = [one[None] if one.ndim == 1 else one for one in samples]  # one channel
    if same_shape:
        return np.stack(samples)
    if len({one.shape[:-1] for one in samples}) > 1 or samples[0].ndim != 2:
        raise ValueError(
            "Series of different lengths are (length,) or (n_channels, length) with one number "
            f"of channels. Got shapes {sorted({one.shape for one in samples})[:3]}."
        )
    length = max(one.shape[-1] for one in samples)
    filled = np.full((len(samples), len(samples[0]), length), np.nan)
    for row, one in zip(filled, samples):
        row[:, : one.shape[-1]] = one
    return filled


def as_pictures(images, shown=None):
    """Bring images, channels first, to what ``imshow`` takes.

    Three channels are colors, scaled together so that those of `shown` fill [0, 1]; of any
    other number the mean is shown.

    Parameters
    ----------
    images : ndarray of shape (n_images, n_channels, height, width)
    shown : ndarray or None, default=None
        Values that set the scale of colors. None: `images`.
    """
    images = images.astype(float)
    if images.shape[1] != 3:
        return mean_of_channels(images)  # (n, H, W)
    low, high = finite_range(images if shown is None else shown)
    colors = np.clip((images - low) / (high - low or 1.0), 0, 1)
    return np.moveaxis(colors, 1, -1)  # (n, H, W, 3)


def mean_of_channels(images):
    """Average over channels; of two infinite values with unlike signs it is not known."""
    with np.errstate(invalid="ignore"):
        return images.mean(axis=1)


def finite_range(values):
    """Find the lowest and the highest of the values there are; (0, 1) where there are none."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return (values.min(), values.max()) if values.size else (0.0, 1.0)
