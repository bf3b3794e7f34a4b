"""How far to train where rows are too few to hold any out: cross-validation decides.

Two things are chosen together: the number of epochs, and how much of the way from the start
to the trained weights is kept. Weights in between are often better than both ends (Wortsman
et al. 2022, Robust fine-tuning of zero-shot models), and the error of a short step depends
far less on chance than that of the whole way.
"""

import numpy as np
import torch

from ._progress import new_bar

# Shares of the way from the start to the trained weights that are tried.
SHARES = (0.25, 0.5, 1.0)
# By how many standard errors a choice must beat the start; where none does, by how many one
# with the smallest share must: it can lose little, and gains nearly everywhere.
_SURE, _LIKELY = 3.5, 1.0
_N_TRIED, _GROUPS_OF_A_FOLD = 25, 5
N_FOLDS = 5
# Multiplications that cross-validation and the training after it may take, forward, in all: up
# to 10 s on one thread. Handing a value from layer to layer costs as much as 100 of them. Where
# fewer steps than this can be had, nothing would be learned.
_MOST_WORK, _COST_OF_A_VALUE, _FEWEST_STEPS = 1.5e11, 100, 10
# The same of passes back that are a part of the way forward, as for a penalty on slopes: up to
# 2 s. One batch may need many of them, and on fewer rows than this they cost as much.
_MOST_BACK, _ROWS_OF_A_PASS = 3e10, 64


def split_into_folds(rows, generator, fewest=1):
    """Split rows into folds, and the rows that each holds out into groups, for their losses.

    Parameters
    ----------
    rows : Rows
    generator : torch.Generator
    fewest : int, default=1
        Least number of rows of a group.

    Returns
    -------
    folds : list of (Rows, list of Rows)
        The rows to train on, in order, and each held-out group.
    """
    order = torch.randperm(len(rows), generator=generator).numpy()
    parts = np.array_split(order, min(N_FOLDS, max(2, len(rows) // fewest)))
    folds = []
    for part in parts:
        others = np.sort(np.concatenate([other for other in parts if other is not part]))
        n_groups = min(max(1, len(part) // fewest), _GROUPS_OF_A_FOLD)
        groups = np.array_split(part, n_groups)
        learned_from, *groups = (rows.subset(torch.from_numpy(i)) for i in (others, *groups))
        folds.append((learned_from, groups))
    return folds


def affordable_epochs(n_epochs, batch_size, n, work):
    """Return as many of the epochs as can be had in some seconds; 0 if that is next to nothing.

    Parameters
    ----------
    n_epochs, batch_size : int
        What is planned.
    n : int
        Number of rows.
    work : Work
        What one row costs.
    """
    # each row is in all folds but one, and in the training at the end
    of_epoch = N_FOLDS * n * (work.multiplications + _COST_OF_A_VALUE * work.values)
    n_epochs = min(n_epochs, int(_MOST_WORK // of_epoch))
    back = work.multiplications_back + _COST_OF_A_VALUE * work.values_back
    while back * _rows_of_passes(n_epochs, batch_size, n) > _MOST_BACK:
        n_epochs -= 1
    return n_epochs if n_epochs * n >= _FEWEST_STEPS * min(batch_size, n) else 0


def _rows_of_passes(n_epochs, batch_size, n):
    """Count the rows of all batches, where small ones count as larger ones."""
    steps = N_FOLDS * n_epochs * -(-n // batch_size) * max(batch_size, _ROWS_OF_A_PASS)
    n_judged = N_FOLDS * _GROUPS_OF_A_FOLD * len(SHARES) * len(epochs_to_try(n_epochs))
    return steps + n_judged * _ROWS_OF_A_PASS / 3 if n_epochs else 0  # a step goes back, too


def epochs_to_try(n_epochs):
    """Return the numbers of epochs that are tried: few at the end, where little changes."""
    tried = np.geomspace(1, max(1, n_epochs), min(n_epochs, _N_TRIED)).round()
    return sorted({int(number) for number in tried})


def choose_stop(folds, n_epochs, *, verbose=False):
    """Train some folds side by side, and choose the number of epochs and the share of the way.

    Parameters
    ----------
    folds : list of folds
        Each with ``losses(share)``, the held-out losses of its groups where it stands, and
        ``go_on_to(epoch)``.
    n_epochs : int
        At most.
    verbose : bool, default=False
        Whether to show how it goes on: a bar of all epochs of all folds, which leaves its
        place to that of the training.

    Returns
    -------
    n_epochs : int
        0: nothing promises a gain.
    share : float
    """
    if not verbose:
        return _choose(folds, n_epochs, lambda n: None)
    with new_bar(n_epochs * len(folds), desc="cross-validation", leave=False) as bar:
        return _choose(folds, n_epochs, bar.update)


def _choose(folds, n_epochs, advance):
    start, done = _losses(folds, 1.0), 0
    sure = likely = (0.0, 0, 1.0)  # by how much a choice beats the start; epochs; share
    for epoch in epochs_to_try(n_epochs):
        for fold in folds:
            fold.go_on_to(epoch)
            advance(epoch - done)
        done = epoch
        for share in SHARES:
            change = _losses(folds, share) - start
            sure = min(sure, (_bound(change, _SURE), epoch, share))
            if share == SHARES[0]:
                likely = min(likely, (_bound(change, _LIKELY), epoch, share))
                harm = -_bound(-change, _SURE)
        if harm > 0:
            break  # a quarter of the way is surely worse: there is nothing further on
    return (sure if sure[0] < 0 else likely)[1:]


def _losses(folds, share):
    return np.concatenate([fold.losses(share) for fold in folds])


def _bound(change, n_errors):
    """Return the mean of the changes of a loss, and so many standard errors more."""
    with np.errstate(invalid="ignore", over="ignore"):
        bound = change.mean() + n_errors * change.std(ddof=1) / np.sqrt(len(change))
    return bound if np.isfinite(bound) else np.inf  # what overflows for some rows is no choice
