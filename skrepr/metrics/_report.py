"""All figures that apply to an embedding, beside PCA's."""

import math
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
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_consistent_length, check_scalar
from sklearn.utils.validation import check_is_fitted

from ._neighbors import agreement_of_rows, preservation_of_rows, trust_of_rows
from ._probe import is_classes, probe_scores
from ._rank import (
    FEWEST_ROWS_FOR_COLLAPSE,
    MOST_ROWS_FOR_COLLAPSE,
    describe_collapse,
    effective_rank,
)
from ._sampling import local_generator, read_targets, row_blocks

# Enough for two digits of every figure; the cost does not grow with the data.
_MOST_ROWS, _MOST_QUERIES = 10_000, 1_000
_FEWEST_ROWS, _FEWEST_ROWS_FOR_PROBE, _FEWEST_ROWS_FOR_TRUST = 4, 20, 50
_LABEL_FRACTIONS, _N_REPEATS, _N_NEIGHBORS = (0.01, 0.1, 1.0), 3, 5
# Relative; a smaller difference counts as none.
_LEAST_GAIN = 1e-3
# Figures in sentences have as many decimals as tell them apart, between these.
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 4
_STILL_FALLING = "the held-out loss was still falling at the last epoch"
_RECONSTRUCTION, _NEIGHBORS, _PROBE = (
    "mean squared error",
    "trustworthiness",
    "linear probe, {:.0%} of labels",
)
# What is said of a figure that is as good as PCA's, better, and (at -1) worse.
_SENTENCES = {
    _NEIGHBORS: (
        "keeps neighbourhoods as well as PCA",
        "keeps neighbourhoods better than PCA",
        "keeps neighbourhoods worse than PCA",
    ),
    _PROBE.format(1): (
        "makes y no easier to read off linearly than PCA",
        "makes y easier to read off linearly than PCA",
        "makes y harder to read off linearly than PCA",
    ),
}


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
    seen none of X. Of a Pipeline the last step is judged, by what the steps before it make of
    X: that is what PCA would see in its place.

    Parameters
    ----------
    estimator : estimator
        Any with ``fit`` and ``transform``, such as a Pipeline; it is not changed.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The data, dense, of at least 4 rows. For PCA a missing value is its column's mean.
    y : array-like of shape (n_samples,), default=None
        Class labels or numbers that the embedding shall be good for, told apart as by
        `linear_probe_score`. They are shown to no embedding.
    test_size : float, default=0.25
        Share of the rows that are held out, in (0, 1); at least 2 and at most 10,000 rows are.
    random_state : int, RandomState instance or None, default=None
        Seed of the split and of all samples. An unfitted estimator keeps its own.

    Returns
    -------
    report : EmbeddingReport
        `table`, a DataFrame; `conclusions`, a list of sentences. Prints as both, as HTML in a
        notebook. The table has, where they apply: the mean squared error of the
        reconstruction per observed value, in squared units of X; `trustworthiness` and
        `neighborhood_preservation` of 5 neighbours; `effective_rank`; with y,
        `linear_probe_score` from 20 held-out rows on, and `knn_agreement` if y holds classes.
        The standard error is that of the difference over rows; for the linear probe, the
        standard deviation over 3 splits. UMAP is not judged on reconstruction: its way back
        takes a tenth of a second a row, and beyond 8 components forever.

    Raises
    ------
    TypeError
        If the estimator has no ``transform``, or X is sparse.
    ValueError
        If X holds anything but numbers.

    See Also
    --------
    skrepr.metrics : Each figure by itself.

    Notes
    -----
    Costs, beside the fit and PCA, 15 s at most for a table of 784 columns, whatever the
    number of rows; in memory, beside X and what the fit takes, a copy of X. In the sentences a
    difference below two standard errors, or below a thousandth of PCA's figure, counts as
    none.

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
    if not hasattr(_last_step(estimator), "transform"):
        raise TypeError(
            "The 'estimator' parameter of embedding_report must be an object implementing "
            f"'transform'. Got {estimator!r} instead."
        )
    _check_dense(X)
    check_scalar(test_size, "test_size", Real, min_val=0, max_val=1, include_boundaries="neither")
    check_consistent_length(X, y)
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    if n < _FEWEST_ROWS:
        raise ValueError(
            f"Found array with {n} sample(s) while a minimum of {_FEWEST_ROWS} is required by "
            "embedding_report."
        )
    classes = False
    if y is not None:
        y = read_targets(y)
        classes = is_classes(y)
    generator = local_generator(random_state)
    train, test, _, test_rows = train_test_split(
        X,
        np.arange(n),
        test_size=min(max(2, round(test_size * n)), n - 2, _MOST_ROWS),
        random_state=int(generator.randint(2**31 - 1)),
    )
    was_fitted = _is_fitted(estimator)
    model = estimator if was_fitted else clone(estimator)
    if isinstance(model, Pipeline) and len(model) > 1:
        before = model[:-1]
        train = before.transform(train) if was_fitted else before.fit_transform(train)
        test = before.transform(test)
    model = _last_step(model)
    target = _as_table(test)  # what is no table of numbers is told before the fit
    if not was_fitted:
        model.fit(train)
    Z = check_array(model.transform(test), dtype=[np.float64, np.float32], input_name="Z")
    train, complete = _as_table(train), target
    if np.isnan([target.min(), train.min()]).any():
        imputer = SimpleImputer(keep_empty_features=True).fit(train)
        train, complete = imputer.transform(train), imputer.transform(target)
    pca = PCA(min(Z.shape[1], *train.shape), random_state=0).fit(train)
    del train  # the largest copy of X; what follows needs the held-out rows only
    embeddings = Z, pca.transform(complete)
    y = None if y is None else y[test_rows]
    seed = int(generator.randint(2**31 - 1))
    name = type(model).__name__
    name = "PCA as given" if name == "PCA" else name
    table = pd.DataFrame.from_dict(
        {
            **_reconstruction_figures(model, test, target, pca, embeddings),
            **_neighbor_figures(complete, embeddings, seed),
            **_label_figures(embeddings, y, classes, seed),
        },
        orient="index",
        columns=[name, "PCA", "difference", "standard_error", "better"],
    )
    conclusions = _conclude(table, model, classes)
    if len(Z) >= FEWEST_ROWS_FOR_COLLAPSE:
        few = slice(MOST_ROWS_FOR_COLLAPSE)
        trouble = describe_collapse(Z[few], complete[few])
        conclusions += [f"The representation has collapsed: {trouble}"] if trouble else []
    if len(Z) < _FEWEST_ROWS_FOR_TRUST:
        conclusions.append(f"Only {len(Z)} rows were held out: all this may be chance.")
    if was_fitted:
        conclusions.append(
            f"{name} was fitted before: this holds if it has seen none of these rows."
        )
    return EmbeddingReport(table, conclusions)


def _last_step(estimator):
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _check_dense(X):
    if issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required. Use '.toarray()' to "
            "convert to a dense numpy array."
        )


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _as_table(X):
    _check_dense(X)  # what a Pipeline hands on may be
    X = np.asarray(X)
    # float32 holds every value of the narrow types, such as the bytes of an image
    dtype = np.result_type(X, np.float32) if X.dtype.kind in "buif" else np.float64
    return X.astype(dtype, copy=False).reshape(len(X), -1)


def _figure(values, values_of_pca, better, *, independent=True):
    """Make a row of the table from paired values, of rows or of repeats."""
    values, values_of_pca = np.asarray(values, float), np.asarray(values_of_pca, float)
    differences = values - values_of_pca
    error = differences.std(ddof=1) if len(differences) > 1 else np.nan
    if independent:
        error /= np.sqrt(len(differences))
    return [values.mean(), values_of_pca.mean(), differences.mean(), error, better]


def _reconstruction_figures(model, test, target, pca, embeddings):
    rebuilt = _rebuilt(model, test, embeddings[0])
    if rebuilt is None:
        return {}
    rebuilt, Z = _as_table(rebuilt), embeddings[1]
    errors = np.empty((2, len(target)))
    for part in row_blocks(*target.shape):
        for of_model, guess in zip(errors, (rebuilt[part], pca.inverse_transform(Z[part]))):
            of_model[part] = np.nansum(np.square(target[part] - guess), axis=1, dtype=float)
    n_seen = np.count_nonzero(~np.isnan(target)) / len(target)
    return {_RECONSTRUCTION: _figure(*errors / n_seen, "lower")}


def _rebuilt(model, X, Z):
    """Rebuild X by the way that the model knows; None if it knows none."""
    if hasattr(model, "reconstruct"):
        return model.reconstruct(X)
    # UMAP's way back solves a problem for each row, in time exponential in the components
    if type(model).__module__.startswith("umap.") or not hasattr(model, "inverse_transform"):
        return None
    try:
        return model.inverse_transform(Z)
    except (NotFittedError, NotImplementedError):
        return None  # has the method, but not for these parameters, as KernelPCA


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


def _label_figures(embeddings, y, classes, seed):
    if y is None:
        return {}
    figures = {}
    if classes and len(y) > _N_NEIGHBORS:
        pair = [agreement_of_rows(Z, y, _N_NEIGHBORS, _MOST_QUERIES, seed) for Z in embeddings]
        figures["knn agreement"] = _figure(*pair, "higher")
    few_rows = len(y) < _FEWEST_ROWS_FOR_PROBE
    if few_rows or (classes and not 2 <= len(np.unique(y)) <= len(y) / 2):
        return figures
    pair = [
        probe_scores(Z, y, classes, _LABEL_FRACTIONS, _N_REPEATS, 0.25, seed) for Z in embeddings
    ]
    for fraction in _LABEL_FRACTIONS:
        of_fraction = [scores["score"].loc[fraction] for scores in pair]
        # splits overlap, so that their mean is not known better than one of them
        figures[_PROBE.format(fraction)] = _figure(*of_fraction, "higher", independent=False)
    return figures


def _conclude(table, model, classes):
    """Say in sentences what the table shows."""
    name = table.columns[0]
    falling = _was_still_falling(model)
    verdicts = {
        figure: _verdict(table, figure)
        for figure in (_RECONSTRUCTION, *_SENTENCES)
        if figure in table.index
    }
    sentences = []
    if verdicts.get(_RECONSTRUCTION, 0) > 0:
        ratio = table.loc[_RECONSTRUCTION, name] / table.loc[_RECONSTRUCTION, "PCA"]
        sentences.append(
            f"{name} beats PCA on reconstruction: its squared error is {ratio:.3g} of PCA's."
        )
    elif _RECONSTRUCTION in verdicts:
        advice = ": use PCA" if type(model) is not PCA else ""
        if advice and max(verdicts.values()) > 0:
            advice += " if that is what counts"
        if falling:
            advice += f", or train longer: {_STILL_FALLING}"
            falling = False  # is told
        sentences.append(f"{name} does not beat PCA on reconstruction{advice}.")
    measures = {
        _NEIGHBORS: _NEIGHBORS,
        _PROBE.format(1): ("accuracy" if classes else "R²") + " with all labels",
    }
    for figure in [figure for figure in verdicts if figure != _RECONSTRUCTION]:
        ours, of_pca = _apart(*table.loc[figure, [name, "PCA"]])
        sentences.append(
            f"{name} {_SENTENCES[figure][verdicts[figure]]}: {measures[figure]} {ours} "
            f"against {of_pca}."
        )
    if falling:
        sentences.append(f"More training may gain more: {_STILL_FALLING}.")
    return sentences


def _apart(*numbers):
    """Write numbers with as few decimals as tell them apart."""
    for decimals in range(_FEWEST_DECIMALS, _MOST_DECIMALS + 1):
        texts = [f"{number:.{decimals}f}" for number in numbers]
        if len(set(texts)) == len(texts):
            break
    return texts


def _verdict(table, figure):
    """Return 1 for a figure that is better than PCA's, -1 for a worse one, 0 for neither."""
    row = table.loc[figure]
    gain = row["difference"] if row["better"] == "higher" else -row["difference"]
    # float32 differs from float64 by nothing that matters, but always to the same side
    if abs(gain) <= max(2 * row["standard_error"], _LEAST_GAIN * abs(row["PCA"])):
        return 0
    return 1 if gain > 0 else -1


def _was_still_falling(model):
    """Whether the last tenth of the epochs lowered the loss on held-out rows."""
    history = getattr(model, "history_", None)
    if history is None or "valid_loss" not in history or len(history) < 2:
        return False
    losses = history["valid_loss"].to_numpy()
    last, n_recent = losses[-1], math.ceil(len(losses) / 10)
    if np.isnan(losses).any() or last > losses.min():
        return False
    earlier = losses[:-n_recent].min()
    return bool(earlier - last > _LEAST_GAIN * abs(earlier))
