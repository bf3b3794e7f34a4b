"""What an embedding of series reads, and what it refuses before any training."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skrepr import SequenceTransformerEmbedding, load, save
from skrepr.architectures import Recurrent, Transformer
from skrepr.objectives import HierarchicalContrast, NextStepPrediction, WeightedSum

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 12)).cumsum(axis=1)
RAGGED = [series[None, :length] for series, length in zip(X, RNG.integers(5, 13, size=40))]
SMALL = Transformer(1, n_heads=2, n_units=8)


def make(**parameters):
    settings = {"architecture": SMALL, "max_epochs": 1, "random_state": 0} | parameters
    return SequenceTransformerEmbedding(2, **settings)


# ------------------------------------------------------------------------- kinds of data


def test_numbers_of_any_form_are_series(tmp_path):
    expected = make().fit(X).transform(X)
    for kind in ("auto", "series"):
        for given in (X, X.tolist(), X.astype(object), torch.tensor(X), pd.DataFrame(X)):
            embedding = make(kind=kind).fit(given)
            assert embedding.kind_ == "series"
            assert_array_equal(embedding.transform(given), expected)
        assert make(kind=kind).fit(RAGGED).kind_ == "series"
    save(embedding, tmp_path / "embedding")
    copies = load(tmp_path / "embedding"), pickle.loads(pickle.dumps(embedding))
    for twin in (*copies, copy.deepcopy(embedding)):
        assert (twin.kind, twin.kind_) == ("series", "series")
        assert_array_equal(twin.transform(X), expected)
    assert clone(embedding).kind == "series"
    assert not hasattr(clone(embedding), "kind_")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["a word", "and more"], "strings, such as 'a word'"),
        ("a word", "strings, such as 'a word'"),
        (np.array([["one", "two"]] * 9), "strings, such as 'one'"),
        (np.array([[1.0, "two"]] * 9, dtype=object), "strings, such as 'two'"),
        (pd.Series(["one", "two"]), "strings, such as 'one'"),
        ([["a", "b"], ["c"]], "lists of tokens, such as 'a'"),
        ([[], ["c"]], "lists of tokens, such as 'c'"),
        ([[1.0, 2.0], [3.0, b"x"]], "lists of tokens, such as b'x'"),
        (np.full((9, 3), "2026-11-30", dtype="M8[D]"), r"an array of datetime64\[D\]"),
        ([np.full((1, 3), "2026-11-30", dtype="M8[D]")] * 9, r"an array of datetime64\[D\]"),
    ],
    ids=str,
)
def test_what_holds_no_numbers_is_told(given, found):
    message = f"X must be series of numbers: an array of shape .* Got {found}.*kind='auto' reads"
    embedding = make().fit(X)
    for method in (make().fit, make().partial_fit, embedding.fit, embedding.transform):
        with pytest.raises(ValueError, match=message):
            method(given)
    assert embedding.transform(X).shape == (40, 2)
    with pytest.raises(ValueError, match="X must be series of numbers"):
        make().fit(RAGGED).score(given)


def test_strings_that_hold_numbers_are_read_if_they_are_said_to_be_series():
    texts = X.astype(str)
    embedding = make(kind="series").fit(texts)
    assert_array_equal(embedding.transform(texts), make().fit(texts.astype(float)).transform(X))
    with pytest.raises(ValueError, match="could not convert string"):
        make(kind="series").fit([["one", "two"]] * 9)
    with pytest.raises(ValueError, match="'kind' parameter"):
        make(kind="tokens").fit(X)


# ---------------------------------------------------------------------- lists in lists


def test_nested_lists_are_read_as_the_arrays_in_them():
    channels = [np.concatenate([series, series**2]) for series in RAGGED]
    for arrays in (RAGGED, channels):
        nested = [series.tolist() for series in arrays]
        embedding = make().fit(nested)
        assert embedding.layout_ == (len(arrays[0]), 12)
        expected = make().fit(arrays).transform(arrays)
        assert_array_equal(embedding.transform(nested), expected)
        rows_of_arrays = [list(series) for series in arrays]
        assert_array_equal(embedding.transform(rows_of_arrays), expected)
    flat = [series[0].tolist() for series in RAGGED]
    assert_array_equal(make().fit(flat).transform(flat), make().fit(RAGGED).transform(RAGGED))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[[1, 2, 3], [4, 5]]] * 9, r"shape \(n_channels, length\).*X\[0\] with 2 channels of 2 "),
        ([[[1, 2], [4, 5]], [[1, 2, 3], [4]]], r"X\[1\] with 2 channels of 1 and 3 steps.*NaN"),
        ([[1, 2, 3], [[1, 2], [3, 4]]], r"shape \(1, length\).*X\[1\] of shape \(2, 2\)"),
        ([[[1, 2]], [[1, 2, 3], [4, 5, 6]]], r"shape \(1, length\).*X\[1\] of shape \(2, 3\)"),
        ([[[[1, 2]], [[1]]]] * 9, r"X must be series: an array of shape .*Got nested lists"),
        ([1.0, [2.0, 3.0]], r"X must be series: an array of shape .*Got nested lists"),
        ([[], [1.0]], r"length of at least 1. Got X\[0\] of shape \(1, 0\)"),
    ],
    ids=str,
)
def test_nested_lists_of_no_shape_are_told(given, message):
    with pytest.raises(ValueError, match=message):
        make().fit(given)


def test_what_was_fitted_to_an_array_reads_no_nested_lists_of_different_lengths():
    embedding = make().fit(X)
    for given in ([[1.0, 2.0], [1.0]], [[[1.0, 2.0]], [[1.0]]]):
        with pytest.raises(ValueError, match="Fit on a list to read series of any length"):
            embedding.transform(given)


# -------------------------------------------------------------------- nothing to learn of


@pytest.mark.parametrize("given", [X, RAGGED], ids=["array", "list"])
def test_a_chunk_without_a_value_is_skipped(given):
    """As a StandardScaler does; the stream goes on as if it had not been there."""
    with pytest.raises(ValueError, match="X holds no value"):
        make().partial_fit(np.full((9, 12), np.nan))
    nothing = [series * np.nan for series in given[:9]]
    nothing = nothing if isinstance(given, list) else np.stack(nothing)
    embedding = make().partial_fit(given)
    before, rows = embedding.transform(given), len(embedding.history_)
    with pytest.warns(UserWarning, match="This chunk was skipped: all of its values"):
        assert embedding.partial_fit(nothing) is embedding
    assert_array_equal(embedding.transform(given), before)
    assert len(embedding.history_) == rows
    expected = make().partial_fit(given).partial_fit(given).transform(given)
    assert_array_equal(embedding.partial_fit(given).transform(given), expected)
    with pytest.raises(ValueError, match="X holds no value"):
        embedding.set_params(warm_start=True).fit(nothing)
    with pytest.raises(ValueError, match=r"features|channels|shape"):
        embedding.partial_fit(np.full((9, 3, 12), np.nan))


@pytest.mark.parametrize(
    "architecture",
    [
        Transformer(1, n_heads=2, n_units=8, patch_size=16),
        Recurrent(n_units=4, patch_size=12),
    ],
    ids=str,
)
def test_a_causal_objective_needs_a_patch_behind_the_first(architecture):
    of_the_next = [("next", NextStepPrediction(), 1.0), ("crops", HierarchicalContrast(), 1.0)]
    for objective in (NextStepPrediction(), WeightedSum(of_the_next)):
        embedding = make(architecture=architecture, objective=objective)
        for given in (X, RAGGED):
            size = architecture.patch_size
            with pytest.raises(ValueError, match=f"one patch of patch_size={size}. Use an archi"):
                embedding.fit(given)
    smaller = clone(architecture).set_params(patch_size=6)
    embedding = make(architecture=smaller, objective=NextStepPrediction()).fit(X)
    assert embedding.score(X) != 0
    assert make(architecture=architecture).fit(X).transform(X).shape == (40, 2)


def test_no_rows_are_remembered_behind_a_fit(monkeypatch):
    """Nor behind one that goes on with a network, and fails."""
    embedding = make().partial_fit(X)
    memory = embedding.module_.memory
    assert not memory.is_open

    def fail(*arguments):
        raise RuntimeError("of this test")

    monkeypatch.setattr(SequenceTransformerEmbedding, "_fit_readout", fail)
    with pytest.raises(RuntimeError, match="of this test"):
        embedding.partial_fit(X)
    assert not memory.is_open
    assert not memory.kept
