"""Series: of one length or of many, with even times or with their own."""

import numpy as np
import torch

from ._channels import check_errors, find_bands
from ._kinds import Rows, bounds, chunk_rows
from ._libraries import as_array, as_numbers, as_tensor, check_numbers
from ._reading import read_chunks, read_rows
from ._series_kind import EXPECTED, is_ragged, shape_of

# So many batches are drawn together and sorted by length, so that little is padded.
_BATCHES_TOGETHER = 16


class RaggedRows(Rows):
    """Series of different lengths; batches are padded with NaN to their longest one.

    In training, batches hold series of similar length.

    Parameters
    ----------
    values : list of torch.Tensor of shape (n_channels, length), float32
        In host memory.
    sample_shape : tuple of int
        Number of channels, and the length of the longest series.
    device : torch.device
        Where batches are wanted.
    index : torch.Tensor of int64, default=None
        The series that belong to this object; None: all of them.
    """

    def __len__(self):
        return len(self.values) if self.index is None else len(self.index)

    def _inputs(self, index):
        return padded([self.values[int(i)] for i in index]).to(self.device)

    def sample(self, n_rows):
        n_channels = self.sample_shape[0]
        longest = max(self.values[i].shape[1] for i in self._places())
        return Rows.sample(
            RaggedRows(self.values, (n_channels, longest), self.device, self.index), n_rows
        )

    def blocks(self):
        places = self._places()
        for start, stop in chunks_of([self.values[i] for i in places]):
            yield self._inputs(places[start:stop])

    def _places(self):
        return range(len(self.values)) if self.index is None else self.index.tolist()

    def draw(self, batch_size, generator, smallest=2):
        if generator is None:
            yield from super().draw(batch_size, None, smallest)
            return
        lengths = torch.tensor([series.shape[1] for series in self.values])
        order = torch.randperm(len(self), generator=generator)
        order = order if self.index is None else self.index[order]
        together = order.split(batch_size * _BATCHES_TOGETHER)
        order = torch.cat([some[lengths[some].argsort(stable=True)] for some in together])
        batches = bounds(len(self), batch_size, smallest)
        for i in torch.randperm(len(batches), generator=generator).tolist():
            yield self._inputs(order[slice(*batches[i])])


def padded(series):
    """Make one array of series of different lengths: (n, n_channels, longest), NaN behind."""
    n_channels, longest = series[0].shape[0], max(one.shape[1] for one in series)
    batch = torch.full((len(series), n_channels, longest), torch.nan)
    for row, one in zip(batch, series, strict=True):
        row[:, : one.shape[1]] = one
    return batch


def chunks_of(series):
    """List (start, stop) of runs of series that fill little memory, padded to their longest."""
    n_channels, start, longest, chunks = series[0].shape[0], 0, 0, []
    for i, one in enumerate(series):
        longest = max(longest, one.shape[1])
        if i >= start + chunk_rows((n_channels, longest)) and i > start:
            chunks.append((start, i))
            start, longest = i, one.shape[1]
    return [*chunks, (start, len(series))]


def read_series(
    estimator, X, device, *, input_shape, channels, n_least, bands=None, layout=None, ragged=False
):
    """Validate series for training.

    Sets ``n_features_in_`` and ``feature_names_in_`` of the estimator where X is an array.

    Parameters
    ----------
    estimator : estimator
    X : array-like of shape (n, length) or (n, n_channels, length), or list of arrays of shape \
            (n_channels, length_i)
        NaN where a value is missing.
    device : torch.device
    input_shape : tuple of int or None
        Of a flat table.
    channels : Channels
    n_least : int
        Least number of rows.
    bands : ndarray, default=None
        Values of the band channel that are known from an earlier fit.
    layout : tuple of int, default=None
        Shape that one row must have, if there was an earlier fit.
    ragged : bool, default=False
        Whether the earlier fit has seen series of any length.

    Returns
    -------
    rows : Rows
        The band channel holds numbers of bands.
    layout : tuple of int
        Shape of one row of X as given; of series of different lengths, of the longest.
    bands : ndarray of shape (n_bands,), float64, or None
    """
    known = layout is not None

    def prepare(values):
        nonlocal bands
        channels.check(values.shape[1])
        if bands is None and channels.band_channel is not None:
            bands = find_bands([values], channels.band_channel)
        return channels.prepare(values, bands)

    if ragged if known else is_ragged(X):
        if input_shape is not None:
            raise ValueError(
                f"input_shape={input_shape!r} tells how a table is read, and X is a list of "
                "series of the shape (n_channels, length). Leave it at None."
            )
        series = _read_ragged(estimator, X, n_least, layout)
        channels.check(series[0].shape[0])
        if bands is None and channels.band_channel is not None:
            bands = find_bands(series, channels.band_channel)
        series = [channels.prepare(one[None], bands, i)[0] for i, one in enumerate(series)]
        longest = max(one.shape[1] for one in series)
        layout = layout or (series[0].shape[0], longest)
        return RaggedRows(series, layout, device), layout, bands
    _check_axes(X)
    rows, layout = read_rows(
        estimator,
        X,
        device,
        input_shape=_shape_in(X, input_shape),
        missing="mask",
        n_least=n_least,
        layout=layout,
        prepare=prepare if channels.needs_float64 else None,
    )
    if len(rows.sample_shape) == 2 and channels.error_channel is not None:
        channels.check(rows.sample_shape[0])
        for x in rows.blocks():
            check_errors(x, channels.error_channel)
    return rows, layout, bands


def read_series_chunks(estimator, X, *, sample_shape, channels, bands, layout, ragged):
    """Validate series and hand them out chunk by chunk.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like of shape (n, length) or (n, n_channels, length), or list of arrays of shape \
            (n_channels, length_i)
    sample_shape : tuple of int
        Shape of one sample as the network sees it.
    channels : Channels
    bands : ndarray or None
        Known values of the band channel.
    layout : tuple of int
        Shape that one row must have.
    ragged : bool
        Whether series of any length are read.

    Returns
    -------
    n : int
    chunks : iterator of torch.Tensor of shape (B, n_channels, length), float32
        Series of any length are padded to the longest of their chunk.
    """
    if ragged:
        series = _read_ragged(estimator, X, 1, layout)
        series = [channels.prepare(one[None], bands, i)[0] for i, one in enumerate(series)]
        return len(series), (padded(series[slice(*chunk)]) for chunk in chunks_of(series))
    _check_axes(X)
    n_read = 0

    def prepare(values):
        nonlocal n_read
        n_read += len(values)
        return channels.prepare(values, bands, n_read - len(values))

    n, chunks = read_chunks(
        estimator,
        X,
        sample_shape=sample_shape,
        missing="mask",
        layout=layout,
        prepare=prepare if channels.needs_float64 else None,
    )
    return n, (check_errors(x, channels.error_channel) for x in chunks)


def series_of(X, sample_shape, ragged):
    """Copy X, which is validated, into arrays that can be filled: float64.

    Returns
    -------
    series : list of ndarray of shape (n_channels, length_i), or ndarray of shape \
            (n_samples, n_channels, length)
    """
    if not ragged:
        return as_numbers(X).reshape(-1, *sample_shape)
    return [np.atleast_2d(as_numbers(one)) for one in X]


def _check_axes(X):
    check_numbers(X, "X")
    if is_ragged(X) and len(set(map(shape_of, X))) > 1:
        raise ValueError(
            "X must be an array: fit has seen one, in which all series have the same length. Got "
            "a list of series of different lengths. Fit on a list to read series of any length."
        )
    try:
        n_axes = len(getattr(as_array(X), "shape", ()))
    except ValueError as error:
        raise ValueError(
            f"X must be series: {EXPECTED}. Got nested lists that are neither. {error}"
        ) from error
    if n_axes > 3:
        raise ValueError(f"X must be series: {EXPECTED}. Got an array of {n_axes} axes.")


def _shape_in(X, input_shape):
    """Read a row of a table as one series, unless told otherwise."""
    is_table = len(getattr(as_array(X), "shape", ())) == 2
    return (1, -1) if input_shape is None and is_table else input_shape


def _read_ragged(estimator, X, n_least, layout):
    """Validate a list of series; return tensors of float64."""
    shape = getattr(X, "shape", None)
    is_list = isinstance(X, (list, tuple)) or (shape is not None and len(shape) == 3)
    if not (is_list or is_ragged(X)):
        raise ValueError(
            "X must be a list of arrays of shape (n_channels, length), as it was in fit. Got "
            f"{type(X).__name__} instead."
        )
    if len(X) < n_least:
        raise ValueError(
            f"Found array with {len(X)} sample(s) while a minimum of {n_least} is required by "
            f"{type(estimator).__name__}."
        )
    series = [_numbers(one, i) for i, one in enumerate(X)]
    n_channels = layout[0] if layout else series[0].shape[0]
    for i, one in enumerate(series):
        if one.shape[0] != n_channels or one.shape[1] == 0:
            raise ValueError(
                f"All series must have the shape ({n_channels}, length), with a length of at "
                f"least 1. Got X[{i}] of shape {tuple(one.shape)}.{_advice(series, n_channels)}"
            )
    return series


def _advice(series, n_channels):
    """Say what to do with series whose steps stand where channels should."""
    widths = {one.shape[1] for one in series}
    if len(widths) == 1 and (n_channels in widths or widths.pop() < series[0].shape[0]):
        return " If they are (length, n_channels): give X=[series.T for series in X]."
    return ""


def _numbers(one, i):
    check_numbers(one, f"X[{i}]")
    if None in shape_of(one):
        lengths = sorted({len(channel) for channel in one})
        raise ValueError(
            "Each series must be an array of shape (n_channels, length), or of shape (length,). "
            f"Got X[{i}] with {len(one)} channels of {' and '.join(map(str, lengths))} steps. "
            "Make them equally long: NaN stands for a missing value."
        )
    try:
        values = as_tensor(as_numbers(one))
    except (TypeError, ValueError) as error:
        raise ValueError(f"X[{i}] must be an array of numbers. {error}") from error
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2:
        raise ValueError(
            "Each series must be an array of shape (n_channels, length), or of shape (length,). "
            f"Got X[{i}] of shape {tuple(values.shape)}."
        )
    if values.isinf().any():
        raise ValueError(f"Input X contains infinity: X[{i}]. NaN stands for a missing value.")
    return values
