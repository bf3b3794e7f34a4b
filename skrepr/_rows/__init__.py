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
``subset(index)``, ``spread(n_rows)``, ``split(n_held_out, generator)``
    Some of the rows, without copying them: given ones, or evenly spread; rows to train on and rows
    held out.
``range()``, ``solver_input(n_rows)``
    For estimators that ask for them: the least and the largest value; a matrix for a solver.

Drawing a batch is one indexing operation, never a loop over rows: on small networks that loop
costs more than the training.

``_kinds.py``
    The kinds of rows: in memory, sparse, in a file.
``_reading.py``, ``_libraries.py``
    From X as it is given to rows, and back to arrays of its library.
``_series.py``, ``_series_kind.py``
    Series of one length or of many, and their times; what else X may hold.
``_channels.py``
    What else than values the channels of series hold.
``_labels.py``
    Labels that go with the rows.
``_support.py``
    What only some methods ask of the values.
"""

from ._channels import Channels, NoValueError, common_length
from ._kinds import Batches, FileRows, Rows, SparseRows, chunk_rows
from ._labels import read_labels
from ._libraries import (
    as_array,
    as_numbers,
    as_result,
    as_tensor,
    float32_of,
    keeps_library,
    result_device,
)
from ._reading import read_chunks, read_rows, sample_shape_of
from ._series import RaggedRows, read_series, read_series_chunks, series_of
from ._series_kind import resolve_kind
from ._support import check_counts, check_unit_interval

__all__ = [
    "Batches",
    "Channels",
    "FileRows",
    "NoValueError",
    "RaggedRows",
    "Rows",
    "SparseRows",
    "as_array",
    "as_numbers",
    "as_result",
    "as_tensor",
    "check_counts",
    "check_unit_interval",
    "chunk_rows",
    "common_length",
    "float32_of",
    "keeps_library",
    "read_chunks",
    "read_labels",
    "read_rows",
    "read_series",
    "read_series_chunks",
    "resolve_kind",
    "result_device",
    "sample_shape_of",
    "series_of",
]
