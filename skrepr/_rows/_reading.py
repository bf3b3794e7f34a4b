"""How X is validated, for training as a whole and for everything else chunk by chunk."""

import math
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._kinds import FileRows, Rows, SparseRows, chunk_rows
from ._libraries import as_array, as_tensor, float32_of

# A memory map of at least this many values (1 GiB as float32) is streamed from its file.
# A fixed number, not a share of the free memory, so that results do not depend on it.
_LARGEST_IN_MEMORY = 2**28


def read_rows(
    estimator,
    X,
    device,
    *,
    input_shape,
    missing,
    n_least,
    layout=None,
    name="X",
    prepare=None,
):
    """Validate X for training.

    Sets ``n_features_in_`` and ``feature_names_in_`` of the estimator, as scikit-learn
    does, and checks them where a layout is known already. They are those of X: an array of
    another name leaves them alone.

    Parameters
    ----------
    estimator : estimator
    X : array-like, sparse matrix, data frame, torch.Tensor or numpy.memmap
    device : torch.device
    input_shape : tuple of int or None
    missing : {"error", "mask"}
    n_least : int
        Least number of rows.
    layout : tuple of int, default=None
        Shape that one row must have, if there was an earlier fit.
    name : str, default="X"
        What messages call the array.
    prepare : callable, default=None
        Makes float32 of the samples, which it is given in float64, all in memory.

    Returns
    -------
    rows : Rows
    layout : tuple of int
        Shape of one row of X as given.
    """
    check_input_shape(input_shape)
    X = as_array(X)
    rules = _rules(estimator, missing, X, prepare)
    rules_of_all = rules | {"ensure_min_samples": n_least}
    if isinstance(X, np.memmap) and X.size >= _LARGEST_IN_MEMORY and prepare is None:
        _checked(X[:n_least], rules_of_all, name)
        for start in range(0, len(X), chunk_rows(X.shape[1:])):
            _checked(X[start : start + chunk_rows(X.shape[1:])], rules, name)
        if name == "X":
            validate_data(estimator, X, reset=layout is None, skip_check_array=True)
        kind, values = FileRows, X
    else:
        values = _validated(X, layout is None, rules_of_all, name)
        kind = SparseRows if scipy.sparse.issparse(values) else Rows
    _check_layout(layout, values.shape[1:], name)
    layout = tuple(values.shape[1:])
    sample_shape = sample_shape_of(layout, input_shape)
    if prepare is not None:
        kind, values = Rows, prepare(as_tensor(values).reshape(-1, *sample_shape))
    if kind is Rows:
        values = as_tensor(values)
        values = values.to(device) if _fits(values, device) else values.cpu()
    return kind(values, sample_shape, device), layout


def read_chunks(estimator, X, *, sample_shape, missing, layout, name="X", prepare=None):
    """Validate X and hand it out chunk by chunk, so that X is never copied as a whole.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like, sparse matrix, data frame, torch.Tensor or numpy.memmap
    sample_shape : tuple of int
        Shape of one sample as the network sees it.
    missing : {"error", "mask"}
    layout : tuple of int
        Shape that one row must have.
    name : str, default="X"
        What messages call the array.
    prepare : callable, default=None
        As in `read_rows`.

    Returns
    -------
    n : int
    chunks : iterator of torch.Tensor of shape (B, *sample_shape), float32
        On the CPU, or where X is (see `as_array`).
    """
    X = as_array(X)
    rules = _rules(estimator, missing, X, prepare)
    size = chunk_rows(sample_shape)
    first = X if _length(X) <= size else _sliced(X, 0, size)
    first = _validated(first, False, rules, name)
    _check_layout(layout, first.shape[1:], name)

    def chunks():
        yield first
        for start in range(size, _length(X), size):
            yield _checked(_sliced(X, start, start + size), rules, name)

    tensors = (as_tensor(chunk).reshape(-1, *sample_shape) for chunk in chunks())
    return _length(X), tensors if prepare is None else map(prepare, tensors)


def check_input_shape(shape):
    """Check the parameter `input_shape`."""
    if shape is not None and (
        len(shape) == 0
        or sum(side == -1 for side in shape) > 1
        or not all(isinstance(side, Integral) and (side >= 1 or side == -1) for side in shape)
    ):
        raise ValueError(
            "The 'input_shape' parameter must be a tuple of integers >= 1, of which one "
            f"may be -1. Got {shape!r} instead."
        )


def sample_shape_of(layout, input_shape):
    """Find the shape of one sample as the network sees it.

    Parameters
    ----------
    layout : tuple of int
        Shape of one row of X as given.
    input_shape : tuple of int or None
        What the user asked for; one entry may be -1.

    Returns
    -------
    sample_shape : tuple of int
    """
    if input_shape is None:
        return tuple(layout)
    wanted, n_values = tuple(map(int, input_shape)), math.prod(layout)
    known = math.prod(side for side in wanted if side != -1)
    fits = n_values % known == 0 if -1 in wanted else n_values == known
    resolved = tuple(n_values // known if side == -1 else side for side in wanted)
    if not fits or (len(layout) > 1 and tuple(layout) != resolved):
        raise ValueError(
            f"input_shape={input_shape!r} does not fit samples of shape {tuple(layout)} "
            f"({n_values} values each). Their product must agree; one entry may be -1."
        )
    return resolved


def _rules(estimator, missing, X, prepare=None):
    float64 = torch.float64 if isinstance(X, torch.Tensor) else np.float64
    return {
        "accept_sparse": "csr",
        "dtype": float32_of(X) if prepare is None else float64,
        "order": "C",
        "ensure_all_finite": "allow-nan" if missing == "mask" else True,
        "allow_nd": True,
        "estimator": estimator,
    }


def _validated(X, reset, rules, name):
    try:
        with _no_warning_of_infinity():
            if name == "X":  # what the estimator knows of columns is known of this array
                return validate_data(rules["estimator"], X, reset=reset, **rules)
            return check_array(X, input_name=name, **rules)
    except (TypeError, ValueError) as error:
        names = _columns_without_numbers(X)
        advice = (
            f"Columns of {name} that hold no numbers: {', '.join(map(repr, names))}. Turn them "
            "into numbers in front, by a ColumnTransformer with a OneHotEncoder or by the "
            "TableVectorizer of skrub, or leave them out."
        )
        if names and type(error) is ValueError:
            raise ValueError(f"{error}\n{advice}") from error
        if names:
            error.add_note(advice)
        raise


def _columns_without_numbers(X, most=5):
    """List the names of some columns of a data frame that cannot be read as numbers."""
    names = []
    for name in getattr(X, "columns", ()):
        column = X[name] if hasattr(X, "iloc") else np.asarray(X[name])
        try:
            is_time = np.asarray(column).dtype.kind in "mM"
            if is_time or not pd.api.types.is_numeric_dtype(pd.to_numeric(column)):
                names.append(name)
        except (TypeError, ValueError):
            names.append(name)
    return names[:most]


def _checked(X, rules, name):
    # most chunks are fine, and that is seen faster than `check_array` sees it
    is_array = type(X) is np.ndarray and X.flags.c_contiguous
    if (is_array or isinstance(X, torch.Tensor)) and X.dtype == rules["dtype"] and X.ndim > 1:
        with _no_warning_of_infinity():
            if len(X) and math.isfinite(X.sum()):
                return X
    with _no_warning_of_infinity():
        return check_array(X, input_name=name, **rules)


@contextmanager
def _no_warning_of_infinity():
    # values beyond float32 become infinite, and that is an error with a message of its own
    with np.errstate(over="ignore", invalid="ignore"):
        yield


def _sliced(X, start, stop):
    return X.iloc[start:stop] if hasattr(X, "iloc") else X[start:stop]


def _length(X):
    return X.shape[0] if X.shape else 1


def _check_layout(expected, received, name):
    if expected is not None and tuple(received) != expected:
        raise ValueError(
            f"{name} must have the shape (n_samples, {', '.join(map(str, expected))}) it had in "
            f"fit. Got (n_samples, {', '.join(map(str, received))}) instead."
        )
    if 0 in received:
        raise ValueError(
            f"{name} must have samples of at least one value. Got (n_samples, "
            f"{', '.join(map(str, received))}) instead."
        )


def _fits(values, device):
    """Whether the rows may live on the device: in half of its free memory."""
    if device.type != "cuda" or values.device == device:
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return values.nbytes <= free / 2
