"""Every row is seen once per pass, wherever it lives and however it is drawn."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn import config_context

from skrepr import AutoencoderEmbedding, _rows
from skrepr._rows import (
    Batches,
    Channels,
    FileRows,
    Rows,
    SparseRows,
    as_array,
    as_result,
    check_counts,
    chunk_rows,
    common_length,
    keeps_library,
    read_chunks,
    read_labels,
    read_rows,
    read_series,
    read_series_chunks,
    sample_shape_of,
)
from skrepr.architectures import MLP

CPU = torch.device("cpu")
N, WIDTH = 97, 3


def table(n=N):
    """Rows that tell their own number."""
    return torch.arange(n * WIDTH, dtype=torch.float32).reshape(n, WIDTH)


def numbers(batches):
    """Return the numbers of the rows in the order in which they are drawn."""
    return [int(row) for batch in batches for row in (batch.reshape(len(batch), -1)[:, 0] / WIDTH)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def in_memory(n=N):
    return Rows(table(n), (WIDTH,), CPU)


def sparse(n=N):
    return SparseRows(scipy.sparse.csr_matrix(table(n).numpy()), (WIDTH,), CPU)


class Counting(np.memmap):
    """A memory map that notes how many rows are read at a time."""

    largest = 0

    def __getitem__(self, index):
        read = super().__getitem__(index)
        if isinstance(read, np.ndarray) and read.ndim == self.ndim:
            type(self).largest = max(type(self).largest, len(read))
        return read


@pytest.fixture
def in_file(tmp_path, monkeypatch):
    """Rows of a file in runs of 8, of which 2 are shuffled together."""
    monkeypatch.setattr("skrepr._rows._kinds._RUN_BYTES", 8 * 4 * WIDTH)
    monkeypatch.setattr("skrepr._rows._kinds._RUNS_TOGETHER", 2)
    monkeypatch.setattr(Counting, "largest", 0)

    def make(n=N):
        path = tmp_path / f"{n}.npy"
        np.save(path, table(n).numpy())
        return FileRows(np.lib.format.open_memmap(path, mode="r").view(Counting), (WIDTH,), CPU)

    return make


@pytest.fixture(params=["memory", "sparse", "file"])
def make_rows(request, in_file):
    return {"memory": in_memory, "sparse": sparse, "file": in_file}[request.param]


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 32, 33, N])
@pytest.mark.parametrize("batch_size", [1, 2, 16, 200])
def test_each_row_once_per_pass(make_rows, n, batch_size, shuffled):
    rows = make_rows(n)
    batches = rows.batches(batch_size, generator() if shuffled else None)
    for _ in range(2):
        drawn = list(batches)
        assert sorted(numbers(drawn)) == list(range(n))
        sizes = [len(batch) for batch in drawn]
        assert len(batches) == len(sizes)
        assert all(batch.dtype == torch.float32 and batch.shape[1:] == (WIDTH,) for batch in drawn)
        # full batches, and a last one that is never a single row
        assert all(size == batch_size for size in sizes[:-1])
        if batch_size > 1 and n > 1:
            assert 2 <= sizes[-1] <= batch_size + 1
        assert sizes[-1] <= batch_size or (n - 1) % batch_size == 0
        if not shuffled:
            assert numbers(drawn) == list(range(n))


def test_passes_are_shuffled_anew_and_reproducibly(make_rows):
    rows = make_rows()
    batches = rows.batches(16, generator())
    first, second = numbers(batches), numbers(batches)
    assert first != second
    assert first != sorted(first)
    again = rows.batches(16, generator())
    assert [numbers(again), numbers(again)] == [first, second]
    assert numbers(rows.batches(16, generator(1))) != first


def test_order_is_a_permutation_of_torch():
    assert (
        numbers(in_memory().batches(16, generator()))
        == torch.randperm(N, generator=generator()).tolist()
    )
    assert numbers(sparse().batches(16, generator())) == numbers(
        in_memory().batches(16, generator())
    )


def test_subset_and_split(make_rows):
    rows = make_rows()
    train, held_out = rows.split(20, generator())
    assert (len(train), len(held_out)) == (N - 20, 20)
    parts = [numbers(part.batches(16)) for part in (train, held_out)]
    assert sorted(parts[0] + parts[1]) == list(range(N))
    # each part in the order of the rows, so that files are read forwards
    assert all(part == sorted(part) for part in parts)
    assert parts[1] != list(range(N - 20, N))
    assert sorted(numbers(train.batches(16, generator()))) == parts[0]
    inner = train.subset(torch.tensor([5, 0, 7]))
    assert type(inner) is type(rows)
    assert numbers(inner.batches(2)) == [parts[0][i] for i in (5, 0, 7)]
    assert numbers([train[torch.tensor([1, 1])]]) == [parts[0][1]] * 2


def test_split_is_drawn_by_the_generator(make_rows):
    rows = make_rows()
    one, two, other = (
        numbers(rows.split(20, generator(seed))[1].batches(50)) for seed in (0, 0, 1)
    )
    assert one == two != other


def test_sample_is_evenly_spread(make_rows):
    rows = make_rows()
    assert numbers([rows.sample(5)]) == [0, 24, 48, 72, 96]
    assert numbers([rows.sample(10**6)]) == list(range(N))


def test_solver_input(make_rows):
    rows = make_rows().subset(torch.arange(10, 20))
    matrix = rows.solver_input(100)
    matrix = matrix.toarray() if scipy.sparse.issparse(matrix) else matrix
    np.testing.assert_array_equal(matrix, table().numpy()[10:20])


def test_solver_input_has_means_for_missing_values():
    values = torch.tensor([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    matrix = Rows(values, (2,), CPU).solver_input(10)
    np.testing.assert_array_equal(matrix, [[1, 0], [3, 0], [2, 0]])


def test_sample_shape(make_rows):
    rows = make_rows()
    rows.sample_shape = (1, WIDTH, 1)
    batch = next(iter(rows.batches(16)))
    assert batch.shape == (16, 1, WIDTH, 1)
    shuffled = next(iter(rows.batches(16, generator())))
    assert shuffled.shape == (16, 1, WIDTH, 1)


@pytest.mark.parametrize("shuffled", [False, True])
def test_sparse_equals_dense(shuffled):
    dense = table() * (torch.rand(N, WIDTH, generator=generator()) < 0.3)
    matrix = scipy.sparse.csr_matrix(dense.numpy().astype(np.float64))
    for one, other in zip(
        Rows(dense, (WIDTH,), CPU).batches(16, generator() if shuffled else None),
        SparseRows(matrix, (WIDTH,), CPU).batches(16, generator() if shuffled else None),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_batches_have_a_length_without_being_drawn():
    assert [len(Batches(in_memory(n), 16)) for n in (1, 16, 17, 18, 32, 33, 34)] == [
        1,
        1,
        1,
        2,
        2,
        2,
        3,
    ]


# ------------------------------------------------------------------------------- files


def test_file_is_read_in_parts(in_file):
    rows = in_file()
    drawn = numbers(rows.batches(16, generator()))
    assert sorted(drawn) == list(range(N))
    assert Counting.largest == 8
    assert numbers(rows.batches(16)) == list(range(N))
    assert Counting.largest == 17


def test_file_is_shuffled_over_runs_and_within(in_file):
    drawn = numbers(in_file(800).batches(16, generator()))
    neighbors = np.abs(np.diff(drawn)) == 1
    assert neighbors.mean() < 0.2
    # the runs of 8 rows are not visited in order
    visited = list(dict.fromkeys(number // 8 for number in drawn))
    assert np.abs(np.corrcoef(visited, np.arange(100))[0, 1]) < 0.3


@pytest.mark.parametrize("batch_size", [8, 16, 40, 90])
def test_batches_larger_than_the_buffer(in_file, batch_size):
    batches = in_file().batches(batch_size, generator())
    drawn = list(batches)
    assert sorted(numbers(drawn)) == list(range(N))
    assert len(drawn) == len(batches)
    assert min(map(len, drawn)) > 1


@pytest.fixture
def file_of_a_plane(tmp_path, monkeypatch):
    """A file of 600 rows in a plane, larger than what may be read at once."""
    monkeypatch.setattr("skrepr._rows._reading._LARGEST_IN_MEMORY", 1000)
    monkeypatch.setattr("skrepr._rows._kinds._RUN_BYTES", 4 * 6 * 25)
    monkeypatch.setattr("skrepr._rows._kinds._RUNS_TOGETHER", 4)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 64)
    monkeypatch.setattr(Counting, "largest", 0)
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(600, 2)) @ rng.normal(size=(2, 6)) + 5).astype(np.float32)
    file = np.memmap(tmp_path / "plane", dtype=np.float32, mode="w+", shape=X.shape)
    file[:] = X
    file.flush()
    return np.memmap(tmp_path / "plane", dtype=np.float32, mode="r", shape=X.shape)


def embedding(**parameters):
    settings = {"architecture": MLP((8,)), "max_epochs": 3, "batch_size": 32}
    return AutoencoderEmbedding(2, random_state=0, device="cpu", **settings | parameters)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_estimator_learns_from_a_file(file_of_a_plane, early_stopping):
    X = np.array(file_of_a_plane)
    estimator = embedding(early_stopping=early_stopping).fit(file_of_a_plane)
    assert estimator.score(X) > -1e-2 * X.var(axis=0).mean()
    assert estimator.n_features_in_ == 6
    np.testing.assert_array_equal(estimator.transform(file_of_a_plane), estimator.transform(X))
    again = embedding(early_stopping=early_stopping).fit(file_of_a_plane)
    np.testing.assert_array_equal(again.transform(X), estimator.transform(X))


def test_estimator_never_reads_a_file_as_a_whole(file_of_a_plane, monkeypatch):
    read = []
    original = FileRows._take
    monkeypatch.setattr(
        FileRows, "_take", lambda rows, index: read.append(len(index)) or original(rows, index)
    )
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 6 * 64)
    embedding(max_epochs=1, early_stopping=False).fit(file_of_a_plane)
    passes = [size for size in read if size <= 64]
    assert sum(passes) >= 3 * 600  # statistics, training, readout
    # a sample of a bounded number of rows describes the result
    assert all(size <= 64 or size in (512, 600) for size in read)
    assert isinstance(
        _rows.read_rows(
            embedding(), file_of_a_plane, CPU, input_shape=None, missing="error", n_least=2
        )[0],
        FileRows,
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_file_is_checked_to_its_end(file_of_a_plane, value):
    broken = np.memmap(file_of_a_plane.filename, dtype=np.float32, mode="r+", shape=(600, 6))
    broken[-1, -1] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        embedding().fit(broken)


# ------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize(
    ("layout", "input_shape", "expected"),
    [
        ((12,), None, (12,)),
        ((12,), (1, -1), (1, 12)),
        ((12,), (3, 2, -1), (3, 2, 2)),
        ((12,), (3, 4), (3, 4)),
        ((3, 4), (3, -1), (3, 4)),
        ((3, 4), None, (3, 4)),
    ],
)
def test_sample_shape_of(layout, input_shape, expected):
    assert sample_shape_of(layout, input_shape) == expected


@pytest.mark.parametrize(
    ("layout", "input_shape"), [((12,), (5, -1)), ((12,), (3, 5)), ((3, 4), (4, 3))]
)
def test_sample_shape_that_does_not_fit(layout, input_shape):
    with pytest.raises(ValueError, match="does not fit samples of shape"):
        sample_shape_of(layout, input_shape)


@pytest.mark.parametrize("sample_shape", [(1,), (64,), (784,), (3, 224, 224), (10**7,)])
def test_chunks_are_small_beside_the_data(sample_shape):
    n = chunk_rows(sample_shape)
    assert 1 <= n <= 4096
    assert n == 1 or n * np.prod(sample_shape) * 4 <= 8 * 2**20


def test_blocks_are_the_rows_in_order(monkeypatch):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 60)
    X = np.random.default_rng(0).normal(size=(33, 2, 3)).astype(np.float32)
    parts = list(Rows(torch.from_numpy(X), (2, 3), torch.device("cpu")).blocks())
    assert [len(part) for part in parts] == [10, 10, 10, 3]
    np.testing.assert_array_equal(torch.cat(parts), X)


def test_range_is_that_of_the_observed_values(monkeypatch):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 12)
    X = np.random.default_rng(0).normal(size=(33, 6)).astype(np.float32)
    X[:3] = np.nan
    rows = Rows(torch.from_numpy(X), (6,), torch.device("cpu"))
    assert rows.range() == (np.nanmin(X), np.nanmax(X))


# ------------------------------------------------------------- arrays of other libraries


@pytest.mark.parametrize("dispatch", [False, True])
def test_a_tensor_is_read_without_a_copy(dispatch):
    T = table().requires_grad_()
    with config_context(array_api_dispatch=dispatch):
        read = as_array(T)
    assert isinstance(read, torch.Tensor if dispatch else np.ndarray)
    np.testing.assert_array_equal(read, T.detach())
    T.detach()[0, 0] = -1
    assert read[0, 0] == -1


def test_what_keeps_its_library():
    tensor = table()
    others = (tensor.numpy(), tensor.tolist(), np.float64(3), 3, np.ma.masked_array([3.0]), None)
    assert not keeps_library(tensor)
    with config_context(array_api_dispatch=True):
        assert keeps_library(tensor)
        assert not any(map(keeps_library, others))
        assert as_result(tensor, tensor) is tensor
        assert isinstance(as_result(tensor, others[0]), np.ndarray)
    assert isinstance(as_result(tensor, tensor), np.ndarray)


def test_rows_are_those_of_the_tensor_itself():
    T = table()
    with config_context(array_api_dispatch=True):
        rows, layout = read_rows(
            AutoencoderEmbedding(), T, CPU, input_shape=None, missing="error", n_least=2
        )
    assert layout == (WIDTH,)
    assert rows.values.data_ptr() == T.data_ptr()


def test_labels_go_with_their_rows_wherever_these_live(make_rows):
    labels = torch.arange(N) + 1000
    rows = make_rows(N).with_labels(labels)
    half = torch.arange(1, N, 2)
    for part, expected in ((rows, torch.arange(N)), (rows.subset(half), half)):
        for chance in (None, generator()):
            drawn = list(part.batches(16, chance))
            seen = torch.tensor(numbers(x for x, _ in drawn))
            assert torch.equal(torch.cat([y for _, y in drawn]), labels[seen])
            assert torch.equal(seen.sort().values, expected)
    train, held_out = rows.split(30, generator())
    for part in (train, held_out):
        assert all(torch.equal(labels[numbers([x])], y) for x, y in part.batches(8))
    # everything else is given inputs only
    assert rows.sample(3).shape == (3, WIDTH)
    assert sum(map(len, rows.blocks())) == N


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([3, 1, 3, -1], [0, 1, 0, -1]),
        (np.array([3, 1, 3, -1], dtype=np.int8), [0, 1, 0, -1]),
        (np.array([3.0, 1.0, 3.0, -1.0]), [0, 1, 0, -1]),
        ([True, False, True, True], [0, 1, 0, 0]),
        (["b", "a", "b", "-1"], [0, 1, 0, 2]),
        (np.array(["b", None, "b", "c"], dtype=object), [0, -1, 0, 1]),
        (["b", "a", "b", -1], [0, 1, 0, -1]),
        (np.array(["b", "a", "b", -1], dtype=object), [0, 1, 0, -1]),
        (np.array([3, 1, 3, -1], dtype=object), [0, 1, 0, -1]),
        (pd.Series(["b", "a", "b", None], dtype="category"), [0, 1, 0, -1]),
        (pd.Series(["b", "a", "b", -1], dtype=object).astype("category"), [0, 1, 0, -1]),
        (pd.Series([3, 1, 3, -1]), [0, 1, 0, -1]),
        (torch.tensor([3, 1, 3, -1]), [0, 1, 0, -1]),
    ],
)
def test_labels_of_any_type_are_read(y, expected):
    labels = read_labels(AutoencoderEmbedding(), y, 4)
    assert labels.dtype == torch.int64
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (None, "requires y to be passed, but the target y is None"),
        ([0.5, 1.25, 2.0, 3.0], "continuous.*KBinsDiscretizer"),
        (np.array([0.5, 1.25, 2.0, 3.0], dtype=object), "continuous.*KBinsDiscretizer"),
        ([0, 1, 0], "inconsistent numbers of samples"),
        (np.eye(4), "1d array"),
    ],
)
def test_what_are_no_labels_is_told(y, told):
    with pytest.raises(ValueError, match=told):
        read_labels(AutoencoderEmbedding(), y, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tensors_of_any_kind_are_read(dtype):
    X = torch.arange(6.0).reshape(3, 2).to(dtype)
    expected = X.float().numpy()
    gradients = X.clone().requires_grad_()
    for same in (X, gradients, list(gradients), torch._neg_view(-X)):
        np.testing.assert_array_equal(_rows.as_array(same), expected)


def test_a_second_array_has_its_own_name_and_leaves_the_estimator_alone():
    estimator = AutoencoderEmbedding().fit(np.eye(9, 4))
    how = {"missing": "error", "name": "spectra"}
    reading = {"input_shape": None, "n_least": 2}
    rows, layout = read_rows(estimator, np.eye(5, 7), CPU, **how, **reading)
    assert layout == (7,) and rows.sample_shape == (7,) and estimator.n_features_in_ == 4
    n, chunks = read_chunks(estimator, np.eye(3, 7), sample_shape=(7,), layout=(7,), **how)
    assert n == sum(map(len, chunks)) == 3
    with pytest.raises(ValueError, match="spectra must have the shape"):
        read_chunks(estimator, np.eye(3, 4), sample_shape=(7,), layout=(7,), **how)
    with pytest.raises(ValueError, match="Input spectra contains NaN"):
        read_rows(estimator, np.full((5, 7), np.nan), CPU, **how, **reading)
    with pytest.raises(ValueError, match="Columns of spectra that hold no numbers: 'b'"):
        read_rows(estimator, pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), CPU, **how, **reading)
    assert estimator.n_features_in_ == 4 and not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize(("value", "told"), [(-1.0, "-1"), (2.5, "2.5"), (0.999, "0.999")])
def test_what_is_no_count_is_told_wherever_it_stands(kind, value, told, monkeypatch):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 10)
    X = np.arange(90.0).reshape(30, 3)
    cls = SparseRows if kind is not np.asarray else Rows

    def as_rows(X):
        values = kind(X.astype(np.float32))
        return cls(values if cls is SparseRows else torch.from_numpy(values), (3,), CPU)

    check_counts(as_rows(X), "this")
    X[5, 1] = np.nan
    check_counts(as_rows(X), "this")
    X[25, 2] = value
    with pytest.raises(ValueError, match=f"this needs counts: .* Got {told} among"):
        check_counts(as_rows(X), "this")


# ------------------------------------------------------------------- series


LENGTHS = np.random.default_rng(0).integers(1, 40, size=N)
RAGGED = [np.full((2, length), float(number)) for number, length in enumerate(LENGTHS)]


class Estimator:
    """Somebody whom messages speak of."""


SETTINGS = {
    "sample_shape": (2, 39),
    "channels": Channels(),
    "bands": None,
    "layout": (2, 39),
    "ragged": True,
}


def series_rows(X=RAGGED, **parameters):
    settings = {"input_shape": None, "channels": Channels(), "n_least": 2} | parameters
    return read_series(Estimator(), X, CPU, **settings)[:2]


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 16, 200])
def test_each_series_once_per_pass_and_padded_to_the_longest(batch_size, shuffled):
    rows, layout = series_rows()
    assert layout == (2, max(LENGTHS))
    batches = rows.batches(batch_size, generator() if shuffled else None)
    for _ in range(2):
        seen = []
        for batch in batches:
            assert not batch[..., -1].isnan().all()  # no longer than it must be
            for series in batch:
                number = int(series[0, 0])
                seen.append(number)
                assert torch.equal((~series.isnan()).sum(1), torch.tensor([LENGTHS[number]] * 2))
        assert sorted(seen) == list(range(N))
        assert shuffled or seen == list(range(N))


def test_series_of_similar_length_share_a_batch():
    rows, _ = series_rows()
    padding = [batch.isnan().float().mean() for batch in rows.batches(8, generator())]
    in_order = [batch.isnan().float().mean() for batch in rows.batches(8)]
    assert np.mean(padding) < 0.5 * np.mean(in_order)
    first, second = ([int(b[0, 0, 0]) for b in rows.batches(8, generator(s))] for s in (0, 1))
    assert first != second


def test_subsets_and_samples_of_series():
    rows, _ = series_rows()
    train, held_out = rows.split(10, generator())
    numbers_of = [int(row[0, 0]) for part in (train, held_out) for row in part.sample(N)]
    assert sorted(numbers_of) == list(range(N))
    drawn = [int(row[0, 0]) for batch in held_out.batches(4, generator()) for row in batch]
    assert sorted(drawn) == sorted(numbers_of[-10:])
    assert torch.equal(
        torch.cat(list(rows.subset(torch.tensor([3])).blocks()))[0, 0, :1], torch.tensor([3.0])
    )


def test_a_table_is_read_as_series_of_one_channel():
    class Checked(AutoencoderEmbedding):
        pass

    X = np.ones((5, 7))
    X[0, 2] = np.nan
    for given, shape in ((X, None), (X[:, None], None), (X, (1, 7)), (X, (1, -1))):
        rows, layout, _ = read_series(
            Checked(), given, CPU, input_shape=shape, channels=Channels(), n_least=2
        )
        assert rows.sample_shape == (1, 7)
        assert layout == given.shape[1:]
        assert rows.sample(5).isnan().sum() == 1


def test_times_keep_their_digits():
    """A Julian date in float32 is good to a quarter of a day only."""
    times = 2_460_000.5 + np.cumsum(np.full(50, 1e-3))
    curve = np.stack([np.arange(50.0), times])
    curve[1, :2] = np.nan
    array, *_ = read_series(
        AutoencoderEmbedding(),
        np.stack([curve] * 2),
        CPU,
        input_shape=None,
        channels=Channels(1),
        n_least=2,
    )
    ragged, _ = series_rows([curve, curve[:, :9]], channels=Channels(1))
    for rows in (array, ragged):
        first = rows[torch.tensor([0])][0]
        np.testing.assert_allclose(first[1, 2:], 1e-3 * np.arange(48), atol=1e-6)
        assert first[:, :2].isnan().all()  # without a time there is no value either
        assert first[0, 2] == 2


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.ones((2, 3))], "1 sample.* minimum of 2"),
        ([np.ones((2, 3)), np.ones((3, 3))], r"shape \(2, length\).*X\[1\] of shape \(3, 3\)"),
        ([np.ones((2, 3)), np.ones((2, 0))], r"length of at least 1.*X\[1\]"),
        ([np.ones((2, 3)), np.ones(3)], r"X\[1\] of shape \(1, 3\)"),
        ([np.ones((2, 3)), np.ones((2, 3, 1))], r"X\[1\] of shape \(2, 3, 1\)"),
        ([np.ones((9, 2)), np.ones((7, 2))], r"give X=\[series.T for series in X\]"),
        ([np.ones((2, 3)), np.ones((2, 3)) * 1j], "X\\[1\\] holds complex numbers"),
        (np.ones((3, 4)) * 1j, "Complex data not supported"),
        ([np.ones((2, 3)), np.ma.ones((2, 3))], r"X\[1\].filled\(np.nan\)"),
        (np.ma.ones((4, 3)), r"X.filled\(np.nan\)"),
        ([np.ma.ones(3), np.ma.ones(3)], "The mask of a masked array would be lost"),
        ([np.ones((2, 3)), np.full((2, 3), np.inf)], r"infinity: X\[1\]"),
        ([np.ones((2, 3)), np.full((2, 3), 1e300)], "too large for dtype"),
        ([np.ones((2, 3)), np.full((2, 3), "a")], r"X\[1\] must be an array of numbers"),
        (np.ones((3, 1, 2, 2)), "Got an array of 4 axes"),
    ],
)
def test_bad_series_are_told(X, message):
    with pytest.raises(ValueError, match=message):
        series_rows(X)


@pytest.mark.parametrize("as_array", [True, False])
def test_falling_times_are_told(as_array, monkeypatch):
    good, bad = np.arange(8.0).reshape(2, 4), np.arange(8.0)[::-1].reshape(2, 4)
    X = np.stack([good] * 5 + [bad]) if as_array else [good] * 5 + [bad]
    message = r"Times must not fall. Those of X\[5\] do"
    of_time = {"channels": Channels(0)}
    with pytest.raises(ValueError, match=message):
        read_series(AutoencoderEmbedding(), X, CPU, input_shape=None, n_least=2, **of_time)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 2)
    settings = SETTINGS | of_time | {"layout": (2, 4), "sample_shape": (2, 4)}
    settings["ragged"] = not as_array
    embedding = AutoencoderEmbedding()
    embedding.n_features_in_ = 2
    with pytest.raises(ValueError, match=message):
        list(read_series_chunks(embedding, X, **settings)[1])


def test_series_of_one_axis_and_arrays_of_objects():
    curves = [np.arange(float(length)) for length in (4, 7, 5)]
    objects = np.empty(3, dtype=object)
    objects[:] = curves
    of_objects = [curve.astype(object) for curve in curves]
    of_objects[1][2] = None
    for X in (curves, objects, of_objects, [curve.tolist() for curve in curves]):
        rows, layout = series_rows(X)
        assert layout == (1, 7)
        assert [series.shape for series in rows.values] == [(1, 4), (1, 7), (1, 5)]
        assert rows.values[1][0, 3] == 3
    assert rows.values[1][0, 2] == 2
    assert series_rows(of_objects)[0].values[1][0, 2].isnan()


def test_bands_keep_their_digits():
    """Numbers of float32 cannot tell these apart."""
    bands = np.array([2**24, 2**24 + 1, 2**24 + 2, 2**24 + 1, np.nan], dtype=float)
    X = np.stack([np.stack([np.arange(5.0), bands])] * 3)
    settings = {"input_shape": None, "channels": Channels(band_channel=1), "n_least": 2}
    for of in (X, list(X), [X[0], X[1, :, :3]]):
        rows, _, found = read_series(AutoencoderEmbedding(), of, CPU, **settings)
        assert found.tolist() == [2**24, 2**24 + 1, 2**24 + 2]
        np.testing.assert_equal(rows.sample(1)[0, 1].numpy(), [0, 1, 2, 1, np.nan])
        _, chunks = read_series_chunks(
            Estimator(),
            of,
            **SETTINGS | {"channels": settings["channels"], "bands": found[1:]},
        )
        first = next(iter(chunks))[0, 1, :5].numpy()
        np.testing.assert_equal(first, [-1, 0, 1, 0, np.nan])


def test_input_shape_is_for_tables():
    with pytest.raises(ValueError, match=r"input_shape=.* Leave it at None"):
        series_rows(input_shape=(1, -1))


def test_chunks_are_as_long_as_their_longest_series(monkeypatch):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 2 * 100)
    series = [np.full((2, length), 1.0) for length in (5, 5, 5, 90, 5, 40, 40, 40, 300, 5)]
    _, chunks = read_series_chunks(Estimator(), series, **SETTINGS | {"ragged": True})
    assert [tuple(chunk.shape) for chunk in chunks] == [
        (3, 2, 5),
        (1, 2, 90),
        (2, 2, 40),
        (2, 2, 40),
        (1, 2, 300),
        (1, 2, 5),
    ]
    rows, _ = series_rows(series)
    assert [len(block) for block in rows.blocks()] == [3, 1, 2, 2, 1, 1]
    short = rows.subset(torch.arange(3))
    monkeypatch.setattr("skrepr._rows._kinds._SAMPLE_VALUES", 40)
    assert short.sample(9).shape == (3, 2, 5)
    assert rows.sample(9).shape[0] == 2


def test_the_common_length_is_the_upper_quartile_of_what_is_observed():
    X = [np.full((2, length), 1.0) for length in (3, 4, 5, 6, 90)]
    X[3] = np.pad(X[3], ((0, 0), (2, 5)), constant_values=np.nan)
    rows, _ = series_rows(X)
    assert common_length(rows, Channels()) == 6
    X[2][0] = np.nan  # times alone are no values
    assert common_length(series_rows(X)[0], Channels(1)) == 90
    assert common_length(series_rows(X[:3])[0], Channels(1)) == 4
    with pytest.raises(ValueError, match="X holds no value"):
        common_length(series_rows([np.full((1, 4), np.nan)] * 3)[0], Channels())


def test_what_was_fitted_to_a_list_reads_lists_and_arrays(monkeypatch):
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 10)
    n, chunks = read_series_chunks(Estimator(), RAGGED, **SETTINGS)
    chunks = list(chunks)
    assert n == N
    assert [len(chunk) for chunk in chunks] == [10] * 9 + [7]
    assert [int(row[0, 0]) for chunk in chunks for row in chunk] == list(range(N))
    n, chunks = read_series_chunks(Estimator(), np.ones((3, 2, 90)), **SETTINGS)
    assert next(iter(chunks)).shape == (3, 2, 90)
    for bad in (np.ones((3, 5)), np.ones((3, 1, 5)), RAGGED[0][0]):
        with pytest.raises(ValueError, match="must"):
            read_series_chunks(Estimator(), bad, **SETTINGS)


def test_what_was_fitted_to_an_array_does_not_read_lists():
    with pytest.raises(ValueError, match="Fit on a list to read series of any length"):
        read_series_chunks(AutoencoderEmbedding(), RAGGED, **SETTINGS | {"ragged": False})
