"""Laws of the embedding of series as an estimator."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skrepr import SequenceTransformerEmbedding, load, save
from skrepr._kernel_bank import KernelBank
from skrepr._light_curve_features import LightCurveFeatures
from skrepr.architectures import MLP, ConvNet, Recurrent, Transformer
from skrepr.augmentations import Jitter, TimeCrop, TimeMask
from skrepr.datasets import make_light_curves
from skrepr.objectives import (
    BYOL,
    HierarchicalContrast,
    MaskedReconstruction,
    NextStepPrediction,
    SimCLR,
    SupCon,
    VICReg,
    WeightedSum,
)

RNG = np.random.default_rng(0)
LENGTH = 40


def waves(n):
    """Draw sines of two periods; return them and the periods."""
    phase, period = RNG.uniform(0, 6, size=(n, 1)), RNG.choice([8, 16], size=(n, 1))
    return np.sin(phase + 2 * np.pi * np.arange(LENGTH) / period), period[:, 0]


PURE, _ = waves(260)
WAVES, PERIOD = waves(80)
WAVES += RNG.normal(0, 0.05, size=WAVES.shape)
RAGGED = [
    np.stack([wave, 5 + 2 * wave])[:, :length]
    for wave, length in zip(WAVES, RNG.integers(12, LENGTH + 1, size=80), strict=True)
]
CURVES = make_light_curves(24, classes=["rr_lyrae_ab", "quasar"], random_state=0).curves
CURVES = [curve[:, :60] for curve in CURVES]
OF_CURVES = {"time_channel": 0, "error_channel": 2, "band_channel": 3}


AMPLITUDES = RNG.normal(size=(2, 2, 240, 1))
OSCILLATIONS = sum(
    a * np.cos(angle) + b * np.sin(angle)
    for (a, b), angle in zip(
        AMPLITUDES, (2 * np.pi * np.arange(60) / period for period in (8, 13)), strict=True
    )
)


def make(n_components=4, **parameters):
    small = {
        "architecture": Transformer(1, n_heads=2, n_units=8),
        "max_epochs": 2,
        "random_state": 0,
    }
    return SequenceTransformerEmbedding(n_components, **small | parameters)


@pytest.fixture(scope="module")
def trained():
    architecture = Transformer(2, n_heads=2, n_units=32, patch_size=1)
    settings = {"max_epochs": 25, "batch_size": 32, "learning_rate": 3e-3, "fixed_features": False}
    return make(architecture=architecture, **settings).fit(PURE[:200])


@pytest.fixture(scope="module")
def of_lists():
    return make().fit(RAGGED)


@pytest.fixture(scope="module")
def of_curves():
    return make(**OF_CURVES).fit(CURVES)


# ------------------------------------------------------------------------ what it learns


def test_a_planted_rule_is_learned(trained):
    """What is hidden of a sine follows from the rest of it."""
    assert 0.98 < trained.score(PURE[200:]) <= 1


def test_missing_values_come_back_in_units_of_x(trained):
    holes = PURE[200:].copy()
    holes[:, 20:22] = np.nan
    holes[:, :3] = np.nan
    filled = trained.impute(holes)
    assert filled.shape == holes.shape
    assert np.abs(filled - PURE[200:])[:, 20:22].mean() < 0.15
    assert np.isnan(filled[:, :3]).all()  # outside of the series
    assert_array_equal(filled[:, 3:20], PURE[200:, 3:20])
    moved, still = (make().fit(X) for X in (300 + 20 * PURE[:60], PURE[:60]))
    assert_allclose(moved.impute(300 + 20 * holes), 300 + 20 * still.impute(holes), rtol=1e-3)


def test_faint_series_are_learned_beside_loud_ones():
    """Each is told in units of its own: else the loss is that of the loud ones alone."""
    loudness = np.where(np.arange(220) % 2, 30, 1)[:, None]
    settings = {"max_epochs": 15, "batch_size": 20, "learning_rate": 5e-3, "random_state": 0}
    recipe = Transformer(2, n_heads=2, n_units=32, patch_size=1)
    embedding = SequenceTransformerEmbedding(
        4, architecture=recipe, scaling="per_sample", fixed_features=False, **settings
    ).fit((loudness * PURE[:220])[:160])
    holes = PURE[160:220].copy()
    holes[:, 20:22] = np.nan
    off = (embedding.impute(loudness[160:] * holes) / loudness[160:] - PURE[160:220])[:, 20:22]
    for some in (off[::2], off[1::2]):
        assert (some**2).mean() < 0.05 * PURE.var()


def test_missing_values_follow_from_other_channels_of_the_same_step():
    noise = RNG.normal(size=(200, 1, 24))
    X = np.concatenate([noise, noise**2 - 1], axis=1)
    recipe = Transformer(1, n_heads=2, n_units=32, patch_size=1)
    settings = {"max_epochs": 40, "batch_size": 32, "learning_rate": 5e-3}
    embedding = make(architecture=recipe, fixed_features=False, **settings).fit(X[:160])
    holes = X[160:].copy()
    holes[:, 1, ::5] = np.nan
    off = (embedding.impute(holes) - X[160:])[:, 1, ::5]
    assert (off**2).mean() < 0.15 * X[160:, 1, ::5].var()


@pytest.fixture(scope="module")
def of_the_future():
    recipe = Transformer(2, n_heads=2, n_units=32, patch_size=3)
    settings = {"max_epochs": 30, "batch_size": 32, "learning_rate": 5e-3}
    objective = NextStepPrediction(12)
    embedding = make(architecture=recipe, objective=objective, fixed_features=False, **settings)
    return embedding.fit(100 + 5 * OSCILLATIONS[:200])


def test_the_future_is_told_from_the_past(of_the_future):
    """Sums of two oscillations obey a linear recurrence; the last 20 steps are not shown."""
    X = 100 + 5 * OSCILLATIONS[200:]
    assert of_the_future.score(X) > 0.95
    past = X.copy()
    past[:, 40:] = np.nan
    future = of_the_future.forecast(past, 20)  # two predictions, and a patch of a third
    assert future.shape == (40, 20)
    assert ((future - X[:, 40:]) ** 2).mean() < 0.05 * X.var()
    assert_allclose(of_the_future.forecast(past, 5), future[:, :5], rtol=1e-5)
    holes = X.copy()
    holes[:, 30:33] = np.nan
    filled = of_the_future.impute(holes)
    assert ((filled - X) ** 2)[:, 30:33].mean() < 0.05 * X.var()
    assert of_the_future.transform(X).shape == (40, 4)


def test_forecasts_have_the_layout_of_x(tmp_path):
    of_lists = make(objective=NextStepPrediction(), error_channel=1).fit(RAGGED)
    future = of_lists.forecast(RAGGED, 3)
    assert future.shape == (80, 1, 3)
    assert np.isfinite(future).all()
    alone = np.concatenate([of_lists.forecast([series], 3) for series in RAGGED[:9]])
    assert_allclose(future[:9], alone, rtol=1e-4)
    save(of_lists, tmp_path / "embedding")
    assert_array_equal(load(tmp_path / "embedding").forecast(RAGGED, 3), future)


def test_forecasts_are_for_causal_objectives_and_even_steps(of_lists):
    assert not hasattr(of_lists, "forecast")
    assert not hasattr(make(), "forecast")
    with pytest.raises(NotFittedError):
        make(objective=NextStepPrediction()).forecast(WAVES, 3)
    of_curves = make(objective=NextStepPrediction(), **OF_CURVES).fit(CURVES)
    with pytest.raises(ValueError, match="With time_channel=0 it is not known"):
        of_curves.forecast(CURVES, 3)
    assert np.isfinite(of_curves.score_samples(CURVES)).all()
    of_waves = make(objective=NextStepPrediction()).fit(WAVES)
    for horizon in (0, 2.5, None):
        with pytest.raises(ValueError, match="horizon must be an int"):
            of_waves.forecast(WAVES, horizon)


def test_a_broken_series_is_told(trained):
    broken = PURE[200:].copy()
    broken[:, 10:20] = RNG.normal(0, 1, size=(60, 10))
    assert trained.score_samples(broken).max() < trained.score_samples(PURE[200:]).min()


def test_scores_of_samples_and_of_all_agree():
    embedding = make(scaling="per_channel").fit(WAVES)
    around = ((WAVES - WAVES.mean()) / WAVES.std()) ** 2
    expected = 1 + embedding.score_samples(WAVES).mean() / around.mean()
    assert embedding.score(WAVES) == pytest.approx(expected, rel=1e-4)


def test_without_variance_the_score_is_zero():
    X = np.full((20, 10), 3.0)
    assert make().fit(X).score(X) == 0


def test_what_is_fixed_tells_periods_apart(trained):
    """A label that no mean or spread of values gives away."""
    fixed = make(8, max_epochs=1).fit(WAVES).transform(WAVES)
    judge = make_pipeline(MaxAbsScaler(), LogisticRegression())
    assert cross_val_score(judge, fixed, PERIOD).mean() > 0.95
    alone = make(8, max_epochs=1, fixed_features=False).fit(WAVES)
    assert alone.module_.classic is None
    assert alone.transform(WAVES).shape == (80, 8)


def test_the_embedding_is_pca_of_the_features():
    embedding = make().fit(WAVES)
    with torch.inference_mode():
        features = embedding.module_.encode(torch.tensor(WAVES[:, None], dtype=torch.float32))
    pca = PCA(4).fit(features.numpy())
    assert_allclose(
        np.abs(embedding.transform(WAVES)), np.abs(pca.transform(features.numpy())), atol=1e-4
    )
    assert_allclose(embedding.explained_variance_, pca.explained_variance_, rtol=1e-3)


def counted(monkeypatch, kind):
    """Count the rows that are described without training."""
    described, forward = [], kind.forward

    def count(self, x, *others):
        described.append(len(x))
        return forward(self, x, *others)

    monkeypatch.setattr(kind, "forward", count)
    return described


@pytest.mark.parametrize(
    ("X", "of_kind", "kind"),
    [(PURE, {}, KernelBank), (RAGGED, {}, KernelBank), (CURVES, OF_CURVES, LightCurveFeatures)],
    ids=["even", "ragged", "curves"],
)
def test_what_is_fixed_is_computed_once_in_a_fit(X, of_kind, kind, monkeypatch):
    described = counted(monkeypatch, kind)
    embedding = make(**of_kind, max_epochs=1, early_stopping=True).fit(X)
    # one of an example: nothing, for the count of the work
    assert sum(described) - len(X) <= 1
    assert not embedding.module_.memory.kept
    Z = embedding.transform(X)
    assert sum(described) >= 2 * len(X)
    described.clear()
    monkeypatch.setattr("skrepr._series_model._MOST_KEPT", 0)
    without = make(**of_kind, max_epochs=1, early_stopping=True).fit(X)
    assert sum(described) > 2 * len(X)
    assert_array_equal(without.transform(X), Z)


def test_one_long_series_does_not_pad_all_others(monkeypatch):
    """It would, in one batch of all rows, in which the network reads them to be judged."""
    series = [*RAGGED[:79], np.tile(RAGGED[79], 100)] * 2
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_VALUES", 2 * 5000)
    embedding = make(max_epochs=1, early_stopping=False).fit(series)
    shapes, read = [], embedding.module_.reader.read

    def watched(inputs, *others):
        shapes.append(inputs.shape)
        return read(inputs, *others)

    embedding.module_.reader.read = watched
    rows = embedding._read(series, None, 2)
    with embedding._evaluation(len(rows)):
        assert embedding._find_collapse(rows, 160) is None
        assert sum(n * length for n, _, length in shapes) < 160 * 4000 / 5
        nothing = torch.zeros_like(embedding.readout_.matrix)
        embedding.readout_.matrix.copy_(nothing)
        assert "all 4 components are constant" in embedding._find_collapse(rows, 160)


# ------------------------------------------------------------------------- kinds of series


def test_series_of_any_length(of_lists):
    Z = of_lists.transform(RAGGED)
    assert Z.shape == (80, 4)
    assert not hasattr(of_lists, "n_features_in_")
    assert of_lists.input_shape_ == of_lists.layout_ == (2, max(x.shape[1] for x in RAGGED))
    alone = np.concatenate([of_lists.transform([series]) for series in RAGGED])
    assert_allclose(Z, alone, atol=1e-5 * np.ptp(Z))
    longer = np.concatenate([RAGGED[0]] * 4, axis=1)
    assert of_lists.transform([longer]).shape == (1, 4)
    padded = np.pad(RAGGED[0], ((0, 0), (0, 9)), constant_values=np.nan)
    assert_allclose(of_lists.transform([padded]), Z[:1], atol=1e-5 * np.ptp(Z))
    tensors = [torch.tensor(series, requires_grad=True) for series in RAGGED]
    assert_array_equal(of_lists.transform(tensors), Z)
    assert_array_equal(of_lists.impute(tensors)[5], RAGGED[5])


def test_what_has_the_length_of_the_series(of_lists):
    steps, filled, maps = (
        method(RAGGED)
        for method in (of_lists.transform_steps, of_lists.impute, of_lists.attention)
    )
    for series, codes, whole, map_of in zip(RAGGED, steps, filled, maps, strict=True):
        length = series.shape[1]
        n_patches = -(-length // of_lists.module_.encoder.patch_size)
        assert codes.shape == (length, 8)
        assert_array_equal(whole, series)
        assert map_of.shape == (n_patches, n_patches)
        assert_allclose(map_of.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("frame_of", [pd.DataFrame, pl.DataFrame])
def test_lists_of_frames_have_their_steps_in_the_columns(of_lists, frame_of):
    frames = [frame_of(series) for series in RAGGED[:3]]
    assert make(max_epochs=1).fit(frames).layout_[0] == 2
    for method in (of_lists.transform_steps, of_lists.attention):
        for ours, theirs in zip(method(frames), method(RAGGED[:3]), strict=True):
            assert_array_equal(ours, theirs)


def test_a_list_and_an_array_of_the_same_series_are_the_same():
    both = np.stack([WAVES, WAVES**2], 1)
    of_array, of_list = make().fit(both), make().fit(list(both))
    assert of_array.n_features_in_ == 2
    assert_allclose(of_array.score_samples(both), of_array.score_samples(both.tolist()), rtol=1e-6)
    # not trained in the same order: batches of a list are sorted by length
    assert of_list.transform(both).shape == of_array.transform(both).shape
    assert of_array.transform_steps(both).shape == (80, LENGTH, 8)
    flat = make(input_shape=(2, -1)).fit(both.reshape(80, -1))
    assert_array_equal(flat.transform(both.reshape(80, -1)), of_array.transform(both))
    holes = both.reshape(80, -1).copy()
    holes[:, 7] = np.nan
    assert flat.impute(holes).shape == holes.shape


def test_light_curves_as_they_come(of_curves):
    Z = of_curves.transform(CURVES)
    assert np.isfinite(Z).all()
    assert Z.std(axis=0).min() > 0
    assert of_curves.bands_.tolist() == [0, 1, 2]
    values = of_curves.impute(CURVES)
    assert_array_equal(values[3], CURVES[3])


@pytest.mark.parametrize("days", [10.0, -3.25, 2.4e6])
def test_only_differences_of_times_matter(of_curves, days):
    later = [curve + np.array([[days], [0], [0], [0]]) for curve in CURVES]
    Z = of_curves.transform(CURVES)
    # the time itself is rounded to 1e-10 of 2.4 million
    assert_allclose(of_curves.transform(later), Z, atol=2e-3 * np.ptp(Z))
    assert_allclose(
        of_curves.score_samples(later), of_curves.score_samples(CURVES), rtol=1e-3, atol=1e-4
    )


def test_times_errors_and_bands_have_a_say(of_curves):
    Z = of_curves.transform(CURVES)
    for channel, change in ((0, 2.0), (2, 3.0), (3, 0.0)):
        others = [curve.copy() for curve in CURVES]
        for curve in others:
            curve[channel] *= change
        assert not np.allclose(of_curves.transform(others), Z, atol=1e-3 * np.ptp(Z))


# ------------------------------------------------------------------ what fits and goes on


def test_training_goes_on(of_lists):
    more = copy.deepcopy(of_lists).set_params(warm_start=True).fit(RAGGED[:40])
    assert more.n_epochs_ == 4
    assert more.layout_ == of_lists.layout_
    stream = make().partial_fit(RAGGED[:40]).partial_fit(RAGGED[40:])
    assert stream.partial_fit(RAGGED[:1]).transform(RAGGED).shape == (80, 4)


@pytest.mark.parametrize("kind", ["lists", "curves"])
def test_saved_and_pickled(kind, of_lists, of_curves, tmp_path):
    embedding, X = {"lists": (of_lists, RAGGED), "curves": (of_curves, CURVES)}[kind]
    save(embedding, tmp_path / "embedding")
    Z = embedding.transform(X)
    for twin in (load(tmp_path / "embedding"), pickle.loads(pickle.dumps(embedding))):
        assert_array_equal(twin.transform(X), Z)
        assert twin.score(X) == embedding.score(X)


def test_what_auto_becomes():
    embedding = make(max_epochs="auto")
    for n, batch_size, steps in ((20, 20, 200), (400, 32, 200), (20_000, 64, 1560)):
        assert min(n, embedding._auto_batch_size(n)) == batch_size
        n_epochs = embedding._auto_max_epochs(n, batch_size)
        assert n_epochs * n / batch_size == pytest.approx(steps, rel=0.05)


# ------------------------------------------------------------ other networks and objectives

SUM = WeightedSum(
    [("mask", MaskedReconstruction(), 1.0), ("contrast", HierarchicalContrast(), 0.5)]
)
CAUSAL_SUM = WeightedSum(
    [
        ("contrast", HierarchicalContrast(), 0.5),
        ("next", NextStepPrediction(2), 1.0),
        ("views", VICReg(projection_sizes=(8,)), 0.1),
    ]
)
PARTS = {
    "gru": {"architecture": Recurrent(n_units=8), "pooling": "last"},
    "lstm": {"architecture": Recurrent("lstm", n_units=8, dropout=0.1), "pooling": "attention"},
    "convolutions": {"architecture": ConvNet((4, 8)), "pooling": "max"},
    "crops": {"objective": HierarchicalContrast(), "scaling": "per_sample"},
    "views": {"objective": VICReg(projection_sizes=(8,)), "pooling": "attention"},
    "teacher": {"objective": BYOL(projection_sizes=(8,), predictor_size=8), "pooling": "cls"},
    "sum": {"objective": SUM, "scaling": None},
    "causal": {"objective": CAUSAL_SUM, "pooling": "last"},
    "causal gru": {"objective": NextStepPrediction(2), "architecture": Recurrent(n_units=8)},
    "causal convolutions": {"objective": CAUSAL_SUM, "architecture": ConvNet((4, 8))},
}
# what is fixed is the same next to every network, and costs more than a small one
WITH_FIXED = ("gru", "sum", "causal gru")
PARTS = {name: {"fixed_features": name in WITH_FIXED} | parts for name, parts in PARTS.items()}
with_parts = pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)


@with_parts
@pytest.mark.parametrize("kind", ["even", "ragged", "curves"])
def test_all_parts_read_all_kinds_of_series(parts, kind):
    X, of_kind = {"even": (WAVES, {}), "ragged": (RAGGED, {}), "curves": (CURVES, OF_CURVES)}[kind]
    embedding = make(**parts, **of_kind, max_epochs=1, early_stopping=True).fit(X)
    Z = embedding.transform(X)
    # a padded batch is one series at a time
    alone = np.concatenate([embedding.transform(X[i : i + 1]) for i in range(0, len(X), 6)])
    assert_allclose(Z[::6], alone, atol=1e-4 * np.ptp(Z))
    assert np.isfinite(embedding.score(X)) and np.isfinite(embedding.score_samples(X)).all()
    for series, filled in zip(X, embedding.impute(X), strict=True):
        assert_array_equal(filled, series)  # nothing is missing


@with_parts
def test_all_parts_are_saved_and_go_on(parts, tmp_path):
    holes = WAVES.copy()
    holes[:, 20] = np.nan
    embedding = make(**parts).fit(holes)
    save(embedding, tmp_path / "series.safetensors", resume=True)
    copies = [load(tmp_path / "series.safetensors"), pickle.loads(pickle.dumps(embedding))]
    for copied in copies:
        for answer in ("transform", "score", "impute", "transform_steps"):
            assert_array_equal(getattr(copied, answer)(holes), getattr(embedding, answer)(holes))
    expected = embedding.partial_fit(holes).transform(holes)
    for copied in copies:
        assert_array_equal(copied.partial_fit(holes).transform(holes), expected)
        assert copied.score(holes) == embedding.score(holes)


@with_parts
def test_the_same_seed_gives_the_same_numbers(parts):
    first, second, third = (make(**parts, random_state=seed).fit(WAVES) for seed in (0, 0, 1))
    assert_array_equal(first.transform_steps(WAVES), second.transform_steps(WAVES))
    assert first.score(WAVES) == second.score(WAVES) != third.score(WAVES)


@pytest.mark.parametrize(
    "objective", [HierarchicalContrast(), SimCLR(projection_sizes=(16,)), BYOL()], ids=str
)
def test_values_are_read_from_codes_that_were_not_trained_to_tell_them(objective):
    """Of one number a series, which every step tells of the others."""
    X = np.repeat(RNG.normal(size=(100, 1)), 20, axis=1) + RNG.normal(0, 0.1, size=(100, 20))
    architecture = Transformer(1, n_heads=2, n_units=16, patch_size=1)
    embedding = make(objective=objective, architecture=architecture, augmentation=None)
    embedding.set_params(max_epochs=20, fixed_features=False).fit(X[:60])
    assert embedding.score(X[60:]) > 0.8
    holes = X[60:].copy()
    holes[:, 8:12] = np.nan
    assert np.abs(embedding.impute(holes)[:, 8:12] - X[60:, 8:12]).mean() < 0.4 * X.std()
    moved = 50 + 3 * X
    again = make(objective=objective, architecture=architecture, max_epochs=2).fit(moved[:60])
    filled = again.impute(50 + 3 * holes)
    assert np.abs(filled - moved[60:]).mean() < 3 * X.std()


def test_views_are_made_by_the_augmentation_given():
    default = make(objective=SimCLR(), max_epochs=1).fit(WAVES)
    assert [type(part) for part in default.augmentation_] == [TimeCrop, TimeMask, Jitter]
    uneven = make(objective=SimCLR(), max_epochs=1, **OF_CURVES).fit(CURVES)
    assert [type(part) for part in uneven.augmentation_] == [TimeMask, Jitter]
    named = make(objective=SimCLR(), max_epochs=1, augmentation=[("noise", Jitter(0.3))])
    assert (
        named.set_params(augmentation__noise__scale=0.5).fit(WAVES).augmentation_[0].scale == 0.5
    )
    assert make(max_epochs=1).fit(WAVES).augmentation_ == []


def test_a_sum_tells_its_terms_and_is_searched_by_name():
    embedding = make(objective=SUM, early_stopping=True).set_params(
        objective__mask__mask_ratio=0.5, objective__contrast__hidden_share=0.1
    )
    history = embedding.fit(WAVES).history_
    for rows in ("train", "valid"):
        total = history[f"{rows}_mask"] + history[f"{rows}_contrast"]
        assert_allclose(history[f"{rows}_loss"], total, rtol=1e-5)
    assert embedding.objective_.parts[0][1].mask_ratio == 0.5
    assert SUM.parts[0][1].mask_ratio == 0.5  # parts are the user's, as in a Pipeline
    SUM.set_params(mask__mask_ratio=0.3, contrast__hidden_share=0.5)
    # the part that predicts does so by its own head
    model = embedding.module_
    assert model.fitted is None and model.predictor is model.objective.losses[0]


def test_a_sum_forecasts_if_a_part_does():
    embedding = make(objective=CAUSAL_SUM).fit(WAVES)
    assert embedding.forecast(WAVES, 3).shape == (80, 3)
    parts = [SUM.parts[0], CAUSAL_SUM.parts[1]]  # the first one that predicts fills gaps
    embedding = make(objective=WeightedSum(parts)).fit(WAVES)
    assert embedding.forecast(WAVES, 3).shape == (80, 3)
    assert embedding.module_.predictor is embedding.module_.objective.losses[0]
    assert not hasattr(make(objective=SUM).fit(WAVES), "forecast")


def test_scores_do_not_depend_on_how_tokens_are_pooled():
    scores = {how: make(pooling=how).fit(WAVES).score(WAVES) for how in ("mean", "max", "last")}
    assert len(set(scores.values())) == 1
    assert make(pooling="cls").fit(WAVES).score(WAVES) != scores["mean"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_components", 5),
        ("pooling", "max"),
        ("scaling", None),
        ("scaling", "per_sample"),
        ("time_channel", 1),
        ("error_channel", 1),
        ("band_channel", 1),
        ("fixed_features", False),
        ("architecture", Transformer(1, n_heads=2, n_units=12)),
        ("objective", NextStepPrediction()),
    ],
)
def test_training_does_not_go_on_with_another_network(of_lists, parameter, value):
    for goes_on in ("fit", "partial_fit"):
        other = copy.deepcopy(of_lists).set_params(warm_start=True, **{parameter: value})
        with pytest.raises(ValueError, match=f"Training cannot go on.*{parameter}"):
            getattr(other, goes_on)(RAGGED[:40])
        assert_array_equal(other.transform(RAGGED[:5]), of_lists.transform(RAGGED[:5]))


def test_patches_follow_a_common_length():
    """One long series does not cut all others into few patches."""
    series = [*RAGGED[:39], np.tile(RAGGED[39], 8)]
    embedding = make(architecture=None, max_epochs=1).fit(series)
    assert 25 < embedding.common_length_ <= LENGTH
    assert embedding.module_.encoder.patch_size == -(-embedding.common_length_ // 32)
    longest = max(one.shape[1] for one in series)
    assert embedding.input_shape_ == (2, longest)
    assert embedding.module_.classic.length == embedding.common_length_
    of_array = make(architecture=None, max_epochs=1, fixed_features=False).fit(
        np.stack(
            [
                np.pad(x, ((0, 0), (0, longest - x.shape[1])), constant_values=np.nan)
                for x in series
            ]
        )
    )
    assert of_array.common_length_ == embedding.common_length_
    assert of_array.module_.encoder.patch_size == embedding.module_.encoder.patch_size


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (WAVES, {"time_channel": 1}, "time_channel=1 needs series of at least 2 channels"),
        (np.sort(WAVES), {"time_channel": 0}, "all of them are times, errors or bands"),
        (RAGGED, {"error_channel": 0, "band_channel": 0}, "must be different channels"),
        ([-c for c in RAGGED], {"error_channel": 1}, "Errors must not be negative"),
        (RAGGED, {"band_channel": 0}, "category of at most 64 values"),
        (WAVES, {"architecture": MLP((8,))}, "'architecture' parameter"),
        (WAVES, {"objective": Jitter()}, "'objective' parameter"),
        (WAVES, {"objective": MaskedReconstruction}, "objective"),
        (WAVES, {"objective": SupCon()}, "uses labels, and none are read"),
        (WAVES, {"objective": WeightedSum("mask")}, "'parts' parameter of WeightedSum"),
        (WAVES, {"objective": WeightedSum([("a", MLP(), 1.0)])}, "must be made of objectives of"),
        (WAVES, {"augmentation": Jitter()}, "objective=None compares none"),
        (WAVES, {"objective": SimCLR(), "augmentation": Jitter}, "must be an instance"),
        (WAVES, {"pooling": "sum"}, "'pooling' parameter"),
        (WAVES, {"pooling": "cls", "architecture": Recurrent()}, "pooling='cls' needs"),
        (WAVES, {"objective": NextStepPrediction(), "scaling": "per_sample"}, "of whose future"),
        (WAVES, {"objective": NextStepPrediction(), "pooling": "cls"}, "is not causal"),
        (WAVES, {"time_channel": -1}, "'time_channel' parameter"),
        (np.ones((20, 1, 4, 4)), {}, "Got an array of 4 axes"),
        (WAVES, {"input_shape": (1, 5, 8)}, "input_shape"),
        (RAGGED, {"input_shape": (2, -1)}, "Leave it at None"),
        (np.full((20, 9), np.nan), {}, "X holds no value"),
        (
            np.full((20, 2, 9), [[[1.0]], [[np.nan]]][:1] * np.array([[1], [np.nan]])),
            {"time_channel": 0},
            "X holds no value",
        ),
    ],
)
def test_bad_input_is_told(X, parameters, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make(**parameters).fit(X)


def test_errors_of_new_series_are_checked(of_curves):
    broken = [CURVES[0], CURVES[1] * np.array([[1], [1], [-1], [1]])]
    for method in ("transform", "score_samples", "impute"):
        with pytest.raises(ValueError, match="Errors must not be negative"):
            getattr(of_curves, method)(broken)


@pytest.mark.parametrize(
    "architecture", [Transformer(1, n_heads=2, n_units=8), ConvNet((4,)), Recurrent(n_units=4)]
)
@pytest.mark.parametrize("scaling", ["per_channel", "per_sample", None])
def test_rows_far_from_all_others_get_finite_answers(architecture, scaling):
    embedding = make(architecture=architecture, scaling=scaling, max_epochs=1).fit(WAVES)
    far = np.outer([1e20, -1e37], WAVES[0])
    for answer in (embedding.transform, embedding.score_samples, embedding.transform_steps):
        assert np.isfinite(answer(far)).all()
    assert np.isfinite(embedding.score(far))


def test_a_band_channel_may_say_nothing():
    curves = [np.vstack([curve[:3], np.full((1, curve.shape[1]), np.nan)]) for curve in CURVES]
    embedding = make(max_epochs=1, **OF_CURVES).fit(curves)
    assert len(embedding.bands_) == 0
    assert np.isfinite(embedding.transform(CURVES)).all()


def test_nothing_is_answered_before_the_fit():
    for method in ("transform", "transform_steps", "score", "score_samples", "impute"):
        with pytest.raises(NotFittedError):
            getattr(make(), method)(WAVES)
