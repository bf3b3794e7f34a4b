"""Laws of what all embeddings share: collapse, safe fits, streams, schedules, layouts."""

import math

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from skrepr import AutoencoderEmbedding, RepresentationCollapseWarning, _training
from skrepr._autoencoder import _Autoencoder
from skrepr.architectures import MLP, ConvNet
from skrepr.augmentations import GaussianNoise
from skrepr.metrics import describe_collapse

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 6)).astype(np.float32)
SERIES = RNG.normal(size=(40, 2, 9)).astype(np.float32)


def make(**parameters):
    small = {"n_components": 3, "architecture": MLP((8,)), "max_epochs": 2, "random_state": 0}
    return AutoencoderEmbedding(**small | parameters)


@pytest.fixture
def few_epochs(monkeypatch):
    """Let "auto" plan a handful of epochs, for laws that do not depend on their number."""
    monkeypatch.setattr(AutoencoderEmbedding, "_auto_max_epochs", lambda *_: 5)


# ------------------------------------------------------------------------------ collapse


class Scaled(nn.Module):
    """A fixed linear map, each unit times a number: 0 is a dead unit."""

    def __init__(self, n_inputs, scales, shift=0.0):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        basis = torch.linalg.qr(torch.randn(n_inputs, n_inputs, generator=generator)).Q
        self.register_buffer("weight", basis[: len(scales)] * torch.tensor(scales)[:, None])
        self.shift = shift

    def forward(self, x):
        return x.flatten(1) @ self.weight.T + self.shift


class Squeezing(BaseEstimator):
    """A recipe whose encoder gives each component the standard deviation it is told."""

    def __init__(self, scales, shift=0.0):
        self.scales = scales
        self.shift = shift

    def make_encoder(self, input_shape, n_components):
        return Scaled(math.prod(input_shape), self.scales, self.shift)

    def make_decoder(self, n_components, output_shape):
        return nn.Sequential(
            nn.Linear(n_components, math.prod(output_shape)), nn.Unflatten(1, output_shape)
        )


def squeezing(*scales, **parameters):
    architecture = Squeezing([float(scale) for scale in scales])
    whiten = "sparsity" not in parameters
    return make(n_components=len(scales), architecture=architecture, whiten=whiten, **parameters)


WIDE = RNG.normal(size=(150, 20)).astype(np.float32)


@pytest.mark.parametrize(
    ("scales", "figure"),
    [
        ((0, 0, 0), "all 3 components are constant"),
        ((0,), "all 1 components are constant"),
        ((1, 1, 0), r"1 of 3 components hardly vary \(the smallest has .* standard deviation"),
        ((1, 1e-5, 1e-5), "2 of 3 components hardly vary"),
        ((1, *[0.003] * 11), r"effective rank is 1\.\d with 12 components, .* PCA .* is 1[12]\."),
    ],
)
def test_collapse_is_told_with_figure_and_advice(scales, figure):
    # whitening would hide that units differ, so the readout is left as the identity
    estimator = squeezing(*scales, sparsity=1e-6)
    with pytest.warns(RepresentationCollapseWarning, match=f"(?s){figure}.*[tT]ry "):
        estimator.fit(WIDE)
    assert estimator.transform(WIDE).shape == (150, len(scales))


@pytest.mark.parametrize("rotated", [True, False])
def test_a_dead_encoder_is_noticed_whatever_the_readout(rotated):
    sparsity = 0.0 if rotated else 1e-6
    for whiten in (True, False) if rotated else (False,):
        estimator = squeezing(0, 0, 0, sparsity=sparsity).set_params(whiten=whiten)
        with pytest.warns(RepresentationCollapseWarning, match="constant"):
            estimator.fit(X)


def test_an_offset_does_not_hide_a_collapse():
    architecture = Squeezing([0.0, 0.0], shift=1e3)
    with pytest.warns(RepresentationCollapseWarning, match="constant"):
        make(n_components=2, architecture=architecture).fit(X)


@pytest.mark.parametrize(
    ("data", "estimator"),
    [
        (np.ones((150, 6)), squeezing(0, 0, 0)),
        (np.zeros((150, 6)), make()),
        (X[:99], squeezing(0, 0, 0)),
        (X, squeezing(1)),
        (X, squeezing(1, 0.5, 0.25)),
        (WIDE, squeezing(1, *[0.3] * 11, sparsity=1e-6)),
    ],
    ids=["constant data", "zeros", "few rows", "one component", "some decay", "more decay"],
)
def test_no_false_alarm(data, estimator):
    estimator.fit(data)  # warnings are errors


def test_no_warning_in_a_stream():
    squeezing(0, 0, 0).partial_fit(X)


@pytest.mark.parametrize(
    "load", [load_iris, load_wine, load_breast_cancer, load_digits], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("n_components", [1, 2, 16, 80])
def test_no_false_alarm_on_plain_data(load, n_components):
    make(n_components=n_components, max_epochs=1).fit(load().data)


@pytest.mark.parametrize("n_components", [1, 3, 12])
def test_pca_is_never_a_collapse(n_components):
    low_rank = RNG.normal(size=(300, 3)) @ RNG.normal(size=(3, 12))
    for data in (WIDE[:, :12], low_rank, WIDE[:, :12] * np.logspace(0, -8, 12), X.repeat(2, 1)):
        assert describe_collapse(PCA(n_components).fit_transform(data), data) is None


def test_collapse_counts_missing_values_as_the_mean():
    holes = np.where(RNG.uniform(size=WIDE.shape) < 0.2, np.nan, WIDE)
    holes[:, 3] = np.nan
    assert describe_collapse(WIDE[:, :4], holes) is None
    assert "constant" in describe_collapse(np.ones((150, 4)), holes)


def test_missing_columns_do_not_disturb_the_judgement():
    holes = X.copy()
    holes[:, 3] = np.nan
    make(missing="mask").fit(holes)


# --------------------------------------------------------------- a fit that does not end


class Fails(Callback):
    """Fails at the end of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise RuntimeError("in the middle")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "breaks", ["training", "_read", "_choose_parts", "_make_module", "_fit_readout", "_describe"]
)
def test_a_fit_that_fails_leaves_nothing(breaks, method, monkeypatch):
    def fail(*arguments, **keywords):
        raise RuntimeError("in the middle")

    if breaks == "training":
        estimator = make(callbacks=[Fails(1)])
    else:
        estimator = make()
        monkeypatch.setattr(AutoencoderEmbedding, breaks, fail)
    before = dict(vars(estimator))
    with pytest.raises(RuntimeError, match="in the middle"):
        getattr(estimator, method)(pd.DataFrame(X, columns=list("abcdef")))
    assert vars(estimator) == before


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fit_that_fails_leaves_the_earlier_one(method, warm_start):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    estimator = make(warm_start=warm_start).fit(frame)
    Z, history = estimator.transform(frame), estimator.history_
    estimator.set_params(callbacks=[Fails(3 if warm_start or method == "partial_fit" else 1)])
    before = dict(vars(estimator))
    other = frame if warm_start or method == "partial_fit" else frame[["b", "a"]]
    with pytest.raises(RuntimeError, match="in the middle"):
        getattr(estimator, method)(other)
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())
    np.testing.assert_array_equal(estimator.transform(frame), Z)
    pd.testing.assert_frame_equal(estimator.history_, history)


def test_parts_are_never_changed():
    architecture, corruption = MLP((8,)), [("noise", GaussianNoise(0.1))]
    before = repr(architecture), repr(corruption)
    estimator = make(architecture=architecture, corruption=corruption).fit(X)
    assert estimator.architecture is architecture
    assert estimator.corruption is corruption
    assert (repr(architecture), repr(corruption)) == before
    assert estimator.architecture_ is not architecture


# --------------------------------------------------------------------------- partial_fit


def streamed(chunks, **parameters):
    estimator = make(**parameters)
    for chunk in chunks:
        estimator.partial_fit(chunk)
    return estimator


def test_same_chunks_same_numbers():
    chunks = [X[:60], X[60:61], X[61:]]
    first, second = streamed(chunks), streamed(chunks)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    other = streamed([X[:60], X[60:]])
    assert not np.array_equal(first.transform(X), other.transform(X))


def test_each_chunk_is_one_pass_over_all_of_it():
    estimator = streamed([X[:50]] * 3, early_stopping=True, max_epochs=7, batch_size=20)
    assert estimator.n_epochs_ == 3
    assert estimator.max_epochs_ == 1
    assert estimator.early_stopping_ is False
    assert "valid_loss" not in estimator.history_
    states = estimator.net_.optimizer_.state.values()
    assert {int(state["step"]) for state in states} == {3 * 3}


@pytest.mark.parametrize(("batch_size", "expected"), [("auto", 5), (20, 20), (1000, 1000)])
def test_a_stream_keeps_its_batch_size(batch_size, expected, monkeypatch):
    monkeypatch.setattr(_training, "auto_batch_size", lambda n: n)
    estimator = streamed([X[:5]], batch_size=batch_size)
    assert estimator.batch_size_ == expected
    assert estimator.partial_fit(X).batch_size_ == expected


def test_a_later_chunk_may_be_one_row():
    estimator = streamed([X, X[:1]])
    assert np.isfinite(estimator.transform(X)).all()
    assert estimator.n_epochs_ == 2


def test_a_stream_learns():
    curve = np.linspace(-1, 1, 400)[:, None] ** [1, 2, 3]
    parameters = {"n_components": 1, "learning_rate": 1e-2, "architecture": MLP((16,))}
    estimator = make(**parameters).partial_fit(curve)
    first = estimator.score(curve)
    for _ in range(30):
        estimator.partial_fit(curve)
    assert estimator.score(curve) > 0.5 * first


def test_a_stream_goes_on_from_a_fit_and_ends_with_one():
    estimator = make().fit(X).partial_fit(X)
    assert estimator.n_epochs_ == 3
    assert not hasattr(estimator, "explained_variance_ratio_")
    anew = estimator.fit(X)
    assert anew.n_epochs_ == 2
    np.testing.assert_array_equal(anew.transform(X), make().fit(X).transform(X))


def test_a_stream_is_no_fit_on_its_first_chunk():
    stream, fit = make().partial_fit(X), make(max_epochs=1).fit(X)
    assert stream.module_.state_dict().keys() == fit.module_.state_dict().keys()
    eye = torch.eye(3)
    assert stream.readout_.matrix.equal(eye)
    assert not fit.readout_.matrix.equal(eye)


# ----------------------------------------------------------------- schedule and warm start


@pytest.mark.parametrize(
    ("n", "parameters", "expected"),
    [
        (499, {}, False),
        (500, {}, True),
        (500, {"validation_fraction": None}, False),
        (500, {"early_stopping": False}, False),
        (20, {"early_stopping": True}, True),
    ],
)
def test_early_stopping_auto(n, parameters, expected):
    estimator = make(**parameters).fit(np.resize(X, (n, 6)))
    assert estimator.early_stopping_ is expected
    assert ("valid_loss" in estimator.history_) is expected


def test_auto_is_told_in_numbers():
    estimator = make(max_epochs="auto", validation_fraction=None).fit(X)
    for name in ("max_epochs_", "batch_size_", "n_epochs_", "best_epoch_"):
        assert type(getattr(estimator, name)) is int
    assert 1 <= estimator.batch_size_ <= len(X)
    assert estimator.n_epochs_ == estimator.best_epoch_ == estimator.max_epochs_
    repeated = make(
        max_epochs=estimator.max_epochs_,
        batch_size=estimator.batch_size_,
        early_stopping=estimator.early_stopping_,
    ).fit(X)
    np.testing.assert_array_equal(repeated.transform(X), estimator.transform(X))


def test_patience_ends_early_and_the_best_epoch_is_kept():
    noise = RNG.normal(size=(600, 6))
    estimator = make(max_epochs=200, patience=3, learning_rate=0.1).fit(noise)
    history = estimator.history_
    assert estimator.n_epochs_ == len(history) < 200
    assert estimator.n_epochs_ - estimator.best_epoch_ == 3
    if estimator.best_epoch_:
        assert history["valid_loss"].argmin() == estimator.best_epoch_ - 1


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_validation_fraction(fraction, monkeypatch):
    from skrepr import _training

    sizes = []
    original = _training.train

    def train(net, run):
        sizes.append((len(run.rows), len(run.held_out)))
        return original(net, run)

    monkeypatch.setattr(_training, "train", train)
    make(early_stopping=True, validation_fraction=fraction).fit(X)
    n_held_out = round(150 * fraction)
    assert sizes == [(150 - n_held_out, n_held_out)]


def test_warm_start_goes_on():
    parameters = {"early_stopping": False}
    straight = make(max_epochs=4, **parameters).fit(X)
    warm = make(warm_start=True, **parameters).fit(X)
    assert warm.n_epochs_ == 2
    warm.fit(X)
    assert warm.n_epochs_ == 4
    np.testing.assert_array_equal(warm.transform(X), straight.transform(X))
    cold = make(**parameters).fit(X).fit(X)
    assert cold.n_epochs_ == 2


# ---------------------------------------------------------------------- fitted attributes


def test_history():
    history = make(max_epochs=3, early_stopping=True).fit(X).history_
    assert isinstance(history, pd.DataFrame)
    assert list(history) == ["epoch", "train_loss", "valid_loss", "seconds"]
    assert list(history["epoch"]) == [1, 2, 3]
    assert (history["seconds"] > 0).all()
    assert list(make().fit(X).history_) == ["epoch", "train_loss", "seconds"]


def test_history_has_every_term_of_the_loss():
    history = make(sparsity=0.1, early_stopping=True).fit(X).history_
    for prefix in ("train", "valid"):
        terms = history[f"{prefix}_reconstruction"] + history[f"{prefix}_sparsity"]
        np.testing.assert_allclose(terms, history[f"{prefix}_loss"], rtol=1e-5)


def test_history_of_no_epoch(monkeypatch):
    # what cross-validation finds where training only harms
    monkeypatch.setattr(AutoencoderEmbedding, "_cross_validate", lambda *_: (0, 1.0))
    estimator = make(max_epochs="auto").fit(X)
    assert estimator.n_epochs_ == estimator.best_epoch_ == estimator.max_epochs_ == 0
    assert list(estimator.history_) == ["epoch", "train_loss", "seconds"]
    pca = PCA(3).fit(X)
    np.testing.assert_allclose(
        estimator.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-4
    )


def test_fitted_attributes():
    estimator = make().fit(pd.DataFrame(X, columns=list("abcdef")))
    assert estimator.n_features_in_ == 6
    assert list(estimator.feature_names_in_) == list("abcdef")
    assert estimator.input_shape_ == estimator.layout_ == (6,)
    assert isinstance(estimator.module_, nn.Module)
    assert not estimator.module_.training
    assert isinstance(estimator.net_, NeuralNet)
    assert isinstance(estimator.device_, torch.device)
    assert not hasattr(estimator.fit(X), "feature_names_in_")


# -------------------------------------------------------------------------------- layouts


@pytest.mark.parametrize(
    ("input_shape", "expected"),
    [
        (None, (18,)),
        ((-1,), (18,)),
        ((1, -1), (1, 18)),
        ((-1, 9), (2, 9)),
        ((2, 9), (2, 9)),
        ([2, -1], (2, 9)),
        ((1, -1, 6), (1, 3, 6)),
        ((np.int64(2), np.int64(-1)), (2, 9)),
    ],
    ids=str,
)
def test_input_shape_reads_a_flat_table(input_shape, expected):
    flat = SERIES.reshape(40, 18)
    estimator = make(input_shape=input_shape).fit(flat)
    assert estimator.input_shape_ == expected
    assert estimator.layout_ == (18,)
    assert estimator.n_features_in_ == 18
    Z = estimator.transform(flat)
    assert estimator.reconstruct(flat).shape == estimator.inverse_transform(Z).shape == (40, 18)


@pytest.mark.parametrize("input_shape", [None, (2, 9), (-1, 9), (2, -1)], ids=str)
def test_series_keep_their_layout(input_shape):
    architecture = ConvNet((4,), normalization="layer")
    estimator = make(input_shape=input_shape, architecture=architecture).fit(SERIES)
    assert estimator.input_shape_ == estimator.layout_ == (2, 9)
    assert estimator.n_features_in_ == 2
    X_back = estimator.reconstruct(SERIES)
    assert X_back.shape == SERIES.shape
    assert X_back.dtype == np.float32
    Z = estimator.transform(SERIES)
    np.testing.assert_allclose(estimator.inverse_transform(Z), X_back, atol=1e-5)
    flat = make(input_shape=(2, 9), architecture=architecture).fit(SERIES.reshape(40, 18))
    np.testing.assert_array_equal(flat.transform(SERIES.reshape(40, 18)), Z)
    X_back_flat = flat.inverse_transform(Z)
    np.testing.assert_array_equal(X_back_flat.reshape(-1, 2, 9), estimator.inverse_transform(Z))


def test_inverse_transform_undoes_transform_in_chunks(monkeypatch):

    estimator = make().fit(X)
    Z = estimator.transform(X)
    expected = estimator.reconstruct(X)
    np.testing.assert_allclose(estimator.inverse_transform(Z), expected, atol=1e-5)
    monkeypatch.setattr("skrepr._rows._kinds._CHUNK_ROWS", 7)
    np.testing.assert_allclose(estimator.inverse_transform(Z.tolist()), expected, atol=1e-5)


# ------------------------------------------------------------------- set_params after fit


def test_what_missing_means_is_settled_in_fit():
    estimator = make().fit(X).set_params(missing="mask")
    holes = X.copy()
    holes[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        estimator.transform(holes)


def test_going_on_with_few_rows_is_cross_validated_from_where_it_stands(monkeypatch):
    digits = load_digits().data.astype(np.float32)
    estimator = make(n_components=4, max_epochs=15, warm_start=True).fit(digits[:800])
    fitted = {name: value.clone() for name, value in estimator.module_.state_dict().items()}
    begins = []

    class Watched(_training.Fold):
        def __init__(self, net, rows, groups, **settings):
            begins.append({name: v.clone() for name, v in net.module_.state_dict().items()})
            super().__init__(net, rows, groups, **settings)

    monkeypatch.setattr(_training, "Fold", Watched)
    before = -estimator.score(digits[1000:])
    estimator.set_params(max_epochs="auto").fit(digits[800:860])
    assert len(begins) == 5
    for state in begins:
        assert all(torch.equal(state[name], value) for name, value in fitted.items())
    assert -estimator.score(digits[1000:]) < 1.05 * before


def test_each_fold_starts_at_the_solution_of_its_own_rows(monkeypatch, few_epochs):
    sizes = []
    start = _Autoencoder.start
    monkeypatch.setattr(
        _Autoencoder, "start", lambda self, rows: (sizes.append(len(rows)), start(self, rows))
    )
    make(max_epochs="auto").fit(X)
    assert sizes == [150] + [120] * 5


def test_a_stream_leaves_no_trace_in_what_auto_plans():
    estimator = make(max_epochs="auto", warm_start=True, validation_fraction=None)
    planned = clone(estimator).fit(X).max_epochs_
    assert estimator.partial_fit(X).max_epochs_ == 1 < planned
    assert estimator.fit(X).max_epochs_ == planned


@pytest.mark.parametrize("n", [3, 9])
def test_a_handful_of_rows_is_not_trained_to_pieces(n):
    wine = StandardScaler().fit_transform(load_wine().data)
    few = np.random.default_rng(0).permutation(wine)
    estimator = AutoencoderEmbedding(2, random_state=0).fit(few[:n])
    pca = PCA(2).fit(few[:n])
    error = np.mean((few - pca.inverse_transform(pca.transform(few))) ** 2)
    assert -estimator.score(few) < 1.02 * error


def test_the_share_that_was_found_is_kept(monkeypatch):
    monkeypatch.setattr(AutoencoderEmbedding, "_cross_validate", lambda *_: (2, 0.25))
    estimator = make(max_epochs="auto", warm_start=True).fit(X)
    assert estimator.weight_share_ == 0.25
    assert estimator.partial_fit(X).weight_share_ == 1
    assert make().fit(X).weight_share_ == 1
    monkeypatch.setattr(AutoencoderEmbedding, "_cross_validate", lambda *_: (2, 1.0))
    whole = make(max_epochs="auto").fit(X).module_.state_dict()
    part = make(max_epochs="auto", warm_start=True)
    monkeypatch.setattr(AutoencoderEmbedding, "_cross_validate", lambda *_: (2, 0.25))
    part = part.fit(X).module_.state_dict()
    name = "decoder.branch.2.weight"  # begins at zero
    assert whole[name].abs().max() > 0
    torch.testing.assert_close(part[name], whole[name] / 4)


@pytest.mark.parametrize("parameters", [{}, {"max_epochs": 50}])
def test_patience_is_at_least_a_tenth_of_the_epochs_of_auto(parameters):
    estimator = make(**{"max_epochs": "auto", "patience": 2, **parameters})
    estimator.fit(np.random.default_rng(0).normal(size=(500, 6)))
    least = 0 if parameters else round(estimator.max_epochs_ / 10)
    assert estimator.patience_ == max(2, least)


def test_zero_epochs_are_no_training_for_callbacks(few_epochs):
    few = np.random.default_rng(0).normal(size=(60, 6))
    callback = skorch.callbacks.EarlyStopping(monitor="train_loss", load_best=True)
    estimator = make(max_epochs="auto", n_components=2, callbacks=[callback]).fit(few)
    assert estimator.max_epochs_ == estimator.n_epochs_ == 0
    assert list(estimator.history_.columns) == ["epoch", "train_loss", "seconds"]


def test_early_stopping_needs_a_row_to_hold_out():
    with pytest.raises(ValueError, match="minimum of 3 is required"):
        make(early_stopping=True).fit(X[:2])


# --------------------------------------------------------------------------- any unit of X


@pytest.mark.parametrize("unit", [1e-30, 1e-17, 1e17, 1e25])
def test_the_unit_of_X_does_not_matter(unit):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(150, 2)) @ rng.normal(size=(2, 6))).astype(np.float32)
    plain = make(n_components=2, learning_rate=1e-9).fit(X)
    scaled = make(n_components=2, learning_rate=1e-9).fit(unit * X)
    np.testing.assert_allclose(
        scaled.transform(unit * X) / unit, plain.transform(X), atol=1e-3, rtol=1e-3
    )
    np.testing.assert_allclose(scaled.explained_variance_ratio_.sum(), 1, atol=1e-3)
    assert np.isfinite(scaled.score(unit * X))


def test_inverse_transform_asks_for_no_metadata():
    assert not hasattr(make(), "set_inverse_transform_request")


@pytest.mark.parametrize(
    ("architecture", "decoder"),
    [
        (MLP((8,), linear_path=None), None),
        (MLP((8,), linear_path="random"), None),
        (MLP((8,)), MLP((8,), linear_path="random")),
        (Squeezing([1.0] * 3), None),
    ],
    ids=["no path", "random path", "random decoder", "of the user"],
)
@pytest.mark.parametrize("n", [150, 600])
def test_a_random_start_never_comes_back(architecture, decoder, n, monkeypatch, few_epochs):
    """It is neither a result of early stopping nor a thing to go a share of the way from."""
    monkeypatch.setattr(
        AutoencoderEmbedding, "_cross_validate", lambda *_: pytest.fail("not here")
    )
    noise = RNG.normal(size=(n, 6))
    parameters = {"architecture": architecture, "decoder": decoder, "max_epochs": "auto"}
    estimator = make(**parameters, learning_rate=0.03, patience=2)
    estimator.fit(noise)
    assert estimator.best_epoch_ > 0
    assert estimator.weight_share_ == 1


def test_going_on_may_return_to_what_was_fitted():
    parameters = {"architecture": MLP((8,), linear_path=None), "early_stopping": True}
    estimator = make(**parameters, warm_start=True).fit(X)
    error = -estimator.score(X)
    estimator.set_params(learning_rate=10.0).fit(X)
    assert estimator.best_epoch_ == 2
    assert -estimator.score(X) == pytest.approx(error)


def test_where_the_start_leaves_no_loss_there_is_nothing_to_train(monkeypatch):
    monkeypatch.setattr(
        AutoencoderEmbedding, "_cross_validate", lambda *_: pytest.fail("not here")
    )
    for n in (150, 600):
        estimator = make(n_components=6, max_epochs="auto").fit(np.resize(X, (n, 6)))
        assert estimator.n_epochs_ == estimator.max_epochs_ == 0
        np.testing.assert_allclose(estimator.reconstruct(X), X, atol=1e-5)
    # who names a number of epochs gets them
    assert make(n_components=6, max_epochs=2, early_stopping=False).fit(X).n_epochs_ == 2


@pytest.mark.parametrize(("n_components", "n_features", "n_least"), [(3, 6, 4), (9, 6, 7)])
def test_the_first_chunk_has_more_rows_than_components(n_components, n_features, n_least):
    estimator = make(n_components=n_components)
    message = f"at least {n_least} rows in the first call of partial_fit.*Got {n_least - 1}"
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(X[: n_least - 1])
    assert not hasattr(estimator, "net_")
    assert estimator.partial_fit(X[:n_least]).partial_fit(X[:1]).n_epochs_ == 2


def test_a_random_start_needs_no_chunk_of_a_size():
    make(n_components=5, architecture=MLP((8,), linear_path=None)).partial_fit(X[:3])


def test_one_bar_for_the_whole_fit(capsys, few_epochs):
    make(max_epochs="auto", verbose=1).fit(X)
    # a bar is drawn again and again in its line; what stays is the line that is ended
    assert capsys.readouterr().err.count("\n") == 1


def test_a_start_without_training_is_found_from_all_rows():
    low_rank = (RNG.normal(size=(600, 3)) @ RNG.normal(size=(3, 8))).astype(np.float32)
    estimator = make(n_components=4, max_epochs="auto").fit(low_rank)
    assert estimator.n_epochs_ == 0 and estimator.early_stopping_
    center = estimator.module_.units.center
    np.testing.assert_allclose(center, low_rank.mean(axis=0), atol=1e-5)


def test_a_start_that_is_kept_is_pca_of_all_rows_with_its_axes():
    noise = np.random.default_rng(0).normal(size=(800, 20)).astype(np.float32)
    # steps so large that they lead nowhere
    estimator = make(n_components=4, early_stopping=True, learning_rate=0.3).fit(noise)
    assert estimator.best_epoch_ == 0 < estimator.n_epochs_
    expected = PCA(4).fit_transform(noise)
    np.testing.assert_allclose(estimator.transform(noise), expected, atol=1e-3)


def test_a_loss_without_a_lowest_value_is_trained(monkeypatch, few_epochs):
    forward = _Autoencoder.forward
    monkeypatch.setattr(_Autoencoder, "forward", lambda self, x: forward(self, x) - 5.0)
    monkeypatch.setattr(_Autoencoder, "lowest_loss", -math.inf)
    assert make(max_epochs="auto").fit(np.resize(X, (600, 6))).n_epochs_ > 0


@pytest.mark.parametrize("n", [120, 600])
def test_what_draws_globally_moves_no_generator_of_the_user(n, few_epochs):
    def noise(x, generator):
        return x + 0.1 * torch.randn_like(x)

    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        estimator = make(max_epochs="auto", corruption=noise)
        found.append(estimator.fit(RNG_ROWS[:n]).transform(RNG_ROWS))
        assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(*found)


RNG_ROWS = np.random.default_rng(3).normal(size=(600, 6)).astype(np.float32)


@pytest.mark.parametrize("n", [40, 80])
def test_every_loss_is_that_of_a_batch_of_a_least_size(n, monkeypatch, few_epochs):
    sizes = []
    forward = _Autoencoder.forward

    def watched(self, x):
        sizes.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(_Autoencoder, "forward", watched)
    monkeypatch.setattr(_Autoencoder, "smallest_batch", 4, raising=False)
    for parameters in ({"early_stopping": True}, {"max_epochs": "auto"}):
        make(**parameters, batch_size=9).fit(X[:n])
    assert min(sizes) >= 4
    with pytest.raises(ValueError, match=r"at least 4 rows. Got .* 3 rows to train on. Use more"):
        make().fit(X[:3])
    with pytest.raises(ValueError, match=r"early stopping holds out. Got 7 rows"):
        make(early_stopping=True).fit(X[:7])


def test_a_warm_start_of_a_random_start_is_not_cross_validated(monkeypatch):
    parameters = {"architecture": MLP((8,), linear_path=None), "max_epochs": 2}
    estimator = make(**parameters, warm_start=True).fit(X)
    monkeypatch.setattr(AutoencoderEmbedding, "_cross_validate", lambda *_: pytest.fail("no"))
    assert estimator.set_params(max_epochs="auto").fit(X).weight_share_ == 1


def test_the_bar_is_closed_where_a_training_fails(capsys):
    from tqdm.auto import tqdm

    with pytest.raises(ValueError, match="NaN or infinite"):
        make(verbose=1, learning_rate=1e30, max_epochs=9).fit(X)
    assert not tqdm._instances
