"""The door of the metrics: what numbers and arrays become."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrepr.metrics import consistency_score, embedding_report, trustworthiness
from skrepr.metrics._input import as_array, read_integer, read_real, read_targets


def test_numbers_become_those_of_python():
    for kind in (np.int8, np.uint64, int):
        assert type(read_integer(kind(7), "k", 1)) is int
    for kind in (np.float16, np.float32, np.longdouble, np.int8, int):
        assert type(read_real(kind(1), "t", 0)) is float


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "t == 0, must be > 0"),
        (-np.inf, "t == -inf, must be > 0"),
        (np.inf, r"t == inf, must be <= 1e\+300"),
        (np.nan, "t == nan, must be a number"),
    ],
)
def test_numbers_outside_are_refused(value, message):
    with pytest.raises(ValueError, match=message):
        read_real(value, "t", 0)


def test_narrow_integers_do_not_overflow():
    X = np.random.default_rng(0).normal(size=(5000, 3))
    Z = X[:, :2]
    expected = trustworthiness(X, Z, sample_size=200, random_state=0)
    narrow = trustworthiness(
        X, Z, n_neighbors=np.int16(5), sample_size=np.int16(200), random_state=0
    )
    assert narrow == expected < 1


def test_a_narrow_share_of_many_rows_is_of_all_of_them():
    X = np.random.default_rng(0).normal(size=(300_000, 2)).astype(np.float32)
    # a quarter of the rows is beyond float16
    wide, narrow = (
        embedding_report(PCA(1), X, test_size=share, random_state=0).table
        for share in (0.25, np.float16(0.25))
    )
    assert wide.equals(narrow)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.int32]
)
def test_tensors_become_arrays(dtype):
    values = torch.arange(6).reshape(2, 3).to(dtype)
    if dtype.is_floating_point and dtype is not torch.float8_e5m2:
        values.requires_grad_()
    found = as_array(values)
    assert type(found) is np.ndarray
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_targets_may_be_tensors():
    y = torch.tensor([0.5, 2.0, 1.0]).bfloat16().requires_grad_()
    assert read_targets(y).tolist() == [0.5, 2, 1]


def test_what_is_no_tensor_is_left_alone():
    for other in ([[1.0]], None, np.eye(2)):
        assert as_array(other) is other


def test_infinities_are_told_before_an_estimator_sees_them():
    X = np.eye(40)[:, :3].copy()
    X[:2, 0] = np.inf, -np.inf
    model = make_pipeline(StandardScaler(), PCA(2))
    for rows in (X, pd.DataFrame(X), torch.from_numpy(X)):
        for metric in (embedding_report, consistency_score):
            with pytest.raises(ValueError, match="Input X contains infinity"):
                metric(model, rows)


def test_texts_are_data_too():
    texts = ["a b", "b", "a", "b a", "c a", "c"] * 10
    model = make_pipeline(CountVectorizer(token_pattern=r"\w"), TruncatedSVD(2))
    for rows in (texts, np.array(texts), pd.Series(texts)):
        assert consistency_score(model, rows, random_state=0) == pytest.approx(1)


@pytest.mark.parametrize("values", [[np.inf, -np.inf], [np.inf, 0], [np.nan, 1]])
def test_targets_are_finite(values):
    with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity)"):
        read_targets(np.array(values))
