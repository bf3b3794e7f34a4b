"""How the rows of X reach the network: whole batches, on the device.

A ``Rows`` object is what the training loop and the closed-form steps see of the data. Where
the values live (a tensor on the device, a sparse matrix, a file) is its own affair. Whatever
has this protocol is as good:

``len(rows)``, ``sample_shape``, ``device``
    Number of samples; the shape of one, or what stands for it; where batches are.
``batches(batch_size, generator=None, smallest=2)``
    What ``forward`` of the module is given, an iterable with a length and the ``sizes`` of its
    batches, anew in each pass: a tensor x, or a tuple such as (x, y) or a pair of modalities,
    whose first entry has the rows as its first axis.
``blocks()``, ``sample(n_rows)``
    Inputs only, in order, in blocks of a few megabytes; some of them, evenly spread. For
    starts, readouts and the judgment of collapse.
``subset(index)``, ``split(n_held_out, generator)``
    Some of the rows, without copying them; rows to train on and rows held out.
``range()``, ``solver_input(n_rows)``
    For estimators that ask for them: the least and the largest value; a matrix for a solver.

Drawing a batch is one indexing operation, never a loop over rows: on small networks that loop
costs more than the training.
"""

import copy
import math
from contextlib import contextmanager
from numbers import Integral

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from sklearn import get_config
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

# A memory map of at least this many values (1 GiB as float32) is streamed from its file.
# A fixed number, not a share of the free memory, so that results do not depend on it.
_LARGEST_IN_MEMORY = 2**28
# Values of one chunk (4 MB), and rows at most, in what goes through X once.
_CHUNK_VALUES, _CHUNK_ROWS = 2**20, 4096
# Values of a sample of rows from which figures are estimated (64 MB).
_SAMPLE_VALUES = 2**24
# A file is read in runs of this many bytes, and this many runs are shuffled together.
_RUN_BYTES = 4 * 2**20
_RUNS_TOGETHER = 16


class Rows:
    """Rows of a dense array in memory, as float32 of shape ``(n, *sample_shape)``.

    Parameters
    ----------
    values : torch.Tensor of shape (n, ...)
        May live on the device or in host memory; then every batch is gathered and copied from
        pinned memory without waiting for what the device computes.
    sample_shape : tuple of int
        Shape of one sample as the network sees it.
    device : torch.device
        Where batches are wanted, with its index, as `resolve_device` returns it.
    index : torch.Tensor of int64, default=None
        The rows of ``values`` that belong to this object; None: all of them.
    """

    def __init__(self, values, sample_shape, device, index=None):
        self.values = values
        self.sample_shape = tuple(sample_shape)
        self.device = device
        self.index = index

    def __len__(self):
        return self.values.shape[0] if self.index is None else len(self.index)

    def __getitem__(self, i):
        """Return the inputs at the positions ``i`` (a tensor of int64)."""
        return self._inputs(i if self.index is None else self.index[i])

    def _inputs(self, index):
        return self._take(index).reshape(-1, *self.sample_shape)

    def _batch(self, index):
        """Return what ``forward`` is given of some rows: other kinds add to the inputs here."""
        return self._inputs(index)

    def _take(self, index):
        if self.values.device == self.device:
            return self.values.index_select(0, index.to(self.device))
        return self.values[index].pin_memory().to(self.device, non_blocking=True)

    def subset(self, index):
        """Return the rows at the positions ``index``, without copying them."""
        some = copy.copy(self)
        some.index = index if self.index is None else self.index[index]
        return some

    def split(self, n_held_out, generator):
        """Split at random into rows to train on and rows held out."""
        order = torch.randperm(len(self), generator=generator)
        held_out, train = order[:n_held_out].sort().values, order[n_held_out:].sort().values
        return self.subset(train), self.subset(held_out)

    def sample(self, n_rows):
        """Return at most ``n_rows`` of the rows, evenly spread, as one batch of 64 MB at most."""
        n_rows = min(n_rows, len(self), max(2, _SAMPLE_VALUES // math.prod(self.sample_shape)))
        return self[torch.linspace(0, len(self) - 1, n_rows, dtype=torch.float64).long()]

    def blocks(self):
        """Yield the inputs of all rows in order, a few megabytes at a time."""
        return map(self.__getitem__, torch.arange(len(self)).split(chunk_rows(self.sample_shape)))

    def range(self):
        """Find the least and the largest value that is observed."""
        low, high = math.inf, -math.inf
        for block in self.blocks():
            low = min(low, block.nan_to_num(nan=math.inf).amin().item())
            high = max(high, block.nan_to_num(nan=-math.inf).amax().item())
        return low, high

    def solver_input(self, n_rows):
        """Return a matrix for a solver of scikit-learn: at most ``n_rows``, flattened."""
        matrix = self.sample(n_rows).flatten(1)
        mean = matrix.nanmean(0).nan_to_num()
        return torch.where(matrix.isnan(), mean, matrix).cpu().numpy()

    def batches(self, batch_size, generator=None, smallest=2):
        """Return an iterable over batches; each pass is shuffled by ``generator``, if any.

        A last batch of fewer than ``smallest`` rows joins the one before.
        """
        return Batches(self, batch_size, generator, smallest)

    def draw(self, batch_size, generator, smallest=2):
        """Yield the batches of one pass."""
        n = len(self)
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        if self.index is not None:
            order = self.index[order]
        for start, stop in _bounds(n, batch_size, smallest):
            yield self._batch(order[start:stop])


class SparseRows(Rows):
    """Rows of a scipy CSR matrix, made dense one batch at a time.

    Parameters are those of `Rows`, with ``values`` the matrix.
    """

    def solver_input(self, n_rows):
        """Return the matrix itself, all rows of it: it is never made dense."""
        matrix = self.values if self.index is None else self.values[self.index.numpy()]
        missing = np.isnan(matrix.data)
        if missing.any():
            matrix = matrix.copy()
            matrix.data[missing] = 0
            n_missing = np.bincount(matrix.indices[missing], minlength=matrix.shape[1])
            mean = np.asarray(matrix.sum(axis=0)).ravel() / np.maximum(1, len(self) - n_missing)
            matrix.data[missing] = mean[matrix.indices[missing]]
        return matrix

    def _take(self, index):
        dense = self.values[index.numpy()].toarray()
        return torch.from_numpy(dense.astype(np.float32, copy=False)).to(self.device)


class FileRows(Rows):
    """Rows of a ``numpy.memmap`` too large for memory, read in contiguous runs.

    A pass visits the runs of the file in random order, some of them together, and
    shuffles the rows of these: a shuffle buffer.
    Parameters are those of `Rows`, with ``values`` the memory map.
    """

    def _take(self, index):
        read = np.asarray(self.values[index.numpy()], dtype=np.float32)
        return torch.from_numpy(np.ascontiguousarray(read)).to(self.device)

    def draw(self, batch_size, generator, smallest=2):
        if generator is None:
            yield from super().draw(batch_size, None, smallest)
            return
        n = len(self)
        run = max(1, _RUN_BYTES // (4 * int(np.prod(self.sample_shape))))
        runs = torch.arange(n).split(run)
        rest = torch.empty(0, *self.sample_shape, device=self.device)
        for together in torch.randperm(len(runs), generator=generator).split(_RUNS_TOGETHER):
            buffer = torch.cat([rest, *(self[runs[i]] for i in together.sort().values)])
            order = torch.randperm(len(buffer), generator=generator).to(self.device)
            # held back for the next buffer: the rows that fill no batch, and one batch
            # more, so that the last one of the pass is never too small
            n_ready = max(0, len(buffer) // batch_size - 1) * batch_size
            for start in range(0, n_ready, batch_size):
                yield buffer[order[start : start + batch_size]]
            rest = buffer[order[n_ready:]]
        for start, stop in _bounds(len(rest), batch_size, smallest):
            yield rest[start:stop]


class Batches:
    """The batches of one set of rows, anew in each pass."""

    def __init__(self, rows, batch_size, generator=None, smallest=2):
        self.rows = rows
        self.batch_size = batch_size
        self.generator = generator
        self.smallest = smallest

    def __len__(self):
        return len(self.sizes)

    @property
    def sizes(self):
        """Number of rows of each batch."""
        bounds = _bounds(len(self.rows), self.batch_size, self.smallest)
        return [stop - start for start, stop in bounds]

    def __iter__(self):
        return self.rows.draw(self.batch_size, self.generator, self.smallest)


def _bounds(n, batch_size, smallest):
    """List (start, stop) of each batch; a last one that is too small joins the one before.

    Batch normalization has no variance to divide by in a batch of one row.
    """
    starts = list(range(0, n, batch_size))
    if len(starts) > 1 and n - starts[-1] < min(smallest, batch_size):
        starts.pop()
    return list(zip(starts, [*starts[1:], n]))


def chunk_rows(sample_shape):
    """Choose the number of rows of one chunk: large enough to be fast, small beside the data."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_VALUES // max(1, math.prod(sample_shape))))


def read_rows(estimator, X, device, *, input_shape, missing, n_least, layout=None, name="X"):
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

    Returns
    -------
    rows : Rows
    layout : tuple of int
        Shape of one row of X as given.
    """
    check_input_shape(input_shape)
    X = as_array(X)
    rules = _rules(estimator, missing, X)
    rules_of_all = rules | {"ensure_min_samples": n_least}
    if isinstance(X, np.memmap) and X.size >= _LARGEST_IN_MEMORY:
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
    sample_shape = sample_shape_of(values.shape[1:], input_shape)
    if kind is Rows:
        values = as_tensor(values)
        values = values.to(device) if _fits(values, device) else values.cpu()
    return kind(values, sample_shape, device), tuple(values.shape[1:])


def read_chunks(estimator, X, *, sample_shape, missing, layout, name="X"):
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

    Returns
    -------
    n : int
    chunks : iterator of torch.Tensor of shape (B, *sample_shape), float32
        On the CPU, or where X is (see `as_array`).
    """
    X = as_array(X)
    rules = _rules(estimator, missing, X)
    size = chunk_rows(sample_shape)
    first = X if _length(X) <= size else _sliced(X, 0, size)
    first = _validated(first, False, rules, name)
    _check_layout(layout, first.shape[1:], name)

    def chunks():
        yield first
        for start in range(size, _length(X), size):
            yield _checked(_sliced(X, start, start + size), rules, name)

    return _length(X), (as_tensor(chunk).reshape(-1, *sample_shape) for chunk in chunks())


def check_unit_interval(rows, setting):
    """Check that all values lie in [0, 1], as ``setting`` of an estimator needs them."""
    low, high = rows.range()
    if low < 0 or high > 1:
        raise ValueError(
            f"{setting} needs values in [0, 1]. Got values from {low:g} to {high:g}. Use a "
            "MinMaxScaler(clip=True) in front, or another one."
        )


def check_counts(rows, setting):
    """Check that all values are counts, as ``setting`` of an estimator needs them."""
    for block in rows.blocks():
        seen = block.nan_to_num()
        wrong = seen[(seen < 0) | (seen != seen.round())]
        if len(wrong):
            raise ValueError(
                f"{setting} needs counts: integers from 0 on. Got {wrong[0].item():g} among the "
                "values. Use the raw counts, neither scaled nor log-transformed, or another one."
            )


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


def keeps_library(X):
    """Whether results are arrays of the library of X, on its device, as scikit-learn does it.

    Under its setting ``array_api_dispatch``; else they are of numpy.
    """
    return get_config()["array_api_dispatch"] and (
        isinstance(X, torch.Tensor)
        or (hasattr(X, "__array_namespace__") and not isinstance(X, (np.ndarray, np.generic)))
    )


def as_array(X):
    """Give X an axis that can be sliced, and leave its values alone.

    Where results are arrays of its library, X becomes a tensor without being copied.
    """
    if isinstance(X, (list, tuple)) and any(isinstance(row, torch.Tensor) for row in X):
        X = torch.stack([torch.as_tensor(row).detach() for row in X])
    keeps = keeps_library(X)
    if keeps and not isinstance(X, torch.Tensor):
        X = torch.from_dlpack(X)
    if isinstance(X, torch.Tensor):
        X = X.detach()
        # what cannot be used is refused as an array of numpy, where it is told well
        if keeps and not X.is_complex() and X.layout == torch.strided:
            return X
        narrow = (X.is_floating_point() and X.element_size() < 2) or X.dtype == torch.bfloat16
        return (X.float() if narrow else X).numpy(force=True)
    if scipy.sparse.issparse(X):
        return X if X.format == "csr" else X.tocsr()
    return X if hasattr(X, "shape") else np.asarray(X)


def as_tensor(values):
    """Make a tensor of what was validated: where it is, and of its memory if that is writable."""
    if isinstance(values, torch.Tensor):
        return values
    if scipy.sparse.issparse(values):
        values = values.toarray()
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def result_device(X):
    """Return the device on which to gather what is computed from X."""
    return as_array(X).device if keeps_library(X) else torch.device("cpu")


def as_result(values, X):
    """Return a tensor that was computed from X as an array of numpy, or of the library of X."""
    if not keeps_library(X):
        return values.numpy()
    values = values.to(result_device(X))
    return values if isinstance(X, torch.Tensor) else X.__array_namespace__().from_dlpack(values)


def float32_of(X):
    """Return float32 as the library of an array knows it."""
    return torch.float32 if isinstance(X, torch.Tensor) else np.float32


def _rules(estimator, missing, X):
    return {
        "accept_sparse": "csr",
        "dtype": float32_of(X),
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
    if (is_array or isinstance(X, torch.Tensor)) and X.dtype == float32_of(X) and X.ndim > 1:
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
