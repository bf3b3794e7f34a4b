"""What all metrics of arrays have in common."""

import functools
import inspect
import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.random_projection import GaussianRandomProjection

from skrepr import metrics

Z = np.random.default_rng(0).normal(size=(80, 4))
OTHER = Z + np.random.default_rng(1).normal(size=(80, 4))
LABELS = np.arange(80) % 3
FACTORS = np.c_[LABELS, Z[:, 0]]

ARGUMENTS = {
    "active_units": (Z,),
    "alignment": (Z, OTHER),
    "dci": (Z, FACTORS),
    "effective_rank": (Z,),
    "knn_agreement": (Z, LABELS),
    "linear_cka": (Z, OTHER),
    "linear_probe_score": (Z, LABELS),
    "median_rank": (Z, OTHER),
    "mig": (Z, FACTORS),
    "mutual_information": (Z, OTHER),
    "neighborhood_preservation": (Z, OTHER),
    "recall_at_k": (Z, OTHER),
    "trustworthiness": (Z, OTHER),
    "uniformity": (Z,),
}
PAIRED = [name for name, arguments in ARGUMENTS.items() if len(arguments) == 2]
OF_ESTIMATORS = {"consistency_score", "embedding_report"}
ARRAYS = {"X", "Z", "other", "y", "factors", "estimator"}
FLAGS = {"center", "return_error", "return_std"}
CHOICES = {"method", "metric", "random_state"}
# Values that also the narrow types of numpy hold.
INTEGERS = {"k": 5, "n_bins": 5, "n_neighbors": 5, "n_repeats": 2, "sample_size": 50}
REALS = {"alpha": 1.5, "t": 1.5, "temperature": 0.25, "test_size": 0.25, "threshold": 0.25}
SEQUENCES = {"label_fractions": (0.25, 0.5)}


def call(name, *arguments, **options):
    metric = getattr(metrics, name)
    if "random_state" in inspect.signature(metric).parameters:
        options.setdefault("random_state", 0)
    return np.asarray(metric(*arguments, **options), dtype=float)


@functools.cache
def value_of(name):
    """Compute once what is compared with several times."""
    return call(name, *ARGUMENTS[name])


def parameters_named(names):
    """List (metric, parameter) of all metrics that have such a parameter."""
    return [
        (metric, parameter)
        for metric in metrics.__all__
        for parameter in inspect.signature(getattr(metrics, metric)).parameters
        if parameter in names
    ]


def call_with(metric, **options):
    """Call a metric of arrays, or of an estimator, with one option that is not its default."""
    if metric in ARGUMENTS:
        return call(metric, *ARGUMENTS[metric], **options)
    estimator = GaussianRandomProjection(2, random_state=0)
    found = getattr(metrics, metric)(estimator, Z, random_state=0, **options)
    return found.table["PCA"].to_numpy() if metric == "embedding_report" else np.asarray(found)


def test_every_metric_is_tried_here():
    assert set(metrics.__all__) == ARGUMENTS.keys() | OF_ESTIMATORS
    known = ARRAYS | FLAGS | CHOICES | INTEGERS.keys() | REALS.keys() | SEQUENCES.keys()
    for name in metrics.__all__:
        assert inspect.signature(getattr(metrics, name)).parameters.keys() <= known


@pytest.mark.parametrize(("metric", "name"), parameters_named(INTEGERS))
def test_integers_are_those_of_numpy_too_and_no_booleans(metric, name):
    expected = call_with(metric, **{name: INTEGERS[name]})
    for kind in (np.int8, np.uint16, np.int64):
        assert np.array_equal(call_with(metric, **{name: kind(INTEGERS[name])}), expected)
    for bad in (True, np.True_, np.nan, 2.5):
        with pytest.raises(TypeError, match=f"{name} must be an instance of int, not "):
            call_with(metric, **{name: bad})


@pytest.mark.parametrize(("metric", "name"), parameters_named(REALS))
def test_numbers_are_those_of_numpy_too_and_finite(metric, name):
    expected = call_with(metric, **{name: REALS[name]})
    for kind in (np.float16, np.float32, np.longdouble):
        assert np.array_equal(call_with(metric, **{name: kind(REALS[name])}), expected)
    for bad in (True, np.True_, "1"):
        with pytest.raises(TypeError, match=f"{name} must be an instance of float, not "):
            call_with(metric, **{name: bad})
    for bad in (np.nan, np.float32(np.nan)):
        with pytest.raises(ValueError, match=f"{name} == nan, must be a number"):
            call_with(metric, **{name: bad})
    for bad in (np.inf, 10**400, -np.inf):
        with pytest.raises(ValueError, match=f"{name} == -?[0inf]+|{name} == 10+, must be [<>]"):
            call_with(metric, **{name: bad})


@pytest.mark.parametrize(("metric", "name"), parameters_named(SEQUENCES))
def test_sequences_hold_numbers(metric, name):
    expected = call_with(metric, **{name: SEQUENCES[name]})
    for kind in (np.float16, np.float64):
        assert np.array_equal(
            call_with(metric, **{name: np.array(SEQUENCES[name], dtype=kind)}), expected
        )
    with pytest.raises(ValueError, match=f"{name} == nan, must be a number"):
        call_with(metric, **{name: (0.5, np.nan)})
    with pytest.raises(TypeError, match=f"{name} must be an instance of float, not bool"):
        call_with(metric, **{name: (0.5, True)})


@pytest.mark.parametrize("name", ARGUMENTS)
def test_lists_frames_and_float32_count_as_arrays(name):
    arguments = ARGUMENTS[name]
    value = call(name, *arguments)
    assert np.isfinite(value).all()
    # an index of the user's is not to be taken for positions
    index = pd.RangeIndex(80)[::-1]
    frames = [(pd.Series if a.ndim == 1 else pd.DataFrame)(a, index=index) for a in arguments]
    assert (call(name, *frames) == value).all()
    assert (call(name, *(a.tolist() for a in arguments)) == value).all()
    narrow = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arguments]
    assert np.allclose(call(name, *narrow), value, atol=0.02)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_tensors_count_as_arrays(name):
    tensors = [torch.from_numpy(a) for a in ARGUMENTS[name]]
    with_gradients = [a.requires_grad_() if a.is_floating_point() else a for a in tensors]
    assert (call(name, *with_gradients) == call(name, *ARGUMENTS[name])).all()
    narrow = [a.detach().bfloat16() if a.is_floating_point() else a for a in tensors]
    rounded = [a.float().numpy() if a.is_floating_point() else a.numpy() for a in narrow]
    assert (call(name, *narrow) == call(name, *rounded)).all()


class OfTensors(TransformerMixin, BaseEstimator):
    """PCA that hands out tensors of bfloat16."""

    def fit(self, X, y=None):
        self.pca_ = PCA(2).fit(X)
        return self

    def transform(self, X):
        return torch.from_numpy(self.pca_.transform(X)).bfloat16().requires_grad_()

    def reconstruct(self, X):
        return torch.from_numpy(self.pca_.inverse_transform(self.pca_.transform(X))).bfloat16()


def test_of_an_estimator_that_takes_or_gives_tensors():
    X = torch.from_numpy(Z).bfloat16().requires_grad_()
    y = torch.from_numpy(LABELS)
    of_tensor = metrics.embedding_report(OfTensors(), X, y, random_state=0)
    of_array = metrics.embedding_report(
        OfTensors(), X.detach().float().numpy(), LABELS, random_state=0
    )
    assert of_tensor.table.equals(of_array.table)
    scores = of_tensor.table.loc["trustworthiness"]
    assert scores["OfTensors"] == pytest.approx(scores["PCA"], abs=0.02)
    score = metrics.consistency_score(OfTensors(), X, random_state=0)
    assert score == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_and_the_global_generator_are_left_alone(name):
    arguments = [a.copy() for a in ARGUMENTS[name]]
    for a in arguments:
        a.flags.writeable = False
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    call(name, *arguments)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_embedding_is_a_finite_dense_table(name):
    position = 1 if name in ("trustworthiness", "neighborhood_preservation") else 0

    def try_with(bad):
        arguments = list(ARGUMENTS[name])
        arguments[position] = bad
        return call(name, *arguments)

    # infinities of both signs have a sum that numpy warns of
    for values, word in ((np.nan, "NaN"), (np.inf, "infinity"), ([np.inf, -np.inf], "infinity")):
        holed = Z.copy()
        holed[3:5, 1] = values
        with pytest.raises(ValueError, match=f"Input (Z|other|X) contains {word}"):
            try_with(holed)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        try_with(Z[:, 0])
    with pytest.raises(TypeError, match="Sparse data was passed for Z"):
        try_with(csr_array(Z))
    with pytest.raises(ValueError, match="could not convert string to float"):
        try_with(np.full((80, 4), "a"))


@pytest.mark.parametrize("name", PAIRED)
def test_rows_without_a_partner_are_told(name):
    first, second = ARGUMENTS[name]
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[80, 79\]"):
        call(name, first, second[1:])


OF_ANGLES = {"alignment", "uniformity", "mutual_information"}  # to which the origin matters


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name not in OF_ANGLES])
def test_an_offset_costs_float64_nothing_that_matters(name):
    options = {"metric": "euclidean"} if name in ("recall_at_k", "median_rank") else {}
    expected = call(name, *ARGUMENTS[name], **options)
    arguments = [a + 1e6 if a.dtype.kind == "f" and a.ndim == 2 else a for a in ARGUMENTS[name]]
    assert np.allclose(call(name, *arguments, **options), expected, atol=1e-3)


UNITS = [1e-300, 1e-170, 1e-17, 1e17, 1e155, 1e307]


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "active_units"])
@pytest.mark.parametrize("unit", UNITS)
def test_units_do_not_matter(name, unit):
    embedding, *others = ARGUMENTS[name]
    expected = value_of(name)
    if name in ("mig", "dci"):
        others = [others[0] * [1, unit]]  # the first factor is of classes
    elif others and others[0].dtype.kind == "f":
        others = [unit * others[0]]
    # trees break ties by what rounding leaves
    atol = 0.02 if name == "dci" else 1e-3
    assert np.allclose(call(name, unit * embedding, *others), expected, atol=atol)
    if others and name not in ("recall_at_k", "median_rank"):
        assert np.allclose(call(name, embedding, *others), expected, atol=atol)
    if 1e-20 < unit < 1e20:
        narrow = [(unit * embedding).astype(np.float32), *others]
        assert np.allclose(call(name, *narrow), expected, atol=0.02)


@pytest.mark.parametrize("name", ["recall_at_k", "median_rank"])
@pytest.mark.parametrize("unit", UNITS)
def test_units_that_are_common_do_not_matter(name, unit):
    expected = call(name, Z, OTHER, metric="euclidean")
    assert call(name, unit * Z, unit * OTHER, metric="euclidean") == expected


@pytest.mark.parametrize("name", ["linear_probe_score", "mig", "dci"])
def test_columns_may_each_have_a_unit(name):
    embedding, others = ARGUMENTS[name]
    units = np.array([1e-300, 1e-155, 1, 1e200])
    assert np.allclose(call(name, embedding * units, others), call(name, embedding, others))


def parameters_of(metric):
    """Split the section on parameters into the paragraphs, by the names before the colon."""
    section = re.search(r"Parameters\n-+\n(.*?)\n\n[A-Z]\w+\n-+", inspect.getdoc(metric), re.S)
    entries = re.findall(r"^(\S[^\n]*)\n((?:    [^\n]*\n?)+)", section[1] + "\n", re.M)
    return {
        name: (head.partition(" : ")[2], " ".join(text.split()))
        for head, text in entries
        for name in head.partition(" : ")[0].split(", ")
    }


def test_what_metrics_share_is_described_in_the_same_words():
    found = {}
    for name in ARGUMENTS:
        for parameter, (kind, text) in parameters_of(getattr(metrics, name)).items():
            found.setdefault(parameter, {})[name] = kind, text
    for parameter in ("return_error", "test_size", "factors", "n_neighbors", "sample_size"):
        kinds = {kind for kind, _ in found[parameter].values()}
        openings = {text.split()[0] for _, text in found[parameter].values()}
        assert len(kinds) == len(openings) == 1, parameter
    kinds = {kind for kind, _ in found["random_state"].values()}
    assert kinds == {"int, RandomState instance or None, default=None"}
    assert all(text.startswith("Seed of ") for _, text in found["random_state"].values())
