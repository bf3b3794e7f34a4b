"""All figures that apply to an embedding, and those of PCA."""

from html import escape

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from ._conclusions import (
    LEAST_GAIN,
    NEIGHBORS,
    PROBE,
    RECONSTRUCTION,
    ROW_RATIO,
    ROWS_BETTER,
    conclude,
)
from ._input import as_array, read_data, read_rows, read_table, read_targets, read_test_size
from ._neighbors import agreement_of_rows, preservation_of_rows, trust_of_rows
from ._probe import is_classes, probe_scores
from ._rank import describe_collapse, effective_rank
from ._sampling import local_generator, row_blocks
from ._scale import exponent, in_unit

# Enough for two digits of every figure; the cost does not grow with the data.
_MOST_ROWS, _MOST_QUERIES = 10_000, 1_000
_FEWEST_ROWS, _FEWEST_ROWS_FOR_PROBE, _FEWEST_ROWS_FOR_TRUST = 4, 20, 50
_LABEL_FRACTIONS, _N_REPEATS, _N_NEIGHBORS = (0.01, 0.1, 1.0), 3, 5


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
    """Judge an embedding next to PCA of the same width, on the same held-out rows.

    X is split. PCA learns from the training rows, and so does a clone of an estimator that
    is not fitted yet. One that is fitted is taken as it is, and is judged fairly if it has
    seen none of X. Of a Pipeline, nested or not, the last step is judged, by what the steps
    before it make of X: that is what PCA would see in its place.

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
        reconstruction per observed value, in squared units of X, which few rows may carry;
        therefore also the share of rows rebuilt better than by PCA (in PCA's column: by PCA)
        and the median of the ratio of the two errors of a row; `trustworthiness` and
        `neighborhood_preservation` of 5 neighbors; `effective_rank`; with y,
        `linear_probe_score` from 20 held-out rows on, and `knn_agreement` if y holds classes.
        The standard error is that of the difference over rows; for the linear probe, the
        standard deviation over 3 splits. UMAP is not judged on reconstruction: its way back
        takes a tenth of a second a row, and beyond 8 components forever.

    Raises
    ------
    TypeError
        If the estimator has no ``transform``, or X is sparse.
    ValueError
        If X holds anything but numbers, or infinite ones, or if the reconstruction is missing
        where X is not.

    See Also
    --------
    skrepr.metrics : Each figure by itself.

    Notes
    -----
    Costs, besides the fit and PCA, 15 s at most for a table of 784 columns, whatever the
    number of rows; in memory, besides X and what the fit takes, a copy of X. In the sentences a
    difference below two standard errors, or below a thousandth of PCA's figure, counts as
    none; so does an error of a row below the rounding of float32.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.random_projection import GaussianRandomProjection
    >>> from skrepr.metrics import embedding_report
    >>> X, y = load_digits(return_X_y=True)
    >>> projection = GaussianRandomProjection(8, random_state=0)
    >>> report = embedding_report(projection, X, y, random_state=0)
    >>> print(report.conclusions[0].split(":")[0])
    GaussianRandomProjection does not beat PCA on reconstruction
    >>> report.table.columns.tolist()
    ['GaussianRandomProjection', 'PCA', 'difference', 'standard_error', 'better']
    """
    _check_has_transform(estimator)
    X, y, classes = _read(X, y)
    generator = local_generator(random_state)
    train, test, test_rows = _hold_out(X, test_size, generator)
    was_fitted = _is_fitted(estimator)
    model = estimator if was_fitted else clone(estimator)
    while isinstance(model, Pipeline):
        if len(model) > 1:
            before = model[:-1]
            train = before.transform(train) if was_fitted else before.fit_transform(train)
            test = before.transform(test)
        model = model.steps[-1][1]
    for rows in (train, test):
        _as_table(rows)  # what is no table of numbers is told before the fit
    if not was_fitted:
        model.fit(train)
    embedded = model.transform(test)
    Z = read_rows(embedded, "Z")
    train, target = _as_table(train), _as_table(test)
    unit = exponent(train, target)
    train, target = in_unit(train, unit), in_unit(target, unit)
    complete = target
    if np.isnan([target.min(), train.min()]).any():
        imputer = SimpleImputer(keep_empty_features=True).fit(train)
        train, complete = imputer.transform(train), imputer.transform(target)
    pca = PCA(min(Z.shape[1], *train.shape), random_state=0).fit(train)
    del train  # the largest copy of X; what follows needs the held-out rows only
    embeddings = Z, pca.transform(complete)
    y = None if y is None else y[test_rows]
    seed = int(generator.randint(2**31 - 1))
    figures = {
        **_reconstruction_figures(
            _rebuilt(model, test, embedded), target, unit, pca, embeddings[1]
        ),
        **_neighbor_figures(complete, embeddings, seed),
        **_label_figures(embeddings, y, classes, seed),
    }
    name = type(model).__name__
    name = "PCA as given" if name == "PCA" else name
    columns = [name, "PCA", "difference", "standard_error", "better"]
    table = pd.DataFrame.from_dict(figures, orient="index", columns=columns)
    conclusions = conclude(table, model, classes)
    trouble = describe_collapse(Z, complete)
    if trouble:
        conclusions.append(f"The representation has collapsed: {trouble}")
    if len(Z) < _FEWEST_ROWS_FOR_TRUST:
        conclusions.append(f"Only {len(Z)} rows were held out: all this may be chance.")
    if was_fitted:
        conclusions.append(
            f"{name} was fitted before: this holds if it has seen none of these rows."
        )
    return EmbeddingReport(_in_units_of_X(table, unit), conclusions)


def _check_has_transform(estimator):
    last_step = estimator
    while isinstance(last_step, Pipeline):
        last_step = last_step.steps[-1][1]
    if not hasattr(last_step, "transform"):
        raise TypeError(
            "The 'estimator' parameter of embedding_report must be an object implementing "
            f"'transform'. Got {estimator!r} instead."
        )


def _read(X, y):
    """Validate X and y; return them, and whether y holds classes."""
    _check_dense(X)
    X, y = read_data(X), as_array(y)
    check_consistent_length(X, y)
    if y is None:
        return X, None, False
    y = read_targets(y)
    return X, y, is_classes(y)


def _hold_out(X, test_size, generator):
    """Split the rows: those to learn from, those held out, and the places of the latter."""
    test_size = read_test_size(test_size)
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    if n < _FEWEST_ROWS:
        raise ValueError(
            f"Found array with {n} sample(s) while a minimum of {_FEWEST_ROWS} is required by "
            "embedding_report."
        )
    train, test, _, test_rows = train_test_split(
        X,
        np.arange(n),
        test_size=min(max(2, round(test_size * n)), n - 2, _MOST_ROWS),
        random_state=int(generator.randint(2**31 - 1)),
    )
    return train, test, test_rows


def _in_units_of_X(table, unit):
    """Bring the figures of the reconstruction from powers of two back to the units of X."""
    if RECONSTRUCTION in table.index:
        with np.errstate(over="ignore"):  # squared units of X may be beyond float64
            figures = np.ldexp(table.loc[RECONSTRUCTION].iloc[:4].astype(float), 2 * unit)
        table.loc[RECONSTRUCTION, table.columns[:4]] = figures
    return table


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


def _as_table(X, name="X"):
    X = as_array(X)
    _check_dense(X)  # what a Pipeline hands on may be
    X = np.asarray(X)
    # float32 holds every value of the narrow types, such as the bytes of an image
    dtype = np.result_type(X, np.float32) if X.dtype.kind in "buif" else np.float64
    return read_table(X, name, missing=True, dtype=dtype)


def _figure(values, values_of_pca, better, *, independent=True):
    """Make a row of the table from paired values, of rows or of repeats."""
    values, values_of_pca = np.asarray(values, float), np.asarray(values_of_pca, float)
    differences = values - values_of_pca
    error = differences.std(ddof=1) if len(differences) > 1 else np.nan
    if independent:
        error /= np.sqrt(len(differences))
    return [values.mean(), values_of_pca.mean(), differences.mean(), error, better]


def _reconstruction_figures(rebuilt, target, unit, pca, Z_of_pca):
    """Judge the reconstruction in the mean, in squared units, and row by row, without units.

    One row in a thousand may carry the mean, whose error then says nothing can be known, while
    all other rows tell.
    """
    if rebuilt is None:
        return {}
    rebuilt = in_unit(_as_table(rebuilt, "reconstruction"), unit)
    errors, sizes = np.empty((2, len(target))), np.empty(len(target))
    for part in row_blocks(*target.shape):
        seen = ~np.isnan(target[part])
        for sums, guess in zip(
            (*errors, sizes),
            (rebuilt[part], pca.inverse_transform(Z_of_pca[part]), pca.mean_),
        ):
            residuals = np.where(seen, target[part] - guess, 0)
            sums[part] = np.square(residuals).sum(axis=1, dtype=float)
    if np.isnan(errors).any():
        raise ValueError("Input reconstruction contains NaN where X has values.")
    # what float32 cannot tell from nothing: of a typical row, since some may be far larger
    floor = max(np.finfo(np.float32).eps * np.median(sizes), np.finfo(float).tiny)
    errors[errors < floor] = 0
    ratios = (errors[0] + floor) / (errors[1] + floor)
    n_seen = np.count_nonzero(~np.isnan(target)) / len(target)
    return {
        RECONSTRUCTION: _figure(*errors / n_seen, "lower"),
        ROWS_BETTER: _figure(ratios < 1 - LEAST_GAIN, ratios > 1 + LEAST_GAIN, "higher"),
        ROW_RATIO: _median_figure(ratios, 1.0, "lower"),
    }


def _median_figure(values, of_pca, better):
    """Make a row of the table from a median, its standard error from the quantiles about it."""
    # the share of values below the true median has this standard error
    of_share = 0.5 / np.sqrt(len(values))
    low, median, high = np.quantile(values, [0.5 - of_share, 0.5, 0.5 + of_share])
    return [median, of_pca, median - of_pca, (high - low) / 2, better]


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
        (NEIGHBORS, trust_of_rows),
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
        figures[PROBE.format(fraction)] = _figure(*of_fraction, "higher", independent=False)
    return figures
