"""What a fitted embedding of series is asked for comes back as X was given."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skrepr import SequenceTransformerEmbedding
from skrepr.architectures import Transformer

RNG = np.random.default_rng(0)
LENGTH = 24
WAVES = np.sin(RNG.uniform(0, 6, size=(40, 1)) + np.arange(LENGTH) / 2)
PAIRS = np.stack([WAVES, WAVES[:, ::-1]], 1)  # (40, 2, LENGTH)
NAN = np.nan


def make(**parameters):
    small = {
        "architecture": Transformer(1, n_heads=2, n_units=8, patch_size=4),
        "max_epochs": 1,
        "random_state": 0,
    }
    return SequenceTransformerEmbedding(4, **small | parameters)


@pytest.fixture(scope="module")
def of_tables():
    return make().fit(WAVES)


@pytest.fixture(scope="module")
def of_lists():
    return make().fit(list(PAIRS))


@pytest.mark.parametrize("kind", ["nullable", "sparse", "tensor", "frame"])
def test_gaps_are_filled_in_whatever_holds_them(of_tables, kind):
    holes = WAVES.copy()
    holes[:, [5, 6]] = NAN
    expected = of_tables.impute(holes)
    assert np.isfinite(expected).all()
    frame = pd.DataFrame(holes)
    given = {
        "nullable": lambda: frame.astype("Float64"),
        "sparse": lambda: scipy.sparse.csr_matrix(holes),
        "tensor": lambda: torch.tensor(holes, requires_grad=True),
        "frame": lambda: frame,
    }[kind]()
    of_frames = make().fit(pd.DataFrame(WAVES)) if "frame" in kind else of_tables
    assert_allclose(of_frames.impute(given), expected, rtol=1e-6)


def test_an_array_after_a_fit_to_a_list_gives_arrays(of_lists):
    holes = PAIRS.copy()
    holes[:, 0, 7:9] = NAN
    for method, shape in (
        ("impute", (40, 2, LENGTH)),
        ("transform_steps", (40, LENGTH, 8)),
        ("attention", (40, 6, 6)),
        ("transform", (40, 4)),
    ):
        of_array, of_list = (getattr(of_lists, method)(X) for X in (holes, list(holes)))
        assert of_array.shape == shape
        assert_allclose(of_array, np.stack(of_list))


def test_series_of_one_axis_come_back_with_one():
    series = [wave[: 8 + i] for i, wave in enumerate(WAVES[:16])]
    embedding = make().fit(series)
    series[3] = series[3].copy()
    series[3][4] = NAN
    filled = embedding.impute(series)
    assert [one.shape for one in filled] == [one.shape for one in series]
    assert np.isfinite(filled[3]).all()
    assert_array_equal(filled[2], series[2])
    objects = np.empty(16, dtype=object)
    objects[:] = series
    assert_array_equal(embedding.transform(objects), embedding.transform(series))
    assert [len(codes) for codes in embedding.transform_steps(objects)] == [*range(8, 24)]


@pytest.mark.parametrize("scaling", ["per_channel", "per_sample"])
@pytest.mark.parametrize("special", [{}, {"time_channel": 0}])
def test_padding_in_front_changes_nothing(scaling, special):
    """Patches are cut from the first observed step of a series on."""
    X = PAIRS.copy()
    if special:
        X[:, 0] = np.arange(LENGTH) ** 1.1
    X[:, 1, 10] = NAN
    embedding = make(scaling=scaling, **special).fit(list(X))
    in_front = [np.pad(one, ((0, 0), (n, 3)), constant_values=NAN) for n, one in enumerate(X[:9])]
    Z = embedding.transform(X[:9])
    assert_allclose(embedding.transform(in_front), Z, atol=1e-5 * np.ptp(Z))
    assert_allclose(
        embedding.score_samples(in_front), embedding.score_samples(X[:9]), rtol=1e-4, atol=1e-5
    )
    for method, axis in (("impute", 1), ("transform_steps", 0)):
        for n, (padded, alone) in enumerate(
            zip(getattr(embedding, method)(in_front), getattr(embedding, method)(list(X[:9])))
        ):
            padded, alone = np.moveaxis(padded, axis, 0), np.moveaxis(alone, axis, 0)
            assert np.isnan(padded[:n]).all() and np.isnan(padded[n + LENGTH :]).all()
            assert_allclose(padded[n : n + LENGTH], alone, atol=1e-4)


def test_before_the_fit_there_is_nothing_to_look_at():
    with pytest.raises(NotFittedError):
        make().attention(WAVES)


def test_an_encoder_without_attention_shows_none(of_tables):
    class Steps(torch.nn.Module):
        patch_size, width = 1, 3

        def __init__(self, n_inputs):
            super().__init__()
            self.embed = torch.nn.Linear(n_inputs, 3)

        def n_patches(self, length):
            return length

        def forward(self, inputs, times, inside):
            return self.embed(inputs.mT), inside

    class Recipe(Transformer):
        def make_step_encoder(self, n_inputs, length, *, longest=None, causal=False):
            return Steps(n_inputs)

    embedding = make(architecture=Recipe()).fit(WAVES)
    assert not hasattr(embedding, "attention")
    assert hasattr(of_tables, "attention")


@pytest.mark.parametrize("X", [[], None, 3.0, [[]]])
def test_what_is_no_series_is_told(of_lists, X):
    with pytest.raises(ValueError, match=r"0 sample.* required by SequenceTr|must be|must have"):
        of_lists.transform(X)
