"""What all metrics of arrays have in common."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

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


def call(name, *arguments, **options):
    metric = getattr(metrics, name)
    if "random_state" in inspect.signature(metric).parameters:
        options.setdefault("random_state", 0)
    return np.asarray(metric(*arguments, **options), dtype=float)


def test_every_metric_is_tried_here():
    assert set(metrics.__all__) == ARGUMENTS.keys() | OF_ESTIMATORS


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

    for value, word in ((np.nan, "NaN"), (np.inf, "infinity")):
        holed = Z.copy()
        holed[3, 1] = value
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


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "active_units"])
@pytest.mark.parametrize("unit", [1e-17, 1e17])
def test_units_do_not_matter(name, unit):
    embedding, *others = ARGUMENTS[name]
    if name in ("alignment", "mutual_information", "recall_at_k", "median_rank"):
        others = [unit * others[0]]
    expected = call(name, *ARGUMENTS[name])
    assert np.allclose(call(name, unit * embedding, *others), expected, atol=1e-3)


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
