"""What displays are given: refused at the door, or read."""

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.decomposition import PCA

from skrepr import displays
from skrepr.displays import (
    EmbeddingDisplay,
    LatentTraversalDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

pytestmark = pytest.mark.usefixtures("figures")

NAN = float("nan")
STRING = ["other", "", 1, NAN, None, True, ["auto"], np.str_("Auto"), np.array(["auto"])]
WHOLE = [-1, 1.5, NAN, np.float32(2), float("inf"), True, np.True_, "3", [3], np.array([3])]
SEEDS = [*WHOLE, 2**32, np.random, np.random.default_rng(0)]
# Of each parameter, what is not one.
REFUSED = {
    "reduction": STRING,
    "color_by": STRING,
    "marker": STRING,
    "max_samples": [0, *WHOLE],
    "n_thumbnails": [None, *WHOLE],
    "density_from": [None, *WHOLE],
    "n_samples": [None, 0, *WHOLE],
    "n_steps": [None, 0, 1, *WHOLE],
    "row": WHOLE,
    "best_epoch": WHOLE,
    "random_state": SEEDS,
    "coverage": [0, -0.1, 1.01, np.float32(1.5), NAN, np.inf, None, True, "all", [0.5]],
    "log": [0, 1, NAN, None, "log", [True]],
    "ax": [0, True, "ax", NAN, [None], np.array([None, None])],
    "sample_shape": [12, NAN, "ab", (), (0, 3), (3.0, 4), (True, 12), (-1, -1), (1, 1, 3, 4)],
    "axis_names": ["ab", None, ("x",), ("x", 1), NAN],
    "history": [None, [], {"epoch": [1]}, NAN, pd.DataFrame({"train_loss": [1.0]})],
}
# Arrays, and what is read with them: tested where they are read.
ARRAYS = {
    *("X", "y", "Z", "x", "samples", "points", "reconstructions"),
    *("decoded", "values", "components"),
    *("rows", "scale", "center", "feature_names", "estimator", "self"),
}
HISTORY = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0]})


class NeverCalled:
    """An estimator that tells when something is computed before the door."""

    history_, best_epoch_ = HISTORY, 1
    fit = None

    def transform(self, X):
        raise AssertionError("computed before the arguments were checked")

    inverse_transform = transform


def call(cls, method, **arguments):
    Z = np.random.default_rng(0).normal(size=(30, 2))
    if method == "from_estimator":
        data = {} if cls is LossCurveDisplay else {"X": Z}
        return cls.from_estimator(NeverCalled(), **data, **arguments)
    if method == "from_embedding":
        return cls.from_embedding(Z, **arguments)
    given = {
        EmbeddingDisplay: {"points": Z},
        LatentTraversalDisplay: {"decoded": Z.reshape(2, 5, 6), "values": np.ones((2, 5))},
        LossCurveDisplay: {"history": HISTORY},
        ReconstructionDisplay: {"samples": Z, "reconstructions": Z},
    }[cls]
    if method == "__init__":
        return cls(**given | arguments).plot()
    return cls(**given).plot(**arguments)


CASES = [
    pytest.param(cls, method, name, id=f"{cls.__name__}.{method}({name})")
    for cls in (getattr(displays, name) for name in displays.__all__)
    if isinstance(cls, type)
    for method in ("__init__", "from_estimator", "from_embedding", "plot")
    if hasattr(cls, method)
    for name in inspect.signature(getattr(cls, method)).parameters
    if name not in ARRAYS
]


@pytest.mark.parametrize(("cls", "method", "name"), CASES)
def test_what_is_not_one_is_refused_before_anything_is_computed_or_drawn(cls, method, name):
    for value in REFUSED[name]:
        message = rf"(?s)The '{name}' parameter of {cls.__name__} must be .*\. Got .* instead\."
        with pytest.raises(ValueError, match=message):
            call(cls, method, **{name: value})
        assert not plt.get_fignums()


def test_numbers_and_strings_of_numpy_are_read():
    Z = np.random.default_rng(0).normal(size=(30, 4))
    display = EmbeddingDisplay.from_embedding(
        Z,
        reduction=np.str_("pca"),
        max_samples=np.uint8(20),
        samples=Z,
        sample_shape=[np.int64(2), np.int32(-1)],
        n_thumbnails=np.int16(3),
        coverage=np.float32(0.5),
        density_from=np.uint8(10),
        random_state=np.int64(3),
    )
    assert display.image_ is not None and len(display.thumbnail_rows_) and display.n_outside_
    assert len(display.thumbnails_[0]) == 2
    display = LossCurveDisplay(HISTORY, best_epoch=np.int64(1)).plot(log=np.True_)
    assert display.ax_.get_yscale() == "log"


@pytest.mark.parametrize(
    ("arguments", "exception", "message"),
    [
        ({"y": np.arange(29)}, ValueError, "inconsistent numbers of samples"),
        ({"y": 3}, TypeError, "Expected sequence or array-like"),
        ({"y": "a" * 30}, TypeError, "Expected sequence or array-like, got <class 'str'>"),
        ({"y": np.ones((30, 2))}, ValueError, "y should be a 1d array"),
        ({"y": ["a"] * 30, "color_by": "value"}, ValueError, "color_by='value' needs numbers"),
        ({"n_thumbnails": 2, "sample_shape": (7,)}, ValueError, "does not fit rows of shape"),
    ],
)
def test_data_that_cannot_be_drawn_are_told_before_the_transform(arguments, exception, message):
    with pytest.raises(exception, match=message):
        call(EmbeddingDisplay, "from_estimator", **arguments)


@pytest.mark.parametrize(
    ("width", "reduction"), [(1, "auto"), (2, "auto"), (2, "pca"), (4, "auto"), (4, "tsne")]
)
def test_without_a_seed_the_generator_of_numpy_stays(reduction, width):
    Z = np.random.default_rng(0).normal(size=(30, width))
    before = np.random.get_state()[1:3]  # noqa: NPY002
    for _ in range(2):
        EmbeddingDisplay.from_embedding(
            Z, reduction=reduction, random_state=None, max_samples=20, samples=Z, n_thumbnails=3
        )
    after = np.random.get_state()[1:3]  # noqa: NPY002
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1] == before[1]


def test_without_a_seed_every_draw_is_another(X):
    before = np.random.get_state()[1:3]  # noqa: NPY002
    many = np.tile(X, (20, 1))  # 1,200 rows, of which 1,000 are drawn
    pca = PCA(3).fit(X)
    drawn = [
        ReconstructionDisplay.from_estimator(pca, many, random_state=None).rows for _ in range(2)
    ]
    drawn_for_tsne = [
        EmbeddingDisplay.from_embedding(
            X, reduction="tsne", max_samples=10, random_state=None
        ).rows
        for _ in range(2)
    ]
    after = np.random.get_state()[1:3]  # noqa: NPY002
    np.testing.assert_array_equal(after[0], before[0])
    assert after[1] == before[1]
    assert (drawn[0] != drawn[1]).any() and (drawn_for_tsne[0] != drawn_for_tsne[1]).any()


class OnAnotherDevice:
    """A tensor that numpy cannot read where it is."""

    def __init__(self, tensor):
        self.tensor, self.shape = tensor, tensor.shape

    def __len__(self):
        return len(self.tensor)

    def __getitem__(self, rows):
        return OnAnotherDevice(self.tensor[rows])

    def __array__(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def element_size(self):
        return self.tensor.element_size()

    def detach(self):
        return self

    def cpu(self):
        return self.tensor.detach()


TENSORS = {
    "bf16": lambda values: torch.tensor(values, dtype=torch.bfloat16),
    "requires_grad": lambda values: torch.tensor(values, dtype=torch.float64, requires_grad=True),
    "on a device": lambda values: OnAnotherDevice(torch.tensor(values)),
    "negated view": lambda values: (
        torch.complex(
            torch.zeros(np.shape(values), dtype=torch.float64), -torch.tensor(values).double()
        )
        .conj()
        .imag
    ),
    "sparse": lambda values: torch.tensor(values).to_sparse(),
    "list": lambda values: [torch.tensor(row) for row in values],
    "list with gradients": lambda values: [
        torch.tensor(row, dtype=torch.float64, requires_grad=True) for row in values
    ],
}


@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_are_read_like_arrays(kind, X):
    tensor = TENSORS[kind]
    X = np.round(4 * X) / 4  # exact in eight bits or nearly so
    X = torch.tensor(X).bfloat16().double().numpy()
    y = (np.arange(60) % 7 - 3) / 2.0
    pca = PCA(2).fit(X)
    expected = EmbeddingDisplay.from_estimator(pca, X, y, n_thumbnails=4)
    from_x = EmbeddingDisplay.from_estimator(pca, tensor(X), tensor(y), n_thumbnails=4)
    np.testing.assert_allclose(from_x.points, expected.points, rtol=1e-4, atol=1e-4)
    Z = torch.tensor(expected.points).bfloat16().double().numpy()
    displays = [
        EmbeddingDisplay.from_embedding(Z, y, samples=X, n_thumbnails=4),
        EmbeddingDisplay.from_embedding(
            tensor(Z), tensor(y), samples=tensor(X), n_thumbnails=4, color_by="auto"
        ),
        EmbeddingDisplay(tensor(Z), y=tensor(y), samples=tensor(X)).plot(n_thumbnails=4),
    ]
    for display in displays:
        np.testing.assert_array_equal(display.scatters_[None].get_offsets(), Z)
        np.testing.assert_array_equal(display.scatters_[None].get_array(), y)
        assert len(display.thumbnail_rows_) > 1
        for row, (line,) in zip(display.thumbnail_rows_, display.thumbnails_, strict=True):
            assert np.corrcoef(line.get_ydata(), X[row])[0, 1] == pytest.approx(1)
    rebuilt = pca.inverse_transform(pca.transform(X))
    display = ReconstructionDisplay.from_estimator(pca, tensor(X), rows=torch.tensor([5]))
    # rows in a list are series of one channel
    np.testing.assert_array_equal(display.samples.ravel(), X[5])
    np.testing.assert_allclose(display.reconstructions.ravel(), rebuilt[5], rtol=1e-4, atol=1e-4)
    display = ReconstructionDisplay(tensor(X[:1]), tensor(X[:1]), x=tensor(np.arange(12.0)))
    (line,) = display.plot().artists_[0, 0]
    np.testing.assert_array_equal(line.get_data(), [np.arange(12), X[0]])


def test_tensors_stay_tensors_for_an_estimator_that_was_told_to_take_them(X):
    with config_context(array_api_dispatch=True):
        pca = PCA(3, svd_solver="full").fit(torch.tensor(X))
        assert isinstance(pca.transform(torch.tensor(X)), torch.Tensor)
        drawn = EmbeddingDisplay.from_estimator(pca, torch.tensor(X), n_thumbnails=2)
        rebuilt = ReconstructionDisplay.from_estimator(pca, torch.tensor(X), rows=[0])
    expected = PCA(3, svd_solver="full").fit(X)
    shown = EmbeddingDisplay.from_estimator(expected, X)
    np.testing.assert_allclose(np.abs(drawn.points), np.abs(shown.points))
    np.testing.assert_allclose(
        rebuilt.reconstructions, expected.inverse_transform(expected.transform(X[:1]))
    )


def test_masked_values_are_missing(X):
    masked = np.ma.array(X, mask=np.abs(X) > 5)
    display = ReconstructionDisplay(masked[:1], X[:1]).plot()
    heights = [bar.get_height() for bar in display.artists_[0, 0]]
    assert masked[0].mask.any()
    np.testing.assert_array_equal(heights, masked[0].filled(np.nan))
    with pytest.raises(ValueError, match="Input Z contains NaN"):
        EmbeddingDisplay.from_embedding(masked)
    for y in (np.arange(60) % 3, np.array(["a", "b", "c"])[np.arange(60) % 3], X[:, 0] > 0):
        display = EmbeddingDisplay.from_embedding(X, np.ma.array(y, mask=np.arange(60) < 5))
        assert len(display.scatters_["not known"].get_offsets()) == 5
        assert set(display.scatters_) == {*map(str, y), "not known"}
