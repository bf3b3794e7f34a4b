"""Series: of one length or of many, with even times or with their own."""

from functools import partial

import torch

from ._channels import check_channel, check_errors
from ._kinds import Rows, bounds, chunk_rows
from ._libraries import as_array, as_numbers
from ._reading import read_chunks, read_rows

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
        Number of channels, and the length by which blocks are sized.
    device : torch.device
        Where batches are wanted.
    index : torch.Tensor of int64, default=None
        The series that belong to this object; None: all of them.
    """

    def __len__(self):
        return len(self.values) if self.index is None else len(self.index)

    def _inputs(self, index):
        return padded([self.values[i] for i in index.tolist()]).to(self.device)

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


def is_ragged(X):
    """Whether X is a list of arrays of shape ``(n_channels, length)``, not one array."""
    return isinstance(X, (list, tuple)) and len(X) > 0 and getattr(X[0], "ndim", 0) == 2


def read_series(
    estimator, X, device, *, input_shape, time_channel, n_least, layout=None, ragged=False
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
    time_channel : int or None
        The channel that holds times.
    n_least : int
        Least number of rows.
    layout : tuple of int, default=None
        Shape that one row must have, if there was an earlier fit.
    ragged : bool, default=False
        Whether the earlier fit has seen series of any length.

    Returns
    -------
    rows : Rows
    layout : tuple of int
        Shape of one row of X as given; of series of different lengths, of the longest.
    """
    known = layout is not None
    if ragged if known else is_ragged(X):
        series = _read_ragged(X, n_least, layout, time_channel)
        layout = layout or (series[0].shape[0], max(one.shape[1] for one in series))
        return RaggedRows(series, layout, device), layout
    _check_axes(X, known)
    return read_rows(
        estimator,
        X,
        device,
        input_shape=_shape_in(X, input_shape),
        missing="mask",
        n_least=n_least,
        layout=layout,
        prepare=_preparation(time_channel),
    )


def read_series_chunks(estimator, X, *, sample_shape, time_channel, error_channel, layout, ragged):
    """Validate series and hand them out chunk by chunk.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like of shape (n, length) or (n, n_channels, length), or list of arrays of shape \
            (n_channels, length_i)
    sample_shape : tuple of int
        Shape of one sample as the network sees it.
    time_channel, error_channel : int or None
        The channels that hold times, and errors.
    layout : tuple of int
        Shape that one row must have.
    ragged : bool
        Whether series of any length are read.

    Returns
    -------
    n : int
    chunks : iterator of torch.Tensor of shape (B, n_channels, length), float32
    """
    if ragged:
        series, size = _read_ragged(X, 1, layout, time_channel), chunk_rows(sample_shape)
        starts = range(0, len(series), size)
        chunks = (padded(series[start : start + size]) for start in starts)
        return len(series), (check_errors(x, error_channel) for x in chunks)
    _check_axes(X, known=True)
    n, chunks = read_chunks(
        estimator,
        X,
        sample_shape=sample_shape,
        missing="mask",
        layout=layout,
        prepare=_preparation(time_channel),
    )
    return n, (check_errors(x, error_channel) for x in chunks)


def _check_axes(X, known):
    if is_ragged(X) and len({series.shape for series in X}) > 1:
        raise ValueError(
            "X must be an array: fit has seen one, in which all series have the same length. Got "
            "a list of series of different lengths. Fit on a list to read series of any length."
        )
    n_axes = len(getattr(as_array(X), "shape", ()))
    if n_axes > 3:
        raise ValueError(
            "X must be series: an array of shape (n_samples, length) or (n_samples, n_channels, "
            f"length), or a list of arrays (n_channels, length). Got an array of {n_axes} axes."
        )


def _shape_in(X, input_shape):
    """Read a row of a table as one series, unless told otherwise."""
    is_table = len(getattr(as_array(X), "shape", ())) == 2
    return (1, -1) if input_shape is None and is_table else input_shape


def _read_ragged(X, n_least, layout, time_channel):
    """Validate a list of series; return tensors of float32."""
    shape = getattr(X, "shape", None)
    if not (isinstance(X, (list, tuple)) or (shape is not None and len(shape) == 3)):
        raise ValueError(
            "X must be a list of arrays of shape (n_channels, length), as it was in fit. Got "
            f"{type(X).__name__} instead."
        )
    if len(X) < n_least:
        raise ValueError(
            f"Found array with {len(X)} sample(s) while a minimum of {n_least} is required."
        )
    n_channels = layout[0] if layout else None
    series = []
    for i, one in enumerate(X):
        values = _numbers(one, i)
        n_channels = n_channels or values.shape[0]
        if values.shape[0] != n_channels or values.shape[1] == 0:
            raise ValueError(
                f"All series must have the shape ({n_channels}, length), with a length of at "
                f"least 1. Got X[{i}] of shape {tuple(values.shape)}."
            )
        if time_channel is not None:
            values = from_first_time(values[None], time_channel)[0]
        series.append(_float32(values))
    return series


def _numbers(one, i):
    try:
        values = torch.from_numpy(as_numbers(one))
    except (TypeError, ValueError) as error:
        raise ValueError(f"X[{i}] must be an array of numbers. {error}") from error
    if values.ndim != 2:
        raise ValueError(
            f"Each series must be an array of shape (n_channels, length). Got X[{i}] of "
            f"shape {tuple(values.shape)}."
        )
    if values.isinf().any():
        raise ValueError(f"Input X contains infinity: X[{i}]. NaN stands for a missing value.")
    return values


def _float32(values):
    values = values.float()
    if values.isinf().any():
        raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
    return values


def _preparation(time_channel):
    if time_channel is None:
        return None
    return partial(_prepare, time_channel=time_channel)


def _prepare(values, time_channel):
    return _float32(from_first_time(values, time_channel))


def from_first_time(values, time_channel):
    """Subtract the first observed time of each row from its times, before they are float32.

    A Julian date in float32 is good to a quarter of a day only.

    Parameters
    ----------
    values : torch.Tensor of shape (n, n_channels, length), float64
    time_channel : int

    Returns
    -------
    values : torch.Tensor of shape (n, n_channels, length), float64
        A step without a time has no values either.
    """
    check_channel("time_channel", time_channel, values.shape[1])
    times = values[:, time_channel]  # (n, length)
    # behind a gap of the times stands the time before it
    so_far = times.nan_to_num(nan=-torch.inf).cummax(1).values
    if (times < so_far).any():
        row = int((times < so_far).any(1).nonzero()[0])
        raise ValueError(
            f"Times must not fall. Those of a series do (row {row} of its chunk, channel "
            f"{time_channel}): sort its steps by time."
        )
    first = times.nan_to_num(nan=torch.inf).amin(1)  # (n,)
    first = torch.where(first.isinf(), 0.0, first)
    values = torch.where(times.isnan()[:, None], torch.nan, values)
    values[:, time_channel] -= first[:, None]
    return values
