"""The contract of every exported estimator of numeric arrays.

The battery goes over ``skrepr.__all__``: an estimator is tested from the moment it is
exported, once its configurations are added here.
"""

import ast
import copy
import doctest
import functools
import importlib
import inspect
import itertools
import pickle
import pkgutil
import tomllib
from pathlib import Path
from unittest import SkipTest

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import torch
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils._testing import assert_docstring_consistency
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version

import skrepr
from skrepr.architectures import MLP, ConvNet, Recurrent, Transformer
from skrepr.augmentations import GaussianNoise
from skrepr.objectives import (
    BYOL,
    HierarchicalContrast,
    MaskedReconstruction,
    NextStepPrediction,
    SimCLR,
    VICReg,
    WeightedSum,
)

ROOT = Path(__file__).parents[1]
SMALL = {"n_components": 2, "architecture": MLP((8,)), "max_epochs": 2}
SMALL_TRANSFORMER = Transformer(1, n_heads=2, n_units=8)
SMALL_SUM = WeightedSum(
    [("mask", MaskedReconstruction(), 1.0), ("contrast", HierarchicalContrast(), 0.5)]
)
# The first one of each estimator also goes through the tests below scikit-learn's own.
CONFIGURATIONS = {
    "AutoencoderEmbedding": [
        SMALL,
        SMALL | {"architecture": ConvNet((4, 8)), "input_shape": (1, -1)},
        SMALL | {"missing": "mask"},
        SMALL | {"early_stopping": True, "n_components": 1},
    ],
    "ContrastiveEmbedding": [
        SMALL,
        SMALL | {"objective": BYOL(projection_sizes=(8, 4)), "missing": "mask"},
        SMALL | {"objective": VICReg(), "augmentation": GaussianNoise(0.3)},
        SMALL | {"supervised": True},
    ],
    "SequenceTransformerEmbedding": [
        SMALL | {"architecture": SMALL_TRANSFORMER},
        SMALL
        | {"architecture": Recurrent(n_units=4), "scaling": "per_sample", "pooling": "max"}
        | {"fixed_features": False, "objective": MaskedReconstruction(0.5, mask_length=1)},
        SMALL
        | {"architecture": SMALL_TRANSFORMER, "scaling": None, "pooling": "last"}
        | {"early_stopping": True, "n_components": 1, "objective": NextStepPrediction(2)},
        SMALL
        | {"architecture": ConvNet((4,)), "pooling": "attention"}
        | {"objective": SimCLR(projection_sizes=(4,)), "augmentation": GaussianNoise(0.3)},
        SMALL | {"architecture": SMALL_TRANSFORMER, "pooling": "cls", "objective": SMALL_SUM},
    ],
    "VAEEmbedding": [
        SMALL | {"n_score_samples": 16},
        SMALL | {"n_score_samples": 16, "noise": "feature", "n_importance_samples": 5},
        SMALL
        | {"n_score_samples": 16, "contrastive_weight": 1.0, "contrastive_momentum": 0.99}
        | {"prior": "mixture", "n_pseudo_inputs": 3, "missing": "mask"},
    ],
    # takes text: tests/test_word2vec.py has the battery for that
    "Word2VecEmbedding": [{"n_components": 2, "max_epochs": 2}],
}
ESTIMATORS = {
    name: value
    for name in skrepr.__all__
    if isinstance(value := getattr(skrepr, name), type) and issubclass(value, BaseEstimator)
}
N_CHECKS = 45 if parse_version(sklearn.__version__) >= parse_version("1.9") else 44
EXTRA_CHECKS = [
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_param_validation",
    "check_readonly_memmap_input",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


def reads_tables(estimator):
    """Whether scikit-learn's checks have something to give it: text has a battery of its own."""
    return get_tags(estimator).input_tags.two_d_array


def configured(which=slice(None)):
    """Make the estimators of tables, in all configurations or in some."""
    made = [
        ESTIMATORS[name](**parameters)
        for name, configurations in CONFIGURATIONS.items()
        for parameters in configurations[which]
    ]
    return [estimator for estimator in made if reads_tables(estimator)]


# its samples are not the rows of X, of which names and numbers of columns are told
OF_FLAT_TABLES = ESTIMATORS["AutoencoderEmbedding"](**CONFIGURATIONS["AutoencoderEmbedding"][1])


def names_with(*parameters):
    """List the estimators of tables that have certain parameters."""
    return [
        name
        for name, cls in ESTIMATORS.items()
        if reads_tables(cls()) and set(parameters) <= cls().get_params().keys()
    ]


def make(name, **parameters):
    return ESTIMATORS[name](**CONFIGURATIONS[name][0] | {"random_state": 0} | parameters)


def network(name, *, dropout=0.0, **of_tables):
    """Make a small recipe that an estimator can use."""
    if name == "SequenceTransformerEmbedding":
        return clone(SMALL_TRANSFORMER).set_params(dropout=dropout)
    return MLP((8,), dropout=dropout, **of_tables)


def accepts_nan(name):
    return get_tags(make(name)).input_tags.allow_nan


def run(check, *arguments):
    """Run one of scikit-learn's checks; one that skips itself has checked nothing."""
    try:
        check(*arguments)
    except SkipTest as reason:
        pytest.fail(f"skipped: {reason}")


@pytest.fixture(params=names_with())
def name(request):
    return request.param


@pytest.fixture(params=names_with("missing"))
def name_with_missing(request):
    return request.param


IRIS = load_iris().data.astype(np.float32)


@pytest.fixture(scope="module")
def X():
    return IRIS


ROUNDED = IRIS[::3].round()


@functools.cache
def fitted(name, *, rounded=False):
    """Fit once what many tests ask, none of which changes it."""
    return make(name, device="cpu").fit(ROUNDED if rounded else IRIS)


def assert_same_rows(received, expected):
    """Assert equality to the rounding of float32, which depends on the size of a chunk."""
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5 * np.ptp(expected))


# ------------------------------------------------------------- scikit-learn's own checks


def test_every_estimator_is_configured():
    assert set(CONFIGURATIONS) == set(ESTIMATORS)


@parametrize_with_checks(configured())
def test_check_estimator(estimator, check):
    run(check, estimator)


@pytest.mark.slow
@parametrize_with_checks([ESTIMATORS[name]() for name in names_with()])
def test_check_estimator_of_the_default(estimator, check):
    run(check, estimator)


@pytest.mark.parametrize("estimator", configured(), ids=repr)
def test_check_estimator_is_complete(estimator):
    checks = [check for _, check in estimator_checks_generator(estimator)]
    # a value that may be NaN is not tried as bad input
    n_expected = N_CHECKS - get_tags(estimator).input_tags.allow_nan
    assert len({check.func.__name__ for check in checks}) >= n_expected


# what is fitted to a data frame is given arrays by these checks, and the other way round
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("check", EXTRA_CHECKS)
@pytest.mark.parametrize("estimator", [*configured(slice(1)), OF_FLAT_TABLES], ids=repr)
def test_checks_outside_check_estimator(estimator, check):
    run(getattr(estimator_checks, check), type(estimator).__name__, estimator)


# -------------------------------------------------- pipelines, searches, copies, processes


@pytest.mark.slow
def test_grid_search_in_two_processes_and_without_labels(name, X):
    grid = {"n_components": [1, 2], "learning_rate": [1e-3, 1e-2]}
    one, two = (
        GridSearchCV(make(name), grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X)
        for n_jobs in (1, 2)
    )
    assert one.best_params_ == two.best_params_
    key = "mean_test_score"
    np.testing.assert_allclose(one.cv_results_[key], two.cv_results_[key], rtol=1e-3)
    assert np.ptp(one.cv_results_[key]) > 0
    assert one.score(X) == pytest.approx(one.best_estimator_.score(X))


def test_grid_search_inside_the_architecture(name, X):
    of_series = "architecture__n_units", [4, 12, 16]
    of_tables = "architecture__hidden_layer_sizes", [(), (4,), (4, 3)]
    estimator = make(name)
    parameter, values = of_series if of_series[0] in estimator.get_params() else of_tables
    before = estimator.get_params()[parameter]
    search = GridSearchCV(estimator, {parameter: values}, cv=2, error_score="raise").fit(X)
    assert search.best_params_[parameter] in values
    assert len(search.cv_results_["params"]) == 3
    assert estimator.get_params()[parameter] == before


def test_cross_val_score(name, X):
    scores = cross_val_score(make(name), X, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


def test_pipeline_with_memory(name, X, tmp_path):
    y = load_iris().target

    def fitted(memory):
        steps = StandardScaler(), make(name), LogisticRegression()
        return make_pipeline(*steps, memory=memory).fit(X, y)

    plain = fitted(None).predict(X)
    first, from_memory = fitted(str(tmp_path)), fitted(str(tmp_path))
    np.testing.assert_array_equal(first.predict(X), plain)
    np.testing.assert_array_equal(from_memory.predict(X), plain)


def test_column_transformer(name, X):
    frame = pd.DataFrame(X, columns=list("abcd"))
    both = ColumnTransformer([("left", make(name), ["a", "b"]), ("right", make(name), ["c", "d"])])
    Z = both.fit_transform(frame)
    expected = make(name).fit(frame[["c", "d"]]).transform(frame[["c", "d"]])
    np.testing.assert_array_equal(Z[:, 2:], expected)
    prefix = name.lower()
    assert list(both.get_feature_names_out()) == [
        f"{side}__{prefix}{k}" for side in ("left", "right") for k in (0, 1)
    ]


def test_feature_union(name, X):
    union = FeatureUnion([("pca", PCA(2)), ("deep", make(name))]).fit(X)
    np.testing.assert_array_equal(union.transform(X)[:, 2:], fitted(name).transform(X))


def test_clone_keeps_parameters_and_forgets_the_fit(name, X):
    estimator = fitted(name)
    cloned = clone(estimator)
    assert repr(cloned) == repr(estimator)
    assert not [attribute for attribute in vars(cloned) if attribute.endswith("_")]
    np.testing.assert_array_equal(cloned.fit(X).transform(X), estimator.transform(X))


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


@pytest.mark.parametrize(
    "copied",
    [
        lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
        lambda estimator, folder: copy.deepcopy(estimator),
        through_joblib,
    ],
    ids=["pickle", "deepcopy", "joblib"],
)
def test_copies_answer_and_go_on_alike(name, X, tmp_path, copied):
    estimator = make(name, architecture=network(name, dropout=0.2)).partial_fit(X[:100])
    twin = copied(estimator, tmp_path)
    np.testing.assert_array_equal(twin.transform(X), estimator.transform(X))
    before = estimator.transform(X)
    twin.partial_fit(X[100:])
    np.testing.assert_array_equal(estimator.transform(X), before)
    estimator.partial_fit(X[100:])
    np.testing.assert_array_equal(twin.transform(X), estimator.transform(X))
    assert not np.array_equal(estimator.transform(X), before)


# ------------------------------------------------------------------------ kinds of input


def test_set_output(name, X):
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(X))[::-1])
    prefix = name.lower()
    estimator = make(name).fit(frame)
    Z = estimator.transform(frame)
    as_pandas = estimator.set_output(transform="pandas").transform(frame)
    assert isinstance(as_pandas, pd.DataFrame)
    assert list(as_pandas.columns) == [f"{prefix}0", f"{prefix}1"]
    assert (as_pandas.index == frame.index).all()
    assert (as_pandas.dtypes == np.float32).all()
    as_polars = estimator.set_output(transform="polars").transform(frame)
    assert isinstance(as_polars, pl.DataFrame)
    assert as_polars.columns == [f"{prefix}0", f"{prefix}1"]
    np.testing.assert_array_equal(as_pandas.to_numpy(), Z)
    np.testing.assert_array_equal(as_polars.to_numpy(), Z)


def read_only_memmap(values, folder):
    joblib.dump(values, folder / "X.joblib")
    return joblib.load(folder / "X.joblib", mmap_mode="r")


NAMES = list("abcd")
# Each gives integers from 0 to 8, and keeps them exactly.
KINDS = {
    **{
        dtype: lambda values, folder, dtype=dtype: values.astype(dtype)
        for dtype in ("int8", "uint8", "int32", "int64", "float16", "float32", "float64")
    },
    "fortran": lambda values, folder: np.asfortranarray(values),
    "strided": lambda values, folder: np.repeat(values, 2, axis=1)[:, ::2],
    "memmap": lambda values, folder: read_only_memmap(values.astype(np.float32), folder),
    "object": lambda values, folder: values.astype(object),
    "lists": lambda values, folder: values.tolist(),
    "pandas": lambda values, folder: pd.DataFrame(values, columns=NAMES),
    "pandas nullable": lambda values, folder: pd.DataFrame(values, columns=NAMES).astype("Int32"),
    "pandas object": lambda values, folder: pd.DataFrame(values, columns=NAMES).astype(object),
    "pandas categorical": lambda values, folder: pd.DataFrame(
        values.astype(int), columns=NAMES
    ).astype("category"),
    "polars": lambda values, folder: pl.DataFrame(values, schema=NAMES),
    "torch": lambda values, folder: torch.tensor(values),
    "torch with gradient": lambda values, folder: torch.tensor(values, requires_grad=True),
    "torch bfloat16": lambda values, folder: torch.tensor(values, dtype=torch.bfloat16),
    "torch int64": lambda values, folder: torch.tensor(values, dtype=torch.int64),
    **{
        kind.__name__: lambda values, folder, kind=kind: kind(values)
        for kind in (
            scipy.sparse.csr_array,
            scipy.sparse.csc_array,
            scipy.sparse.coo_array,
            scipy.sparse.csr_matrix,
            scipy.sparse.csc_matrix,
            scipy.sparse.coo_matrix,
        )
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_input_are_the_same_numbers(name, kind, tmp_path, monkeypatch):
    values = ROUNDED
    same = KINDS[kind](values, tmp_path)
    expected = fitted(name, rounded=True)
    received = make(name).fit(same)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 20)
    np.testing.assert_allclose(received.transform(same), expected.transform(values), rtol=1e-5)
    np.testing.assert_allclose(received.score(same), expected.score(values), rtol=1e-5)
    np.testing.assert_allclose(
        received.score_samples(same), expected.score_samples(values), rtol=1e-4, atol=1e-6
    )
    assert received.transform(same).dtype == np.float32


def test_boolean_input(name, X):
    values = X.mean(axis=0) < X
    expected = make(name).fit(values.astype(np.float32))
    for same in (values, pd.DataFrame(values).astype("boolean"), torch.tensor(values)):
        np.testing.assert_array_equal(
            make(name).fit_transform(same), expected.transform(values.astype(np.float32))
        )


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None] * 20, dtype="Int64"),
        pd.array([1.5, None] * 20, dtype="Float64"),
        pd.array([True, None] * 20, dtype="boolean"),
        pd.Categorical(["low", "high"] * 20),
        pd.Categorical([1, 2] * 20),
        pd.array(["1", "2"] * 20, dtype="string"),
        pd.array(["low", "high"] * 20, dtype="string"),
        pd.to_datetime(["2020-01-01", "2021-01-01"] * 20),
    ],
    ids=lambda column: str(column.dtype),
)
def test_columns_of_pandas_get_the_answer_of_scikit_learn(name, column):
    frame = pd.DataFrame({"a": np.arange(40.0), "b": column})
    try:
        PCA(1).fit(frame)
    except Exception as error:
        expected = error
    else:
        expected = None
    if expected is None or ("contains NaN" in str(expected) and accepts_nan(name)):
        make(name).fit(frame).transform(frame)
        return
    with pytest.raises(type(expected)) as caught:
        make(name).fit(frame)
    first_line = str(expected).splitlines()[0]
    assert str(caught.value).splitlines()[0] == first_line.replace("PCA", name)


def test_missing_values_of_pandas_and_polars_are_masked(name_with_missing, X):
    values = X.astype(np.float64)
    values[::7, 1] = np.nan
    expected = make(name_with_missing, missing="mask").fit(values)
    frame = pd.DataFrame(values, columns=NAMES)
    for same in (frame, frame.astype("Float64"), pl.DataFrame(values, schema=NAMES)):
        received = make(name_with_missing, missing="mask").fit(same)
        np.testing.assert_array_equal(received.transform(same), expected.transform(values))


def counting_rows(method, n_rows):
    def counted(matrix, *arguments, **keywords):
        n_rows.append(matrix.shape[0])
        return method(matrix, *arguments, **keywords)

    return counted


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_sparse_input_is_never_made_dense_as_a_whole(name, format, monkeypatch):
    n = 5000  # more than figures are estimated from
    generator = np.random.default_rng(0)
    dense = np.where(generator.uniform(size=(n, 8)) < 0.1, generator.normal(size=(n, 8)), 0)
    X = scipy.sparse.csr_array(dense).asformat(format)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 1000)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 8 * 1000)
    n_rows = []
    for kind in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array):
        for method in ("toarray", "todense"):
            monkeypatch.setattr(kind, method, counting_rows(getattr(kind, method), n_rows))
    estimator = make(name, max_epochs=1, batch_size=1000).fit(X)
    assert estimator.transform(X).shape == (n, 2)
    estimator.score(X), estimator.score_samples(X)
    assert n_rows
    assert max(n_rows) < n


@pytest.mark.parametrize("shape", [(2, 6), (1, 4, 3), (2, 5, 5)])
@pytest.mark.parametrize("architecture", [MLP((8,)), ConvNet((4,))], ids=repr)
def test_arrays_of_three_and_four_dimensions(name_with_missing, shape, architecture):
    name = name_with_missing  # those without that parameter read series alone
    X = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    estimator = make(name, architecture=architecture).fit(X)
    assert estimator.input_shape_ == shape
    assert estimator.n_features_in_ == shape[0]
    Z = estimator.transform(X)
    assert Z.shape == (40, 2)
    np.testing.assert_array_equal(estimator.transform(torch.tensor(X)), Z)
    np.testing.assert_array_equal(estimator.transform(X.tolist()), Z)
    read_as = make(name, architecture=architecture, input_shape=shape).fit(X.reshape(40, -1))
    np.testing.assert_array_equal(read_as.transform(X.reshape(40, -1)), Z)


# --------------------------------------------------- arrays of other libraries, dispatched


class Foreign:
    """An array of another library, as the array API standard asks for it at the least."""

    from_dlpack = classmethod(lambda cls, values: cls(torch.from_dlpack(values)))

    def __init__(self, values):
        self.values = torch.as_tensor(values)
        self.shape = self.values.shape
        self.dtype = self.values.dtype

    def __array_namespace__(self, api_version=None):
        return Foreign

    def __dlpack__(self, **keywords):
        return self.values.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def answers(estimator, X):
    """Compute all that has a row for each row of X."""
    Z = estimator.transform(X)
    found = {"transform": Z, "score_samples": estimator.score_samples(X)}
    if hasattr(estimator, "inverse_transform"):
        found |= {
            "inverse_transform": estimator.inverse_transform(Z),
            "reconstruct": estimator.reconstruct(X),
        }
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("device", DEVICES)
def test_a_tensor_gives_a_tensor_where_it_is(name, device, dtype, monkeypatch):
    # before the fit: on some processors products of other chunks are rounded otherwise
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 20)
    estimator = make(name, device="cpu").fit(ROUNDED)
    T = torch.tensor(ROUNDED, dtype=dtype, device=device)
    expected = answers(estimator, ROUNDED)
    with config_context(array_api_dispatch=True):
        to_tensor = make(name, device="cpu")
        received = answers(estimator, T) | {"fit_transform": to_tensor.fit_transform(T)}
        received["fit"] = to_tensor.transform(T)
        assert type(to_tensor.score(T)) is float
        assert to_tensor.score(T) == estimator.score(ROUNDED)
    for method, values in received.items():
        assert (values.dtype, values.device) == (torch.float32, T.device), method
        assert not (values.requires_grad or values.is_inference()), method
        same = expected["transform" if "fit" in method else method]
        np.testing.assert_array_equal(values.cpu().numpy(), same, err_msg=method)


def test_tensors_stay_where_they_are_all_the_way(name, X, monkeypatch):
    estimator, T = fitted(name), torch.tensor(X).requires_grad_()
    methods = [estimator.transform]
    if hasattr(estimator, "inverse_transform"):
        methods += [
            estimator.reconstruct,
            lambda T: estimator.inverse_transform(estimator.transform(T)),
        ]

    def fail(*arguments, **keywords):
        raise AssertionError("brought to the CPU")

    for way in ("cpu", "numpy", "__array__"):
        monkeypatch.setattr(torch.Tensor, way, fail)
    with config_context(array_api_dispatch=True):
        for method in methods:
            assert isinstance(method(T), torch.Tensor)


def test_what_is_no_tensor_gives_numpy_whatever_was_fitted(name, X):
    expected = answers(fitted(name), X)
    with config_context(array_api_dispatch=True):
        to_tensor = make(name).fit(torch.tensor(X))
        for same in (X, X.tolist(), pd.DataFrame(X), scipy.sparse.csr_array(X)):
            for method, values in answers(to_tensor, same).items():
                assert type(values) is np.ndarray
                np.testing.assert_array_equal(values, expected[method])
    for values in answers(to_tensor, torch.tensor(X)).values():
        assert type(values) is np.ndarray
    attributes = [value for attribute, value in vars(to_tensor).items() if attribute[-1] == "_"]
    assert not any(isinstance(value, torch.Tensor) for value in attributes)


def test_arrays_of_any_library_give_such_arrays(name, X):
    expected = answers(fitted(name), X)
    with config_context(array_api_dispatch=True):
        to_foreign = make(name).fit(Foreign(X))
        for method, values in answers(to_foreign, Foreign(X)).items():
            assert type(values) is Foreign
            np.testing.assert_array_equal(values.values, expected[method])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output_takes_tensors(name, kind, X):
    estimator = make(name).set_output(transform=kind)
    expected = estimator.fit_transform(X)
    with config_context(array_api_dispatch=True):
        received = estimator.transform(torch.tensor(X))
    assert type(received) is type(expected)
    assert list(received.dtypes) == list(expected.dtypes)
    np.testing.assert_array_equal(received.to_numpy(), expected.to_numpy())


def test_tensors_through_a_pipeline(name, X):
    pipeline = make_pipeline(StandardScaler(), make(name))
    with config_context(array_api_dispatch=True):
        Z = pipeline.fit_transform(torch.tensor(X))
        assert isinstance(Z, torch.Tensor)
        assert isinstance(pipeline.transform(torch.tensor(X)), torch.Tensor)
        assert_same_rows(Z.numpy(), pipeline.fit_transform(X))


def test_missing_values_in_tensors_are_masked(name_with_missing, X):
    values = X.copy()
    values[::7, 1] = np.nan
    expected = answers(make(name_with_missing, missing="mask").fit(values), values)
    with config_context(array_api_dispatch=True):
        T = torch.tensor(values)
        for method, received in answers(make(name_with_missing, missing="mask").fit(T), T).items():
            np.testing.assert_array_equal(received.numpy(), expected[method])


@pytest.mark.parametrize(
    ("spoiled", "kind", "message"),
    [
        (lambda T: T * torch.nan, ValueError, "Input X contains NaN"),
        (lambda T: T.double() * 1e300, ValueError, "infinity or a value too large"),
        (lambda T: T.to(torch.complex64), ValueError, "Complex data not supported"),
        (lambda T: T.to_sparse(), TypeError, r"dense\(\) first"),
        (lambda T: T[0], ValueError, "Expected 2D array, got 1D"),
        (lambda T: T[:0], ValueError, "0 sample"),
    ],
)
def test_bad_tensors_are_told(name, spoiled, kind, message, X):
    T = spoiled(torch.tensor(X))
    estimator = fitted(name)
    if "NaN" in message and accepts_nan(name):
        assert np.isfinite(estimator.transform(T)).all()
        return
    for call in (make(name).fit, estimator.transform, estimator.score_samples):
        with config_context(array_api_dispatch=True), pytest.raises(kind, match=message):
            call(T)


def test_tensors_of_another_width_are_told(name, X):
    estimator = fitted(name)
    with config_context(array_api_dispatch=True):
        with pytest.raises(ValueError, match="X has 3 features"):
            estimator.transform(torch.tensor(X[:, :3]))
        if hasattr(estimator, "inverse_transform"):
            with pytest.raises(ValueError, match="Z has 3 components"):
                estimator.inverse_transform(torch.ones(5, 3))
            with pytest.raises(ValueError, match="Input Z contains NaN"):
                estimator.inverse_transform(torch.full((5, 2), torch.nan))


# ----------------------------------------------------------------- transform and its like


def global_generators():
    return torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002


@functools.cache
def with_batch_normalization(name):
    return make(name, architecture=network(name, normalization="batch")).fit(DIGITS)


DIGITS = load_digits().data[:200]


@pytest.mark.parametrize("method", ["transform", "score_samples"])
def test_each_row_depends_on_that_row_alone(name, method, monkeypatch):
    X, answer = DIGITS, getattr(with_batch_normalization(name), method)
    expected = answer(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert_same_rows(answer(X[order]), expected[order])
    assert_same_rows(answer(X[::7]), expected[::7])
    assert_same_rows(np.concatenate([answer(X[i : i + 1]) for i in range(20)]), expected[:20])
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 64)
    assert_same_rows(answer(X), expected)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 64 * 3)
    assert_same_rows(answer(X), expected)


def test_chunks_are_as_small_as_the_constants_say(name, X, monkeypatch):
    estimator = fitted(name)
    lengths = []
    original = type(estimator.module_).encode
    monkeypatch.setattr(
        type(estimator.module_),
        "encode",
        lambda module, x: lengths.append(len(x)) or original(module, x),
    )
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 64)
    estimator.transform(X)
    assert lengths == [64, 64, 22]


def test_answers_change_nothing(name, X):
    estimator = make(name, architecture=network(name, dropout=0.5)).fit(X)
    before = dict(vars(estimator))
    weights = copy.deepcopy(estimator.module_.state_dict())
    generator = estimator.module_.generator.get_state()
    global_state = global_generators()
    for method in ("transform", "score_samples", "score", "reconstruct"):
        if hasattr(estimator, method):
            first = getattr(estimator, method)(X)
            np.testing.assert_array_equal(getattr(estimator, method)(X), first)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[key] is value for key, value in before.items())
    assert all(weights[key].equal(value) for key, value in estimator.module_.state_dict().items())
    assert estimator.module_.generator.get_state().equal(generator)
    assert global_generators() == global_state


def test_same_random_state_same_numbers(name, X):
    torch.manual_seed(1)
    first = make(name, architecture=network(name, dropout=0.2)).fit(X)
    torch.manual_seed(2)
    second = make(name, architecture=network(name, dropout=0.2)).fit(X)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    other = make(name, architecture=network(name, dropout=0.2), random_state=1).fit(X)
    assert not np.array_equal(first.transform(X), other.transform(X))


@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("learning_rate", [1e-3, 1e30])
def test_global_generators_are_left_as_they_were(name, X, random_state, learning_rate):
    before = global_generators()
    estimator = make(name, random_state=random_state, learning_rate=learning_rate)
    try:
        estimator.fit(X)
    except ValueError:
        assert learning_rate > 1
    assert global_generators() == before


# ------------------------------------------------------------------------- documentation


def test_html_repr_links_to_the_documentation(name):
    """The address has two homes: a wheel does not carry pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = f"{project['urls']['Documentation']}/api/generated/skrepr.{name}.html"
    estimator = make(name)
    assert estimator._get_doc_link() == page
    assert f'href="{page}"' in estimator._repr_html_()
    own = type("Own", (ESTIMATORS[name],), {"__module__": "mine"})
    assert "href" not in own()._repr_html_()


# Not asked for: an extended summary, a See Also and examples of every method, and prose
# for what the type line of a return value says already.
NOT_ASKED_FOR = {"ES01", "EX01", "SA01", "RT02", "RT03"}


PUBLIC_MODULES = [skrepr] + [
    importlib.import_module(f"skrepr.{module.name}")
    for module in pkgutil.iter_modules(skrepr.__path__)
    if not module.name.startswith("_")
]
PARTS = [
    getattr(module, name)
    for module in PUBLIC_MODULES[1:]
    for name in getattr(module, "__all__", ())
    if isinstance(getattr(module, name), type)
]


def public_names():
    for module in PUBLIC_MODULES:
        names = getattr(module, "__all__", None) or [
            name
            for name, value in inspect.getmembers(module, inspect.isfunction)
            if value.__module__ == module.__name__ and not name.startswith("_")
        ]
        for name in names:
            value = getattr(module, name)
            yield f"{module.__name__}.{name}"
            if not isinstance(value, type) or issubclass(value, Warning):
                continue
            for method, function in inspect.getmembers(value, inspect.isfunction):
                if not method.startswith("_") and function.__module__.startswith("skrepr"):
                    yield f"{module.__name__}.{name}.{method}"


@pytest.mark.parametrize("public_name", list(public_names()))
def test_docstring_is_numpydoc(public_name):
    errors = validate(public_name)["errors"]
    assert [error for error in errors if error[0] not in NOT_ASKED_FOR] == []


@pytest.mark.parametrize(
    "cls",
    [*ESTIMATORS.values(), *PARTS],
    ids=lambda cls: cls.__name__,
)
def test_parameters_are_documented_with_their_defaults(cls):
    documented = {entry.name: entry.type for entry in ClassDoc(cls)["Parameters"]}
    parameters = inspect.signature(cls.__init__).parameters
    assert list(documented) == list(parameters)[1:]
    for parameter, type_line in documented.items():
        stated = type_line.partition("default=")[2]
        if parameters[parameter].default is inspect.Parameter.empty:  # data given to a display
            assert not stated
            continue
        assert stated, f"{parameter}: no default in {type_line!r}"
        assert ast.literal_eval(stated) == parameters[parameter].default, parameter


def assert_shared_parameters_agree(classes):
    """Assert that parameters of one name have one place, one default and one description."""
    signatures = [inspect.signature(cls.__init__).parameters for cls in classes]
    for parameters in signatures:
        free, *keyword_only = list(parameters.values())[1:]
        assert free.name == "n_components"
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in keyword_only)
    for parameters in signatures[1:]:
        own = {"self", "n_components", *own_types_of(parameters)}
        for shared in parameters.keys() & signatures[0].keys() - own:
            assert parameters[shared].default == signatures[0][shared].default, shared
    if len(classes) > 1:
        # of unlike kinds for tables, series and text
        kinds = ["architecture", "objective", "input_shape", "pooling"]
        not_shared = ["n_components", *kinds, *WITH_OWN_DEFAULTS]
        for pair in itertools.combinations(classes, 2):
            documented = [{entry.name for entry in ClassDoc(cls)["Parameters"]} for cls in pair]
            own = {n for cls in pair for n in own_types_of(inspect.signature(cls).parameters)}
            names = sorted(set.intersection(*documented).difference(not_shared, own))
            if names:
                assert_docstring_consistency(pair, include_params=names)
        for name in WITH_OWN_DEFAULTS:
            assert len({words_of(cls, name) for cls in classes} - {None}) <= 1, name


# What "auto" or None becomes is each estimator's own: there, the first sentence is the same.
WITH_OWN_DEFAULTS = ["max_epochs", "batch_size", "early_stopping", "patience", "augmentation"]


def own_types_of(parameters):
    """Name what has another type there: a learning rate that depends on the algorithm."""
    return {"learning_rate"} & {name for name, p in parameters.items() if p.default == "auto"}


def words_of(cls, name):
    """Return the type line and the first sentence about a parameter, None if there is none."""
    if name not in inspect.signature(cls.__init__).parameters:
        return None
    (entry,) = (entry for entry in ClassDoc(cls)["Parameters"] if entry.name == name)
    return entry.type, " ".join(entry.desc).partition(".")[0]


def test_shared_parameters_agree():
    assert_shared_parameters_agree(list(ESTIMATORS.values()))


class Same(skrepr.AutoencoderEmbedding):
    """Another estimator with the same parameters."""

    # its examples are run where they stand
    __doc__ = skrepr.AutoencoderEmbedding.__doc__.partition("    Examples\n")[0]

    def __init__(self, n_components=16, *, patience=10):
        """Take one of them."""


class OtherDefault(Same):
    """One with a default of its own."""

    __doc__ = Same.__doc__

    def __init__(self, n_components=16, *, patience=11):
        """Take another default."""


class OtherWords(Same):
    """One with words of its own."""

    __doc__ = Same.__doc__.replace("Step size of", "Size of the steps of")

    def __init__(self, n_components=16, *, learning_rate=1e-3):
        """Take one of them."""


class OtherMeaning(Same):
    """One with another first sentence where the rest is free."""

    __doc__ = Same.__doc__.replace("Number of epochs without", "How many epochs without")


def test_drift_of_shared_parameters_is_seen():
    first = skrepr.AutoencoderEmbedding
    assert_shared_parameters_agree([first, Same])
    for drifted in (OtherDefault, OtherWords, OtherMeaning):
        with pytest.raises(AssertionError):
            assert_shared_parameters_agree([first, drifted])


def modules():
    yield "skrepr"
    for module in pkgutil.walk_packages(skrepr.__path__, "skrepr."):
        yield module.name


def test_doctests_are_run():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    assert "--doctest-modules" in settings["ini_options"]["addopts"].split()
    assert "skrepr" in settings["ini_options"]["testpaths"]


@pytest.mark.parametrize("module", list(modules()))
def test_no_doctest_escapes_them(module):
    """One in a string that documents nothing is never run."""
    module = importlib.import_module(module)
    found = doctest.DocTestFinder().find(module)
    n_written = inspect.getsource(module).count(">>> ")
    assert sum(len(test.examples) for test in found) == n_written


@pytest.mark.parametrize(
    "value", [*ESTIMATORS.values(), *PARTS, skrepr.save, skrepr.load], ids=lambda v: v.__name__
)
def test_every_public_object_has_an_example(value):
    assert ">>> " in value.__doc__
