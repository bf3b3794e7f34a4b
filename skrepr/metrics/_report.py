"""All figures that apply to an embedding, beside PCA's."""

from html import escape
from numbers import Real

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length, check_scalar, column_or_1d
from sklearn.utils.validation import check_is_fitted

from ._neighbors import agreement_of_rows, preservation_of_rows, trust_of_rows
from ._probe import is_classes, probe_scores
from ._rank import describe_collapse, effective_rank
from ._sampling import local_generator

# Enough for two digits of every figure; the cost does not grow with the data.
_MOST_ROWS, _MOST_QUERIES = 10_000, 1_000
_MOST_ROWS_FOR_COLLAPSE, _FEWEST_ROWS_FOR_COLLAPSE = 1_000, 100
_LABEL_FRACTIONS, _N_REPEATS, _N_NEIGHBORS = (0.01, 0.1, 1.0), 3, 5
# Relative; a smaller difference counts as none.
_LEAST_GAIN = 1e-3
_RECONSTRUCTION, _NEIGHBORS = "mean squared error", "trustworthiness"


class EmbeddingReport:
    """What `embedding_report` has found; prints as a table and sentences.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each figure. Columns: the embedding, PCA, their difference, the standard
        error of that difference, and which way is better.
    conclusions : list of str
        What the table says, in sentences.
    """

    def __init__(self, table, conclusions):
        self.table = table
        self.conclusions = conclusions

    def __repr__(self):
        table = self.table.to_string(float_format="{:.4g}".format, na_rep="")
        return "\n".join([table, "", *self.conclusions])

    def _repr_html_(self):
        table = self.table.to_html(float_format="{:.4g}".format, na_rep="")
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.conclusions)
        return f"<div>{table}<ul>{items}</ul></div>"


def embedding_report(estimator, X, y=None, *, test_size=0.25, random_state=None):
    """Judge an embedding beside PCA of the same width, on the same held-out rows.

    X is split. PCA learns from the training rows, and so does a clone of an estimator that
    is not fitted yet. One that is fitted is taken as it is, and is judged fairly if it has
    seen none of X.

    Parameters
    ----------
    estimator : estimator
        Any with ``transform``, such as a Pipeline; it is not changed.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The data, dense. For PCA a missing value is its column's mean.
    y : array-like of shape (n_samples,), default=None
        Class labels or numbers that the embedding shall be good for. They are shown to no
        embedding.
    test_size : float, default=0.25
        Share of the rows that are held out, in (0, 1); at most 10,000 rows are.
    random_state : int, RandomState instance or None, default=None
        Seed of the split and of all samples. An unfitted estimator keeps its own.

    Returns
    -------
    report : EmbeddingReport
        `table`, a DataFrame; `conclusions`, a list of sentences. Prints as both, as HTML in a
        notebook. The table has, where they apply: the mean squared error of the
        reconstruction per observed value, in squared units of X; `trustworthiness` and
        `neighborhood_preservation` of 5 neighbours; `effective_rank`; with labels,
        `knn_agreement` and `linear_probe_score`. The standard error is that of the
        difference over rows; for the linear probe, the standard deviation over 3 splits.

    Raises
    ------
    TypeError
        If the estimator has no ``transform``, or X is sparse.

    See Also
    --------
    skrepr.metrics : Each figure by itself.

    Notes
    -----
    Costs, beside the fit and PCA, 15 s at most for a table of 784 columns, whatever the
    number of rows. In the sentences a difference below two standard errors, or below a
    thousandth of PCA's figure, counts as none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.random_projection import GaussianRandomProjection
    >>> from skrepr.metrics import embedding_report
    >>> X, y = load_digits(return_X_y=True)
    >>> projection = GaussianRandomProjection(8, random_state=0)
    >>> report = embedding_report(projection, X, y, random_state=0)
    >>> print(report.conclusions[0])
    GaussianRandomProjection does not beat PCA on reconstruction: use PCA.
    >>> report.table.columns.tolist()
    ['GaussianRandomProjection', 'PCA', 'difference', 'standard_error', 'better']
    """
    if not hasattr(estimator, "transform"):
        raise TypeError(
            "The 'estimator' parameter of embedding_report must be an object implementing "
            f"'transform'. Got {estimator!r} instead."
        )
    if issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required. Use '.toarray()' to "
            "convert to a dense numpy array."
        )
    check_scalar(test_size, "test_size", Real, min_val=0, max_val=1, include_boundaries="neither")
    check_consistent_length(X, y)
    if y is not None:
        y = column_or_1d(y)
        is_classes(y)  # an unfit y is told before the work
    generator = local_generator(random_state)
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    train, test, _, test_rows = train_test_split(
        X,
        np.arange(n),
        test_size=min(max(1, round(test_size * n)), _MOST_ROWS),
        random_state=int(generator.randint(2**31 - 1)),
    )
    was_fitted = _is_fitted(estimator)
    if not was_fitted:
        estimator = clone(estimator).fit(train)
    name = type(_last_step(estimator)).__name__
    name = "PCA as given" if name == "PCA" else name
    Z = np.asarray(estimator.transform(test))
    train, target = _as_table(train), _as_table(test)
    complete = target
    if np.isnan(target).any() or np.isnan(train).any():
        imputer = SimpleImputer(keep_empty_features=True).fit(train)
        train, complete = imputer.transform(train), imputer.transform(target)
    pca = PCA(min(Z.shape[1], *train.shape), random_state=0).fit(train)
    embeddings = Z, pca.transform(complete)
    y = None if y is None else y[test_rows]
    seed = int(generator.randint(2**31 - 1))
    table = pd.DataFrame.from_dict(
        {
            **_reconstruction_figures(estimator, test, target, pca, embeddings),
            **_neighbor_figures(complete, embeddings, seed),
            **_label_figures(embeddings, y, seed),
        },
        orient="index",
        columns=[name, "PCA", "difference", "standard_error", "better"],
    )
    conclusions = _conclude(table, estimator)
    if len(Z) >= _FEWEST_ROWS_FOR_COLLAPSE:
        few = slice(_MOST_ROWS_FOR_COLLAPSE)
        trouble = describe_collapse(Z[few], complete[few])
        conclusions += [f"The representation has collapsed: {trouble}"] if trouble else []
    if was_fitted:
        conclusions.append(
            f"{name} was fitted before: this holds if it has seen none of these rows."
        )
    return EmbeddingReport(table, conclusions)


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _last_step(estimator):
    """Return the estimator that a Pipeline ends with."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def _as_table(X):
    X = np.asarray(X)
    X = X if X.dtype == np.float32 else X.astype(np.float64, copy=False)
    return X.reshape(len(X), -1)


def _figure(values, values_of_pca, better, *, independent=True):
    """Make a row of the table from paired values, of rows or of repeats."""
    values, values_of_pca = np.asarray(values, float), np.asarray(values_of_pca, float)
    differences = values - values_of_pca
    error = differences.std(ddof=1) if len(differences) > 1 else np.nan
    if independent:
        error /= np.sqrt(len(differences))
    return [values.mean(), values_of_pca.mean(), differences.mean(), error, better]


def _reconstruction_figures(estimator, test, target, pca, embeddings):
    if hasattr(estimator, "reconstruct"):
        rebuilt = estimator.reconstruct(test)
    elif hasattr(estimator, "inverse_transform"):
        rebuilt = estimator.inverse_transform(embeddings[0])
    else:
        return {}
    n_seen = np.count_nonzero(~np.isnan(target)) / len(target)
    errors = [
        np.nansum(np.square(target - guess), axis=1, dtype=np.float64) / n_seen
        for guess in (_as_table(rebuilt), pca.inverse_transform(embeddings[1]))
    ]
    return {_RECONSTRUCTION: _figure(*errors, "lower")}


def _neighbor_figures(X, embeddings, seed):
    ranks = [effective_rank(Z) for Z in embeddings]
    figures = {"effective rank": _figure([ranks[0]], [ranks[1]], "higher")}
    if len(X) <= 2 * _N_NEIGHBORS:
        return figures
    for name, of_rows in (
        (_NEIGHBORS, trust_of_rows),
        ("neighborhood preservation", preservation_of_rows),
    ):
        pair = [of_rows(X, Z, _N_NEIGHBORS, _MOST_QUERIES, seed) for Z in embeddings]
        figures[name] = _figure(*pair, "higher")
    return figures


def _label_figures(embeddings, y, seed):
    if y is None:
        return {}
    figures = {}
    if is_classes(y) and len(y) > _N_NEIGHBORS:
        pair = [agreement_of_rows(Z, y, _N_NEIGHBORS, _MOST_QUERIES, seed) for Z in embeddings]
        figures["knn agreement"] = _figure(*pair, "higher")
    if is_classes(y) and len(np.unique(y)) < 2:
        return figures
    pair = [probe_scores(Z, y, _LABEL_FRACTIONS, _N_REPEATS, 0.25, seed) for Z in embeddings]
    for fraction in _LABEL_FRACTIONS:
        of_fraction = [scores["score"].loc[fraction] for scores in pair]
        # splits overlap, so that their mean is not known better than one of them
        figures[_probe_name(fraction)] = _figure(*of_fraction, "higher", independent=False)
    return figures


def _probe_name(fraction):
    return f"linear probe, {fraction:.0%} of labels"


def _conclude(table, estimator):
    """Say in sentences what the table shows."""
    name = table.columns[0]
    sentences = []
    if _RECONSTRUCTION in table.index:
        if _verdict(table, _RECONSTRUCTION) > 0:
            ratio = table.loc[_RECONSTRUCTION, name] / table.loc[_RECONSTRUCTION, "PCA"]
            sentences.append(
                f"{name} beats PCA on reconstruction: its squared error is {ratio:.3g} of PCA's."
            )
        else:
            advice = f"{name} does not beat PCA on reconstruction: use PCA"
            if _was_still_falling(_last_step(estimator)):
                advice += (
                    ", or train longer: the held-out loss was still falling at the last epoch"
                )
            sentences.append(advice + ".")
    for figure, better, same, worse in (
        (
            _NEIGHBORS,
            "keeps neighbourhoods better than PCA",
            "keeps neighbourhoods as well as PCA",
            "keeps neighbourhoods worse than PCA",
        ),
        (
            _probe_name(1.0),
            "makes y easier to read off linearly than PCA",
            "makes y no easier to read off linearly than PCA",
            "makes y harder to read off linearly than PCA",
        ),
    ):
        if figure in table.index:
            says = (same, better, worse)[_verdict(table, figure)]
            ours, of_pca = table.loc[figure, [name, "PCA"]]
            sentences.append(f"{name} {says}: {figure} {ours:.2f} against {of_pca:.2f}.")
    return sentences


def _verdict(table, figure):
    """Return 1 for a figure that is better than PCA's, -1 for a worse one, 0 for neither."""
    row = table.loc[figure]
    gain = row["difference"] if row["better"] == "higher" else -row["difference"]
    # float32 differs from float64 by nothing that matters, but always to the same side
    if abs(gain) <= max(2 * row["standard_error"], _LEAST_GAIN * abs(row["PCA"])):
        return 0
    return 1 if gain > 0 else -1


def _was_still_falling(estimator):
    """Whether the last epoch of the training was the best on held-out rows."""
    history = getattr(estimator, "history_", None)
    if history is None or "valid_loss" not in history or len(history) < 2:
        return False
    losses = history["valid_loss"].to_numpy()
    return bool(np.isfinite(losses[-1]) and losses[-1] <= np.nanmin(losses))
