"""Where the rows live, and how batches of them are drawn."""

import copy
import math

import numpy as np
import torch

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

    labels = None  # of all rows of `values`, where batches shall have them

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

    def _batch(self, inputs, index):
        """Return what ``forward`` is given of some rows: other kinds add to the inputs here."""
        if self.labels is None:
            return inputs
        return inputs, self.labels[index].to(self.device)

    def with_labels(self, labels):
        """Return the same rows with a label each, of which batches are pairs.

        Parameters
        ----------
        labels : torch.Tensor of shape (n,), int64
            On the CPU.
        """
        labeled = copy.copy(self)
        labeled.labels = labels
        return labeled

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
        return self[_evenly(len(self), n_rows)]

    def spread(self, n_rows):
        """Return at most ``n_rows`` of the rows, evenly spread, without copying them."""
        return self.subset(_evenly(len(self), min(n_rows, len(self))))

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
        for start, stop in bounds(n, batch_size, smallest):
            places = order[start:stop]
            yield self._batch(self._inputs(places), places)


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
        rest, places = torch.empty(0, *self.sample_shape, device=self.device), runs[0][:0]
        for together in torch.randperm(len(runs), generator=generator).split(_RUNS_TOGETHER):
            together = [runs[i] for i in together.sort().values]
            buffer = torch.cat([rest, *map(self.__getitem__, together)])
            places = torch.cat([places, *together])
            order = torch.randperm(len(buffer), generator=generator)
            # held back for the next buffer: the rows that fill no batch, and one batch
            # more, so that the last one of the pass is never too small
            n_ready = max(0, len(buffer) // batch_size - 1) * batch_size
            for start in range(0, n_ready, batch_size):
                chosen = order[start : start + batch_size]
                yield self._drawn(buffer, places, chosen)
            chosen = order[n_ready:]
            rest, places = buffer[chosen.to(self.device)], places[chosen]
        for start, stop in bounds(len(rest), batch_size, smallest):
            yield self._drawn(rest, places, torch.arange(start, stop))

    def _drawn(self, buffer, places, chosen):
        index = places[chosen]
        index = index if self.index is None else self.index[index]
        return self._batch(buffer[chosen.to(self.device)], index)


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
        batches = bounds(len(self.rows), self.batch_size, self.smallest)
        return [stop - start for start, stop in batches]

    def __iter__(self):
        return self.rows.draw(self.batch_size, self.generator, self.smallest)


def bounds(n, batch_size, smallest):
    """List (start, stop) of each batch; a last one that is too small joins the one before.

    Batch normalization has no variance to divide by in a batch of one row.
    """
    starts = list(range(0, n, batch_size))
    if len(starts) > 1 and n - starts[-1] < min(smallest, batch_size):
        starts.pop()
    return list(zip(starts, [*starts[1:], n]))


def chunk_rows(sample_shape):
    """Choose the number of rows of one chunk: large enough to be fast, small next to the data."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_VALUES // max(1, math.prod(sample_shape))))


def _evenly(n, n_rows):
    """List the positions of ``n_rows`` of ``n`` rows, evenly spread."""
    return torch.linspace(0, n - 1, n_rows, dtype=torch.float64).long()
