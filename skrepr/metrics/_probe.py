"""What a linear model makes of an embedding, with many labels and with few."""

import math
import warnings

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target

from ._input import read_integer, read_real, read_rows, read_targets, read_test_size
from ._sampling import local_generator
from ._scale import scaled

# More whole numbers than this, of fewer rows each than that, are no names of classes.
_MOST_CLASSES_OF_FEW_ROWS, _FEW_ROWS = 20, 10
_PENALTIES = np.logspace(-3, 3, 7)


def linear_probe_score(
    Z, y, *, label_fractions=(0.01, 0.1, 1.0), n_repeats=5, test_size=0.25, random_state=None
):
    """Score a linear model on an embedding, for several numbers of labeled rows.

    The protocol of [1]_: the embedding is fixed, a linear model learns from a share of the
    training rows, and is scored on rows held out. Each repeat draws another split and other
    labeled rows. Classes: logistic regression and accuracy. Numbers: ridge regression with
    its penalty chosen by leave-one-out, and R². Components are scaled to unit variance.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        The embedding.
    y : array-like of shape (n_samples,)
        Class labels, or numbers: those that are not all whole, or that have more than 20
        values of fewer than ten rows each on average.
    label_fractions : sequence of float, default=(0.01, 0.1, 1.0)
        Shares of the training rows that bear a label, in (0, 1], all different. At least two
        rows, and one of each class, always do.
    n_repeats : int, default=5
        Number of splits.
    test_size : float, default=0.25
        Share of the rows that are held out, in (0, 1); at least two rows are, and at least
        two are not.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits.

    Returns
    -------
    scores : pandas.DataFrame
        A row for each of `label_fractions`, the index: `n_labels`, and `mean` and `std` of the
        score over the repeats. Accuracy is from 0 to 1, by chance the share of the largest
        class; R² at most 1, 0 by chance. Compare with PCA at the same width, and with the
        columns of X themselves.

    See Also
    --------
    knn_agreement : What neighbors say of the label.

    Notes
    -----
    Costs one linear model for each fraction and repeat: seconds for 10,000 rows and 10
    classes.

    References
    ----------
    .. [1] Alain, G. & Bengio, Y. (2017). Understanding intermediate layers using linear
       classifier probes. ICLR workshop.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.metrics import linear_probe_score
    >>> X, y = load_digits(return_X_y=True)
    >>> Z = PCA(8).fit_transform(X)
    >>> scores = linear_probe_score(Z, y, label_fractions=(0.1, 1), n_repeats=2, random_state=0)
    >>> scores["n_labels"].tolist()
    [135, 1347]
    >>> bool(scores.loc[0.1, "mean"] < scores.loc[1.0, "mean"] < 0.95)
    True
    """
    y = read_targets(y)
    scores = probe_scores(Z, y, is_classes(y), label_fractions, n_repeats, test_size, random_state)
    of_fraction = scores.groupby(level=0, sort=False)
    return pd.DataFrame(
        {
            "n_labels": of_fraction["n_labels"].first(),
            "mean": of_fraction["score"].mean(),
            "std": of_fraction["score"].std(ddof=0),
        }
    )


def probe_scores(Z, y, classes, label_fractions, n_repeats, test_size, random_state):
    """Score each repeat by itself: a DataFrame of n_labels and score, by fraction and repeat."""
    n_repeats = read_integer(n_repeats, "n_repeats", 1)
    test_size = read_test_size(test_size)
    if np.ndim(label_fractions) != 1 or not 0 < len(set(label_fractions)) == len(label_fractions):
        raise ValueError(
            "label_fractions must be a sequence of different numbers, at least one. Got "
            f"{label_fractions!r}."
        )
    label_fractions = [read_real(share, "label_fractions", 0, 1) for share in label_fractions]
    Z = scaled(read_rows(Z, "Z"), axis=0)
    check_consistent_length(Z, y)
    n_classes = len(np.unique(y)) if classes else 2
    if n_classes < 2:
        raise ValueError("y must have at least two classes. Got 1 class.")
    n_test = math.ceil(test_size * len(y))
    if n_test < 2 or len(y) - n_test < n_classes:
        raise ValueError(
            f"At least two rows must be held out, and {n_classes} must be left to learn from. "
            f"With test_size={test_size}, {n_test} of {len(y)} are held out."
        )
    y = y if classes else scaled(y.astype(np.float64))
    splits = local_generator(random_state).randint(2**31 - 1, size=n_repeats)
    found = {}
    for repeat, seed in enumerate(splits):
        train, test = _split(y, classes, n_test, int(seed))
        for fraction in label_fractions:
            if classes:
                n_labels = max(2, n_classes, round(fraction * len(train)))
                labeled = _one_of_each_first(y[train])[:n_labels]
                model = LogisticRegression(max_iter=2000)
            else:
                n_labels = max(2, round(fraction * len(train)))
                labeled = slice(n_labels)
                # of two rows one says the same of the other whatever the penalty, and rounding
                # would choose it
                model = RidgeCV(_PENALTIES if n_labels > 2 else _PENALTIES[:1])
            rows = train[labeled]
            probe = make_pipeline(StandardScaler(), model)
            with warnings.catch_warnings():
                # where labels are few, most may be of a class of their own
                warnings.filterwarnings("ignore", "The number of unique classes is greater")
                score = float(probe.fit(Z[rows], y[rows]).score(Z[test], y[test]))
            found[fraction, repeat] = {"n_labels": len(rows), "score": score}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(["label_fraction", "repeat"])


def is_classes(y):
    """Whether y holds class labels: by scikit-learn's rule, but for counts and the like."""
    if y.dtype.kind in "iuf":
        n_values = len(np.unique(y))
        if n_values > _MOST_CLASSES_OF_FEW_ROWS and len(y) < _FEW_ROWS * n_values:
            return False
    with np.errstate(invalid="ignore"):  # tries whether they are whole numbers
        kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass", "continuous"):
        raise ValueError(f"y must hold classes or numbers, one a row. Got {kind} targets.")
    return kind != "continuous"


def _split(y, classes, n_test, seed):
    """Shuffle the rows and split them, each class in proportion where that can be.

    Where it cannot, one row of each class is left to learn from.
    """
    if classes:
        counts = np.unique(y, return_counts=True)[1]
        if counts.min() >= 2 and len(counts) <= min(n_test, len(y) - n_test):
            return train_test_split(
                np.arange(len(y)), test_size=n_test, random_state=seed, stratify=y
            )
    order = np.random.RandomState(seed).permutation(len(y))
    if classes:
        order = order[_one_of_each_first(y[order])]
    return order[:-n_test], order[-n_test:]


def _one_of_each_first(y):
    """Order the rows: the first of each class, then the others as they are."""
    _, first = np.unique(y, return_index=True)
    return np.concatenate([first, np.setdiff1d(np.arange(len(y)), first)])
