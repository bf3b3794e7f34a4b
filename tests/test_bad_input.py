"""What is asked wrongly is told before any training, and loses nothing.

Next to it stands what looks odd and has to work.
"""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import EpochTimer
from torch import nn

from skrepr import AutoencoderEmbedding, _training
from skrepr.architectures import MLP, ConvNet, Linear
from skrepr.augmentations import FeatureDropout, GaussianNoise

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype(np.float32)
SERIES = RNG.normal(size=(40, 2, 9)).astype(np.float32)
SMALL = {"n_components": 2, "architecture": MLP((8,)), "max_epochs": 2, "random_state": 0}


def make(**parameters):
    return AutoencoderEmbedding(**SMALL | parameters)


def with_value(value, row=3):
    changed = X.astype(np.float64)
    changed[row, 1] = value
    return changed


class NotATensor(nn.Module):
    def forward(self, x):
        return [x]


class OneNumber(nn.Module):
    def forward(self, x):
        return x.sum()


def network(n_inputs, n_outputs):
    return nn.Sequential(nn.Linear(n_inputs, n_outputs))


# Each line: X, the exception, and the start of what it says.
BAD_X = {
    "text in a data frame": (
        pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(kind="low"),
        ValueError,
        "could not convert.*hold no numbers: 'kind'.*ColumnTransformer.*TableVectorizer",
    ),
    "text in a polars data frame": (
        pl.DataFrame(X[:, :2], schema=["a", "b"]).with_columns(kind=pl.lit("low")),
        ValueError,
        "hold no numbers: 'kind'.*ColumnTransformer.*TableVectorizer",
    ),
    "many columns of text": (
        pd.DataFrame(np.full((len(X), 9), "z"), columns=list("abcdefghi")),
        ValueError,
        "hold no numbers: 'a', 'b', 'c', 'd', 'e'. Turn",
    ),
    "both infinities": (
        np.where(np.arange(X.size).reshape(X.shape) % 2, np.inf, -np.inf),
        ValueError,
        "infinity",
    ),
    "0-d": (np.float32(1), ValueError, "Expected 2D array, got scalar array"),
    "1-d": (X[0], ValueError, "Expected 2D array, got 1D array"),
    "1-d list": ([1.0, 2.0], ValueError, "Expected 2D array, got 1D array"),
    "series of pandas": (pd.Series([1.0, 2.0]), ValueError, "Expected a 2-dimensional container"),
    "None": (None, ValueError, "Expected 2D array, got scalar array"),
    "empty list": ([], ValueError, "Expected 2D array, got 1D array"),
    "no rows": (X[:0], ValueError, "Found array with 0 sample"),
    "no columns": (X[:, :0], ValueError, r"Found array with 0 feature\(s\)"),
    "no steps": (SERIES[:, :, :0], ValueError, r"at least one value. Got \(n_samples, 2, 0\)"),
    "one row": (X[:1], ValueError, "Found array with 1 sample.*minimum of 2 is required"),
    "one sparse row": (scipy.sparse.csr_array(X[:1]), ValueError, "Found array with 1 sample"),
    "NaN": (with_value(np.nan), ValueError, "Input X contains NaN"),
    "NaN in a frame": (pd.DataFrame(with_value(np.nan)), ValueError, "Input X contains NaN"),
    "NaN in a tensor": (torch.tensor(with_value(np.nan)), ValueError, "Input X contains NaN"),
    "sparse NaN": (scipy.sparse.csr_array(with_value(np.nan)), ValueError, "Input X contains NaN"),
    "inf": (with_value(np.inf), ValueError, "Input X contains infinity"),
    "minus inf": (with_value(-np.inf), ValueError, "Input X contains infinity"),
    "beyond float32": (with_value(1e39), ValueError, "infinity or a value too large for dtype"),
    "integers beyond float32": (
        [[10**39, 1], [2, 3]],
        ValueError,
        "infinity or a value too large for dtype",
    ),
    "complex": (X * 1j, ValueError, "Complex data not supported"),
    "texts": (np.array([["one", "two"]] * 9), ValueError, "could not convert string.*'one'"),
    "objects of text": (
        np.array([["one", "two"]] * 9, dtype=object),
        ValueError,
        "could not convert string.*'one'",
    ),
    "objects of dicts": (
        np.array([[{"a": 1}, 2]] * 9, dtype=object),
        TypeError,
        "argument must be .* string.* number.*dict",
    ),
    "ragged lists": ([[1.0, 2.0], [1.0]], ValueError, "inhomogeneous shape"),
    "dict": ({"a": [1, 2]}, TypeError, "argument must be .*number.*dict"),
    "text column": (pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), ValueError, "'x'"),
    "mixed column names": (
        pd.DataFrame(np.ones((3, 2)), columns=["a", 1]),
        TypeError,
        "Feature names are only supported if all input features have string names",
    ),
}
# Each line: parameters, X, the exception, and a pattern with the parameter and the value.
BAD_PARAMETERS = [
    ({"n_components": 0}, X, ValueError, "'n_components' parameter .* Got 0 instead"),
    ({"n_components": -1}, X, ValueError, "'n_components' parameter .* Got -1 instead"),
    ({"n_components": 2.5}, X, ValueError, "'n_components' parameter .* Got 2.5 instead"),
    ({"n_components": True}, X, ValueError, "'n_components' parameter .* Got True instead"),
    ({"max_epochs": True}, X, ValueError, "'max_epochs' parameter .* Got True instead"),
    ({"patience": np.True_}, X, ValueError, "'patience' parameter .* Got .*True.* instead"),
    ({"learning_rate": True}, X, ValueError, "'learning_rate' parameter .* Got True instead"),
    ({"sparsity": False}, X, ValueError, "'sparsity' parameter .* Got False instead"),
    ({"n_components": "auto"}, X, ValueError, "'n_components' parameter .* Got 'auto' instead"),
    ({"n_components": None}, X, ValueError, "'n_components' parameter .* Got None instead"),
    ({"max_epochs": 0}, X, ValueError, "'max_epochs' parameter .* Got 0 instead"),
    ({"max_epochs": "many"}, X, ValueError, "'max_epochs' parameter .* Got 'many' instead"),
    ({"batch_size": 0}, X, ValueError, "'batch_size' parameter .* Got 0 instead"),
    ({"batch_size": 3.5}, X, ValueError, "'batch_size' parameter .* Got 3.5 instead"),
    ({"learning_rate": 0}, X, ValueError, "'learning_rate' parameter .* Got 0 instead"),
    ({"learning_rate": -1e-3}, X, ValueError, "'learning_rate' parameter .* Got -0.001"),
    ({"learning_rate": np.nan}, X, ValueError, "'learning_rate' parameter .* Got nan"),
    ({"learning_rate": "auto"}, X, ValueError, "'learning_rate' parameter .* Got 'auto'"),
    ({"weight_decay": -1}, X, ValueError, "'weight_decay' parameter .* Got -1 instead"),
    ({"early_stopping": "yes"}, X, ValueError, "'early_stopping' parameter .* Got 'yes'"),
    ({"validation_fraction": 0}, X, ValueError, "'validation_fraction' parameter .* Got 0"),
    ({"validation_fraction": 1.0}, X, ValueError, "'validation_fraction' parameter .* Got 1.0"),
    (
        {"early_stopping": True, "validation_fraction": None},
        X,
        ValueError,
        "early_stopping=True .* validation_fraction is None",
    ),
    ({"patience": 0}, X, ValueError, "'patience' parameter .* Got 0 instead"),
    ({"optimizer": "adam"}, X, ValueError, "'optimizer' parameter .* Got 'adam' instead"),
    ({"optimizer": nn.Linear}, X, TypeError, "'optimizer' parameter .* Got .*Linear"),
    ({"optimizer_params": ["lr"]}, X, ValueError, r"'optimizer_params' parameter .* Got \['lr'\]"),
    (
        {"optimizer_params": {"speed": 3}},
        X,
        ValueError,
        "optimizer_params={'speed': 3} does not fit optimizer=AdamW.*'speed'",
    ),
    (
        {"optimizer_params": {"betas": (2, 3)}},
        X,
        ValueError,
        r"optimizer_params={'betas': \(2, 3\)} does not fit optimizer=AdamW",
    ),
    (
        {"optimizer": torch.optim.LBFGS, "weight_decay": 0.1},
        X,
        ValueError,
        "weight_decay=0.1 has no effect with optimizer=LBFGS",
    ),
    ({"callbacks": EpochTimer()}, X, ValueError, "'callbacks' parameter .* Got <.*EpochTimer"),
    ({"callbacks": ["timer"]}, X, TypeError, "callbacks: expected .* Got 'timer' instead"),
    ({"callbacks": [EpochTimer]}, X, TypeError, "callbacks: expected .*EpochTimer"),
    ({"callbacks": [("a", 1)]}, X, TypeError, r"callbacks: expected .* Got \('a', 1\) instead"),
    ({"device": "nowhere"}, X, ValueError, "device='nowhere' is not available here"),
    ({"device": "cuda:99"}, X, ValueError, "device='cuda:99' is not available here"),
    ({"device": "meta"}, X, ValueError, "device='meta' is not available here"),
    ({"device": 0}, X, ValueError, "'device' parameter .* Got 0 instead"),
    ({"precision": "float16"}, X, ValueError, "'precision' parameter .* Got 'float16'"),
    ({"missing": "ignore"}, X, ValueError, "'missing' parameter .* Got 'ignore' instead"),
    ({"warm_start": "yes"}, X, ValueError, "'warm_start' parameter .* Got 'yes' instead"),
    ({"random_state": "seed"}, X, ValueError, "'random_state' parameter .* Got 'seed' instead"),
    ({"random_state": -1}, X, ValueError, "'random_state' parameter .* Got -1 instead"),
    ({"verbose": -1}, X, ValueError, "'verbose' parameter .* Got -1 instead"),
    ({"whiten": 2}, X, ValueError, "'whiten' parameter .* Got 2 instead"),
    ({"loss": "absolute"}, X, ValueError, "'loss' parameter .* Got 'absolute' instead"),
    (
        {"loss": "binary_cross_entropy"},
        X - X.min(),
        ValueError,
        r'loss="binary_cross_entropy" needs values in \[0, 1\]. Got values from 0 to',
    ),
    (
        {"loss": "binary_cross_entropy", "missing": "mask"},
        with_value(np.nan),
        ValueError,
        r'loss="binary_cross_entropy" needs values in \[0, 1\]. Got values from -',
    ),
    ({"missing": "mask"}, with_value(np.inf), ValueError, "Input X contains infinity"),
    ({"input_shape": 6}, X, ValueError, "'input_shape' parameter .* Got 6 instead"),
    ({"input_shape": ()}, X, ValueError, r"'input_shape' parameter .* Got \(\) instead"),
    ({"input_shape": (2, 0)}, X, ValueError, r"'input_shape' parameter .* Got \(2, 0\)"),
    ({"input_shape": (-1, -1)}, X, ValueError, r"'input_shape' parameter .* Got \(-1, -1\)"),
    ({"input_shape": (1, 6.0)}, X, ValueError, r"'input_shape' parameter .* Got \(1, 6.0\)"),
    ({"input_shape": (1, "6")}, X, ValueError, r"'input_shape' parameter .* Got \(1, '6'\)"),
    ({"input_shape": (2, 4)}, X, ValueError, r"input_shape=\(2, 4\) does not fit .*\(6,\)"),
    ({"input_shape": (4, -1)}, X, ValueError, r"input_shape=\(4, -1\) does not fit .*\(6,\)"),
    ({"input_shape": (9, 2)}, SERIES, ValueError, r"\(9, 2\) does not fit .*\(2, 9\)"),
    ({"sparsity": -1}, X, ValueError, "'sparsity' parameter .* Got -1 instead"),
    ({"contraction": "much"}, X, ValueError, "'contraction' parameter .* Got 'much' instead"),
    ({"corruption": "noise"}, X, ValueError, "'corruption' parameter .* Got 'noise' instead"),
    ({"corruption": [0.1]}, X, (TypeError, ValueError), "'corruption' parameter .* Got .*0.1"),
    # recipes
    (
        {"corruption": GaussianNoise(scale=-1)},
        X,
        ValueError,
        "'scale' parameter of GaussianNoise .* Got -1 instead",
    ),
    (
        {"corruption": [("mask", FeatureDropout(rate=2))]},
        X,
        ValueError,
        "'rate' parameter of FeatureDropout .* Got 2 instead",
    ),
    ({"architecture": "mlp"}, X, ValueError, "'architecture' parameter .* Got 'mlp' instead"),
    ({"architecture": MLP}, X, TypeError, "must be an instance.*Got the class MLP"),
    ({"architecture": MLP((0,))}, X, ValueError, r"'hidden_layer_sizes' .* MLP .* Got \(0,\)"),
    ({"architecture": MLP((8.5,))}, X, ValueError, r"'hidden_layer_sizes' .* Got \(8.5,\)"),
    ({"architecture": MLP("wide")}, X, ValueError, "'hidden_layer_sizes' .* Got 'wide'"),
    ({"architecture": MLP(None)}, X, ValueError, "'hidden_layer_sizes' .* Got None"),
    ({"architecture": MLP(activation="rel")}, X, ValueError, "'activation' .* MLP .* Got 'rel'"),
    ({"architecture": MLP(activation=[])}, X, ValueError, r"'activation' .* MLP .* Got \[\]"),
    ({"architecture": MLP(normalization=1)}, X, ValueError, "'normalization' .* MLP .* Got 1"),
    ({"architecture": MLP(dropout=1.0)}, X, ValueError, r"'dropout' .* MLP .* Got 1.0"),
    ({"architecture": MLP(dropout="much")}, X, ValueError, "'dropout' .* MLP .* Got 'much'"),
    ({"architecture": MLP(linear_path="svd")}, X, ValueError, "'linear_path' .* Got 'svd'"),
    ({"architecture": Linear(linear_path=None)}, X, ValueError, "'linear_path' .* Linear .* None"),
    ({"architecture": ConvNet()}, X, ValueError, r"ConvNet expects .* got .*\(6,\)"),
    ({"architecture": ConvNet(())}, SERIES, ValueError, r"'channels' .* Got \(\)"),
    ({"architecture": ConvNet((8, -1))}, SERIES, ValueError, r"'channels' .* Got \(8, -1\)"),
    ({"architecture": ConvNet(kernel_size=4)}, SERIES, ValueError, "'kernel_size' .* Got 4"),
    ({"architecture": ConvNet(kernel_size="3")}, SERIES, ValueError, "'kernel_size' .* Got '3'"),
    ({"decoder": "mirror"}, X, ValueError, "'decoder' parameter .* Got 'mirror' instead"),
    ({"decoder": ConvNet()}, X, ValueError, r"ConvNet expects .* got .*\(6,\)"),
    # modules
    (
        {"architecture": network(5, 3)},
        X,
        ValueError,
        r"module given as architecture cannot read samples of shape \(6,\)",
    ),
    ({"architecture": NotATensor()}, X, ValueError, "given as architecture must map .*list"),
    ({"architecture": OneNumber()}, X, ValueError, "given as architecture must map"),
    ({"decoder": network(3, 6)}, X, ValueError, r"as decoder cannot read samples of shape \(2,\)"),
    ({"decoder": network(2, 5)}, X, ValueError, r"decoder must return .*\(6,\). Got \(5,\)"),
    ({"trainable": False}, X, ValueError, r"trainable=False .* Got architecture=MLP"),
    (
        {"trainable": False, "architecture": nn.Flatten()},
        X,
        ValueError,
        "trainable=False, but the module given as architecture has no parameters",
    ),
    (
        {"batch_size": 1, "architecture": MLP((8,), normalization="batch")},
        X,
        ValueError,
        "batches of at least two rows. Got batch_size=1",
    ),
]


@pytest.fixture
def no_training(monkeypatch):
    def train(*arguments, **keywords):
        raise AssertionError("training has begun")

    monkeypatch.setattr(_training, "train", train)


@pytest.fixture(scope="module", params=[{}, {"warm_start": True}], ids=["anew", "warm_start"])
def fitted(request):
    return make(**request.param).fit(X)


def assert_refused(estimator, method, data, exception, pattern):
    """Assert that a call raises, and that the estimator is what it was."""
    before = dict(vars(estimator))
    with pytest.raises(exception, match=f"(?s){pattern}"):
        getattr(estimator, method)(data)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
@pytest.mark.parametrize("case", BAD_X)
def test_bad_data(case, method, no_training):
    data, exception, pattern = BAD_X[case]
    assert_refused(make(), method, data, exception, pattern)


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("case", BAD_X)
def test_bad_data_for_a_fitted_estimator(case, fitted, no_training):
    data, exception, _ = BAD_X[case]
    expected = fitted.transform(X)
    assert_refused(fitted, "fit", data, exception, ".")
    if "one " not in case:  # which is enough for an answer
        for method in ("transform", "score", "score_samples", "reconstruct"):
            assert_refused(fitted, method, data, exception, ".")
    np.testing.assert_array_equal(fitted.transform(X), expected)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=lambda case: str(case[0])[:60])
def test_bad_parameters(case, method, no_training):
    parameters, data, exception, pattern = case
    assert_refused(make(**parameters), method, data, exception, pattern)


@pytest.fixture(scope="module")
def once_fitted():
    return make().fit(X)


@pytest.mark.parametrize("case", BAD_PARAMETERS, ids=lambda case: str(case[0])[:60])
def test_bad_parameters_for_a_fitted_estimator(case, once_fitted, no_training):
    parameters, data, exception, pattern = case
    estimator = copy.copy(once_fitted)
    vars(estimator).update(parameters)
    assert_refused(estimator, "fit", data, exception, pattern)
    vars(estimator).update({name: vars(once_fitted)[name] for name in parameters})
    np.testing.assert_array_equal(estimator.transform(X), once_fitted.transform(X))
    assert vars(estimator).keys() == vars(once_fitted).keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mlp__hidden_layer_sizes", (4,)),
        ("architecture__width", 3),
        ("width", 3),
        ("decoder__hidden_layer_sizes", (4,)),
    ],
)
def test_unknown_parameters(once_fitted, name, value):
    before = repr(once_fitted)
    with pytest.raises((ValueError, AttributeError)):
        once_fitted.set_params(**{name: value})
    assert repr(once_fitted) == before


@pytest.mark.parametrize("pairs", [[("a", 1)], [("a", nn.Linear(2, 2))], (("betas", "b"),)])
def test_pairs_that_hold_no_parts_are_left_alone(pairs):
    estimator = make(callbacks=pairs)
    assert estimator.get_params()["callbacks"] is pairs
    assert estimator.set_params(n_components=3).n_components == 3


def test_unknown_parameter_of_init():
    with pytest.raises(TypeError, match="hidden"):
        AutoencoderEmbedding(hidden=3)
    with pytest.raises(TypeError, match="positional"):
        AutoencoderEmbedding(2, MLP())


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score", "score_samples"]
)
def test_answers_before_fit(method):
    estimator = make()
    with pytest.raises(NotFittedError, match="AutoencoderEmbedding instance is not fitted yet"):
        getattr(estimator, method)(X)
    assert vars(estimator) == vars(clone(estimator)) | {"architecture": estimator.architecture}


@pytest.mark.parametrize("attribute", ["history_", "module_", "n_epochs_"])
def test_fitted_attributes_before_fit(attribute):
    assert not hasattr(make(), attribute)
    with pytest.raises(AttributeError):
        getattr(make(), attribute)


def test_feature_names_out_before_fit():
    with pytest.raises(NotFittedError):
        make().get_feature_names_out()


METHODS = ["transform", "reconstruct", "score", "score_samples", "partial_fit", "fit"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("data", "pattern"),
    [
        (X[:, :5], "X has 5 features, but AutoencoderEmbedding is expecting 6 features"),
        (np.c_[X, X], "X has 12 features, but AutoencoderEmbedding is expecting 6 features"),
        (scipy.sparse.csr_array(X[:, :5]), "X has 5 features"),
        (X[:, :, None], r"shape \(n_samples, 6\) it had in fit. Got \(n_samples, 6, 1\)"),
    ],
    ids=["fewer", "more", "sparse", "more axes"],
)
def test_another_number_of_features(method, data, pattern, no_training):
    assert_refused(TRAINED_TABLE, method, data, ValueError, pattern)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("data", "received"),
    [
        (SERIES[:, :, :8], "2, 8"),
        (SERIES[:, :, :, None], "2, 9, 1"),
        (SERIES[:, :, 0], "2"),
    ],
    ids=["shorter", "more axes", "fewer axes"],
)
def test_another_inner_shape(method, data, received, no_training):
    pattern = rf"X must have the shape \(n_samples, 2, 9\) .* Got \(n_samples, {received}\)"
    assert_refused(TRAINED_SERIES, method, data, ValueError, pattern)


@pytest.mark.parametrize("method", METHODS)
def test_other_column_names(method, no_training):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    assert_refused(TRAINED_FRAME, method, frame[list("fedcba")], ValueError, "same order")
    renamed = frame.rename(columns={"a": "z"})
    assert_refused(TRAINED_FRAME, method, renamed, ValueError, "(?s)names unseen .*z.*missing.*a")


@pytest.mark.parametrize(
    ("Z", "exception", "pattern"),
    [
        (np.zeros((5, 3)), ValueError, "Z has 3 components, but .* expecting 2 components"),
        (np.zeros((5, 6)), ValueError, "Z has 6 components"),
        (np.zeros(2), ValueError, "Expected 2D array, got 1D array"),
        (np.zeros((0, 2)), ValueError, "0 sample"),
        (np.full((5, 2), np.nan), ValueError, "Input Z contains NaN"),
        (np.full((5, 2), 1e39), ValueError, "Input Z contains infinity or a value too large"),
        ([["a", "b"]], ValueError, "could not convert string"),
        (np.zeros((5, 2, 1)), ValueError, "Found array with dim 3"),
        (np.ones((5, 2)) * 1j, ValueError, "Complex data not supported"),
    ],
)
def test_bad_embedding_to_invert(Z, exception, pattern):
    assert_refused(TRAINED_TABLE, "inverse_transform", Z, exception, pattern)


@pytest.mark.parametrize(
    ("changed", "pattern"),
    [
        ({"n_components": 3}, "n_components"),
        ({"architecture": MLP((9,))}, "architecture"),
        ({"architecture": Linear()}, "architecture"),
        ({"input_shape": (2, 3)}, "input_shape"),
        ({"optimizer": torch.optim.SGD}, "optimizer=SGD"),
    ],
    ids=["n_components", "hidden_layer_sizes", "architecture", "input_shape", "optimizer"],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_another_network(changed, pattern, method, no_training):
    estimator = copy.copy(TRAINED_TABLE)
    vars(estimator).update(changed)
    assert_refused(estimator, method, X, ValueError, pattern)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_what_is_no_part_of_the_network(method):
    unchanged = getattr(copy.copy(TRAINED_TABLE), method)(X)
    other_loss = getattr(copy.copy(TRAINED_TABLE).set_params(loss="huber"), method)(X)
    assert other_loss.history_["train_loss"].iloc[-1] < unchanged.history_["train_loss"].iloc[-1]
    masked = getattr(copy.copy(TRAINED_TABLE).set_params(missing="mask"), method)
    assert np.isfinite(masked(with_value(np.nan)).transform(with_value(np.nan))).all()


# trained once, at import: no_training stands in the way of fixtures
TRAINED_TABLE = make(warm_start=True).fit(X)
TRAINED_SERIES = make(warm_start=True).fit(SERIES)
TRAINED_FRAME = make(warm_start=True).fit(pd.DataFrame(X, columns=list("abcdef")))


# ----------------------------------------------------------------- what looks odd and works

WORKS = {
    "constant columns": (np.c_[X, np.ones((40, 2))], {}),
    "all constant": (np.full((40, 6), 3.0), {}),
    "all zero": (np.zeros((40, 6)), {}),
    "numeric objects": (X.astype(object), {}),
    "numeric strings": (X.round(2).astype("U8"), {}),
    "frame of numeric objects": (pd.DataFrame(X).astype(object), {}),
    "integers": ((X * 10).astype(int), {}),
    "booleans": (X > 0, {}),
    "one column": (X[:, :1], {}),
    "two rows": (X[:2], {}),
    "two equal rows": (X[[0, 0]], {}),
    "duplicated rows": (np.repeat(X[:4], 10, axis=0), {}),
    "large values": (X * 1e6, {}),
    "tiny values": (X * 1e-6, {}),
    "largest values": (X * 1e15, {}),
    "large offset": (X + 1e6, {}),
    "columns of very different size": (X * np.logspace(-3, 6, 6), {}),
    "more components than columns": (X, {"n_components": 9}),
    "more components than rows": (X[:3], {"n_components": 5}),
    "batch larger than the data": (X, {"batch_size": 10_000}),
    "batches of one row": (X, {"batch_size": 1}),
    "last batch of one row": (
        X[:20],
        {"batch_size": 19, "architecture": MLP((8,), normalization="batch")},
    ),
    "last held-out batch of one row": (
        X[:20],
        {"early_stopping": True, "architecture": MLP((8,), normalization="batch")},
    ),
    "early stopping with three rows": (X[:3], {"early_stopping": True}),
    "nearly all held out": (X, {"early_stopping": True, "validation_fraction": 0.99}),
    "convolutions on one column": (X[:, :1], {"architecture": ConvNet(), "input_shape": (1, -1)}),
    "one layer as an int": (X, {"architecture": MLP(8)}),
    "shape as a list": (X, {"input_shape": [2, 3]}),
    "numpy numbers": (
        X,
        {
            "n_components": np.int64(2),
            "max_epochs": np.int32(2),
            "learning_rate": np.float32(1e-3),
            "early_stopping": np.bool_(True),
            "architecture": MLP((np.int64(8),), dropout=np.float64(0.1)),
        },
    ),
    "generator as random_state": (X, {"random_state": np.random.RandomState(0)}),
    "missing rows": (with_value(np.nan), {"missing": "mask"}),
    "rows and columns missing": (
        np.where((np.arange(40) % 7 == 0)[:, None] | (np.arange(6) == 2), np.nan, X),
        {"missing": "mask"},
    ),
    "everything missing": (np.full((40, 6), np.nan), {"missing": "mask"}),
    "nothing missing": (X, {"missing": "mask"}),
    "sparse without entries": (scipy.sparse.csr_array((40, 6)), {}),
    "LBFGS": (X, {"optimizer": torch.optim.LBFGS}),
    "limits of binary data": (
        (X > 0).astype(float),
        {"loss": "binary_cross_entropy"},
    ),
}


@pytest.mark.parametrize("case", WORKS)
def test_odd_data_works(case):
    data, parameters = WORKS[case]
    estimator = make(**parameters).fit(data)
    n = data.shape[0]
    Z = estimator.transform(data)
    assert Z.shape == (n, estimator.n_components)
    assert np.isfinite(Z).all()
    assert np.isfinite(estimator.inverse_transform(Z)).all()
    assert np.isfinite(estimator.reconstruct(data)[~np.isnan(estimator.reconstruct(data))]).all()
    assert np.isfinite(estimator.score_samples(data)).all()
    assert estimator.score(data) <= 0
    assert np.isfinite(estimator.explained_variance_ratio_).all()
    assert estimator.n_epochs_ == 2
    assert np.isfinite(estimator.history_["train_loss"]).all()


def test_batch_size_is_clipped_silently():
    estimator = make(batch_size=10_000).fit(X)
    assert estimator.batch_size_ == 40
    assert estimator.batch_size == 10_000


def test_one_row_gets_an_answer():
    estimator = make().fit(X)
    np.testing.assert_allclose(estimator.transform(X[:1]), estimator.transform(X)[:1], rtol=1e-5)


@pytest.mark.parametrize("factor", [2.0**20, 2.0**-20])
def test_units_of_X_do_not_matter(factor):
    # powers of two, because they round nothing
    plain, scaled = make().fit(X), make().fit(X * factor)
    np.testing.assert_array_equal(scaled.transform(X * factor), plain.transform(X) * factor)
    np.testing.assert_array_equal(
        scaled.explained_variance_ratio_, plain.explained_variance_ratio_
    )


@pytest.mark.parametrize("offset", [1e3, -1e4])
def test_origin_of_X_does_not_matter(offset):
    plain, moved = make().fit(X), make().fit(X + offset)
    assert moved.score(X + offset) == pytest.approx(plain.score(X), rel=0.01)


def test_a_column_of_times_is_named():
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(when=pd.Timestamp("2026-01-01"))
    with pytest.raises(TypeError) as caught:
        make().fit(frame)
    assert "hold no numbers: 'when'" in caught.value.__notes__[0]


def test_missing_values_of_pandas_are_not_taken_for_text():
    frame = pd.DataFrame({"a": pd.array([True, None] * 20, dtype="boolean"), "b": np.arange(40.0)})
    with pytest.raises((TypeError, ValueError)) as caught:
        make().fit(frame)
    assert "hold no numbers" not in str(caught.value) + str(getattr(caught.value, "__notes__", ""))
