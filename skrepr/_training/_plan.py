"""What "auto" becomes: epochs, batches and patience that fit the number of rows."""

from typing import NamedTuple

import numpy as np

# From here on early_stopping="auto" holds rows out: with fewer, a tenth judges too noisily.
_ROWS_FOR_EARLY_STOPPING = 500
# Epochs of few rows are short: patience is at least this share of the epochs of "auto".
_LEAST_PATIENCE = 0.1
# Below 500 rows folds find how far to train; with fewer rows than this nothing can.
_FEWEST_ROWS_FOR_FOLDS = 3


class Plan(NamedTuple):
    """How a training shall go."""

    early_stopping: bool
    batch_size: int
    max_epochs: int
    patience: int


def make_plan(estimator, n, *, stream=False, batch_size=None, n_in_batches=None):
    """Turn the parameters of an estimator into numbers that fit ``n`` rows.

    Parameters
    ----------
    estimator : estimator
        With the shared parameters of training, and what "auto" means for it in the methods
        ``_auto_batch_size(n)`` and ``_auto_max_epochs(n, batch_size)``.
    n : int
    stream : bool, default=False
        Whether this is a chunk: there is no end to plan for.
    batch_size : int or None, default=None
        Of a stream that goes on: its first chunk has set it.
    n_in_batches : int or None, default=None
        How many there are of what batches are made of, where that is not rows, but words.

    Returns
    -------
    plan : Plan
    """
    if estimator.early_stopping == "auto":
        wanted = n >= _ROWS_FOR_EARLY_STOPPING and estimator.validation_fraction is not None
    else:
        wanted = bool(estimator.early_stopping)
    early_stopping = wanted and not stream
    n = n if n_in_batches is None else n_in_batches
    if batch_size is None:
        batch_size = estimator.batch_size
        batch_size = estimator._auto_batch_size(n) if batch_size == "auto" else batch_size
        batch_size = int(batch_size if stream else min(batch_size, n))
    automatic = estimator.max_epochs == "auto"
    if stream:
        max_epochs = 1
    else:
        max_epochs = estimator.max_epochs
        max_epochs = estimator._auto_max_epochs(n, batch_size) if automatic else int(max_epochs)
    least = round(_LEAST_PATIENCE * max_epochs) if early_stopping and automatic else 0
    return Plan(early_stopping, batch_size, max_epochs, max(estimator.patience, least))


def smallest_batch(module, default=2):
    """Return the least number of rows of a batch that the loss of a module makes sense of."""
    return getattr(module, "smallest_batch", default)


def cross_validates(estimator, n):
    """Whether cross-validation chooses how far to train on ``n`` rows.

    That is what stands in for early stopping where rows are few.
    """
    return (
        not estimator.early_stopping_
        and estimator.early_stopping == estimator.max_epochs == "auto"
        and estimator.validation_fraction is not None
        and n >= _FEWEST_ROWS_FOR_FOLDS
    )


def auto_batch_size(n):
    """Choose the batch size for ``n`` rows: few need the steps, many fill wider batches."""
    return 64 if n < _ROWS_FOR_EARLY_STOPPING else 128 if n < 50_000 else 256


def auto_max_epochs(n, batch_size, *, steps_of_few=200, most_steps=6000):
    """Plan epochs for ``n`` rows: a budget of steps, of which early stopping saves some."""
    steps_per_epoch = n / batch_size
    few = n < _ROWS_FOR_EARLY_STOPPING
    steps = steps_of_few if few else np.clip(40 * steps_per_epoch, 4000, most_steps)
    return max(1, round(steps / steps_per_epoch))
