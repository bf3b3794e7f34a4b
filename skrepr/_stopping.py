"""How far to train where rows are too few to hold any out: cross-validation decides.

Two things are chosen together: the number of epochs, and how much of the way from the start
to the trained weights is kept. Weights in between are often better than both ends (Wortsman
et al. 2022, Robust fine-tuning of zero-shot models), and the error of a short step depends
far less on chance than that of the whole way.
"""

import numpy as np

# Shares of the way from the start to the trained weights that are tried.
SHARES = (0.25, 0.5, 1.0)
# By how many standard errors a choice must beat the start; where none does, by how many one
# with the smallest share must: it can lose little, and gains nearly everywhere.
_SURE, _LIKELY = 3.5, 1.0
_N_TRIED, _GROUPS_OF_A_FOLD = 25, 5


def split_into_folds(order, n_folds):
    """Split rows into folds, and each fold into groups whose losses are measured.

    Parameters
    ----------
    order : ndarray of shape (n,), int
        Indices of all rows, in random order.
    n_folds : int

    Returns
    -------
    folds : list of (ndarray, list of ndarray)
        Indices of the rows to train on, sorted, and those of each held-out group.
    """
    parts = np.array_split(order, n_folds)
    return [
        (
            np.sort(np.concatenate([other for other in parts if other is not part])),
            np.array_split(part, min(len(part), _GROUPS_OF_A_FOLD)),
        )
        for part in parts
    ]


def epochs_to_try(n_epochs):
    """Return the numbers of epochs that are tried: few at the end, where little changes."""
    tried = np.geomspace(1, n_epochs, min(n_epochs, _N_TRIED)).round()
    return sorted({int(number) for number in tried})


def choose_stop(losses, epochs):
    """Choose the number of epochs and the share of the way.

    Parameters
    ----------
    losses : ndarray of shape (1 + n_tried, n_shares, n_groups)
        Loss of each group of held-out rows, first at the start.
    epochs : list of int of length n_tried

    Returns
    -------
    n_epochs : int
        0: nothing promises a gain.
    share : float
    """
    scale = max(np.abs(losses[0].mean()), 1e-30)
    with np.errstate(invalid="ignore"):
        change = (losses[1:] - losses[0]) / scale  # (n_tried, n_shares, n_groups)
        mean = change.mean(axis=-1)
        error = change.std(axis=-1, ddof=1) / np.sqrt(change.shape[-1])
    mean[~np.isfinite(mean + error)] = np.inf  # what overflows for some rows is no choice
    for n_errors, n_shares in ((_SURE, len(SHARES)), (_LIKELY, 1)):
        cautious = (mean + n_errors * np.nan_to_num(error))[:, :n_shares]
        tried, share = np.unravel_index(np.argmin(cautious), cautious.shape)
        if cautious[tried, share] < 0:
            return epochs[tried], SHARES[share]
    return 0, 1.0
