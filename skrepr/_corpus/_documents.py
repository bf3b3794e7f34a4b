"""From X as it is given to documents, which are lists of tokens."""

import gzip
import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse
import torch

from ._vocabulary import as_word

# The default of `token_pattern`, and what finds the same words in half of the time: a run of
# letters is always taken as a whole.
_PATTERN, _FAST_PATTERN = r"(?u)\b\w\w+\b", r"\w\w+"


class Documents(NamedTuple):
    """What X holds, one document after the other.

    Parameters
    ----------
    each : iterable
        Strings, or sequences of tokens.
    n : int or None
        How many there are; None: nobody knows before the end.
    is_table : bool
        Whether documents are rows of a table, whose order of words means nothing.
    """

    each: Iterable
    n: int | None
    is_table: bool


def make_analyzer(analyzer, lowercase, token_pattern):
    """Make the function that splits a document into tokens.

    Parameters are those of the estimator, with the meaning that
    :class:`~sklearn.feature_extraction.text.CountVectorizer` gives them.
    """
    if callable(analyzer):
        return analyzer
    try:
        pattern = re.compile(_FAST_PATTERN if token_pattern == _PATTERN else token_pattern)
    except re.error as error:
        raise ValueError(
            "The 'token_pattern' parameter must be a regular expression. Got "
            f"{token_pattern!r} instead: {error}."
        ) from error
    if pattern.groups > 1:
        raise ValueError(
            "The 'token_pattern' parameter must have one capturing group at most, which then is "
            f"the word. Got {pattern.groups} in {token_pattern!r}. Write (?:...) for the others."
        )
    find = pattern.findall

    def analyze(document):
        if isinstance(document, str):
            return find(document.lower() if lowercase else document)
        if isinstance(document, (list, tuple, np.ndarray)):
            return document
        if isinstance(document, (set, frozenset)):
            raise ValueError(
                "Documents must be strings or lists of tokens. Got "
                f"{document!r:.60} ({type(document).__name__}), whose order differs from one run "
                "to the next. Pass sorted(document)."
            )
        raise ValueError(
            "Documents must be strings or lists of tokens. Got "
            f"{document!r:.60} ({type(document).__name__}). Leave out what is missing, or make "
            'it an empty string, as pandas does by fillna("").'
        )

    return analyze


def open_documents(X):
    """Find out what kind of documents X holds, other than a table.

    Raises
    ------
    ValueError
        If X holds none.
    """
    if isinstance(X, (str, os.PathLike)):
        if not os.path.isfile(X):
            raise ValueError(
                "X must hold several documents, or be the path of a file with one in each line. "
                f"Got {X!r:.60}, and there is no such file. A single document is a list of one: "
                "[document]."
            )
        return Documents(_lines(X), None, False)
    if isinstance(X, Iterator):
        return Documents(X, None, False)
    if isinstance(X, (dict, set, frozenset, bytes)) or not isinstance(X, Iterable):
        raise ValueError(
            "X must be an iterable of documents (strings, or lists of tokens), a table of "
            f"categories, or the path of a text file. Got {type(X).__name__}."
        )
    if getattr(X, "ndim", 1) == 0:
        raise ValueError(f"X must be an iterable of documents. Got a single value: {X!r:.60}.")
    if getattr(X, "ndim", 1) > 2:
        raise ValueError(f"Tables must have two axes. Got an array of shape {X.shape}.")
    return Documents(X, len(X) if hasattr(X, "__len__") else None, False)


def _lines(path):
    is_compressed = os.fspath(path).endswith(".gz")
    with (gzip.open if is_compressed else open)(path, "rt", encoding="utf-8") as file:
        try:
            for line in file:
                yield line.rstrip("\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{os.fspath(path)!r} must be a text file in the encoding UTF-8, which it is not: "
                f"{error}. Pass its lines, in the encoding that it has: "
                'open(path, encoding="...").'
            ) from error


def as_known_kind(X):
    """Make an array of numpy of what says no more than that it can become one.

    Raises
    ------
    TypeError
        If X is a query of polars that was not run.
    """
    if hasattr(X, "collect_schema") and not hasattr(X, "__len__"):
        raise TypeError(f"X must hold data. Got a {type(X).__name__}: pass X.collect().")
    return np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "__len__") else X


def is_table(X):
    """Whether X is a table, of which each row is a document."""
    return hasattr(X, "columns") or scipy.sparse.issparse(X) or getattr(X, "ndim", 1) == 2


def read_table(X, n_bins, edges=None):
    """Read the rows of a table as documents of ``column=value``.

    Parameters
    ----------
    X : data frame or 2-D array
        Missing values have no word.
    n_bins : int or None
        Number of bins of a column of numbers. None: only integers are taken, as categories.
    edges : dict or None, default=None
        Between bins, by number of the column, as an earlier call has found them.

    Returns
    -------
    documents : Documents
    edges : dict of ndarray
    """
    if scipy.sparse.issparse(X):
        raise TypeError("Sparse data were passed, but a table of categories is required.")
    if isinstance(X, torch.Tensor):
        X = X.numpy(force=True)
    if hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
        columns = [_column(X, j) for j in range(len(names))]
    else:
        names = list(map(str, range(X.shape[1])))
        columns = [pd.Series(column).infer_objects() for column in np.asarray(X).T]
    if any(pd.api.types.is_complex_dtype(column) for column in columns):
        raise ValueError("Complex data not supported. Pass integers, strings or categories.")
    if len(names) < 2 or not len(columns[0]):
        few, least = (f"{len(names)} feature(s)", 2) if len(names) < 2 else ("0 sample(s)", 1)
        raise ValueError(
            f"Found array with {few} (shape={tuple(X.shape)}) while a minimum of {least} is "
            "required. In a table each column is predicted from the others. Text is passed as one "
            'column without a second axis: frame["text"], or in a ColumnTransformer the name '
            '"text", not ["text"].'
        )
    found = {} if edges is None else edges
    words = []
    for j, (name, column) in enumerate(zip(names, columns)):
        # what a column is, the fit decides: a few rows of it may look like another kind
        if (n_bins is not None and _is_number(column)) if edges is None else j in edges:
            values = _numbers(name, column)
            if edges is None:
                found[j] = _edges(values, n_bins)
            words.append(_words_of_bins(name, values, found[j]))
        else:
            words.append(_words_of_categories(name, column, is_new=edges is None))
    rows = (tuple(word for word in row if word is not None) for row in zip(*words))
    return Documents(rows, len(columns[0]), True), found


def _column(X, j):
    """Return a column of a data frame as one of pandas."""
    return X.iloc[:, j] if hasattr(X, "iloc") else pd.Series(X[:, j].to_list()).convert_dtypes()


def _is_number(column):
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _edges(values, n_bins):
    values = values[np.isfinite(values)]  # between infinite ones nothing lies
    if not len(values):
        return values
    return np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))


def _words_of_bins(name, values, edges):
    """Name bins by their bounds, as in ``age=25..33``; the lower bound belongs to the bin."""
    digits = next(
        n for n in range(6, 18) if len({f"{edge:.{n}g}" for edge in edges}) == len(edges)
    )
    bounds = ["", *(f"{edge:.{digits}g}" for edge in edges), ""]
    names = [f"{name}={low}..{high}" for low, high in pairwise(bounds)]
    bins = np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))
    return np.array([*names, None], dtype=object)[bins]


def _numbers(name, column):
    try:
        return pd.to_numeric(column).to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} held numbers in fit, which were binned, and holds something else "
            "now. Pass numbers, or what is missing as NaN."
        ) from error


def _words_of_categories(name, column, is_new):
    if is_new and pd.api.types.is_float_dtype(column):
        raise ValueError(
            f"Column {name!r} holds real numbers, which are no categories. Set n_bins to bin "
            "columns of numbers, turn them into categories, or leave them out."
        )
    numbers, values = pd.factorize(column)  # -1 where a value is missing
    # integers next to a missing value are floats in pandas and numpy
    values = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    return np.array([*(f"{name}={as_word(v)}" for v in values), None], dtype=object)[numbers]
