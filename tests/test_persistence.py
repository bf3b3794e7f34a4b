"""A saved embedding comes back the same, and a file that is not one does nothing."""

import copy
import os
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from own_parts import Halving, OwnOptimizer, add_noise
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochTimer
from torch import nn

from skrepr import AutoencoderEmbedding, load, save
from skrepr.architectures import MLP, ConvNet, Linear
from skrepr.augmentations import FeatureDropout, GaussianNoise

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6)).astype(np.float32)
FRAME = pd.DataFrame(X, columns=list("abcdef"))
IMAGES = RNG.normal(size=(60, 1, 5, 7)).astype(np.float32)
MISSING = np.where(RNG.uniform(size=X.shape) < 0.1, np.nan, X)


def make(**parameters):
    small = {"n_components": 2, "architecture": MLP((8,)), "max_epochs": 2, "random_state": 0}
    return AutoencoderEmbedding(**small | parameters)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "embedding.safetensors"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a file, and the estimator that is in it."""
    path = tmp_path_factory.mktemp("written") / "embedding"
    estimator = make().fit(FRAME)
    save(estimator, path)
    return path.read_bytes(), estimator


def encoder():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Dropout(0.1))


def decoder():
    return nn.Sequential(nn.Linear(2, 6))


# Each line: data, parameters, and what load has to be given.
CONFIGURATIONS = {
    "default": (X, {}, {}),
    "data frame": (FRAME, {}, {}),
    "images": (IMAGES, {"architecture": None}, {}),
    "flat images": (
        IMAGES.reshape(60, -1),
        {"architecture": ConvNet((4,), dropout=0.1), "input_shape": [1, -1, 7]},
        {},
    ),
    "missing values": (MISSING, {"missing": "mask", "early_stopping": True}, {}),
    "linear": (X, {"architecture": Linear(), "whiten": True}, {}),
    "decoder of another kind": (X, {"decoder": MLP((3, 4), normalization="batch")}, {}),
    "modules": (
        X,
        {"architecture": encoder(), "decoder": decoder()},
        {"architecture": encoder(), "decoder": decoder()},
    ),
    "frozen module": (
        X,
        {"architecture": encoder(), "trainable": False},
        {"torch.nn.modules.container.Sequential": encoder()},
    ),
    "own recipe": (
        X,
        {"architecture": Halving(bias=False)},
        {"own_parts.Halving": Halving},
    ),
    "known optimizer": (
        X,
        {"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": 0.5, "nesterov": True}},
        {},
    ),
    "own optimizer": (X, {"optimizer": OwnOptimizer}, {"own_parts.OwnOptimizer": OwnOptimizer}),
    "own function": (X, {"corruption": add_noise}, {"own_parts.add_noise": add_noise}),
    "named parts": (
        X,
        {"corruption": [("mask", FeatureDropout(rate=0.1)), ("noise", GaussianNoise())]},
        {},
    ),
    "odd values": (
        X,
        {
            "n_components": np.int64(2),
            "learning_rate": np.float32(1e-3),
            "weight_decay": np.float64(0.5),
            "early_stopping": np.bool_(False),
            "optimizer_params": {"betas": (0.8, 0.9), "foreach": None},
            "validation_fraction": None,
            "device": torch.device("cpu"),
            "random_state": np.int32(3),
        },
        {},
    ),
}


def assert_same(received, expected, data):
    for method in ("transform", "reconstruct", "score", "score_samples"):
        np.testing.assert_array_equal(
            getattr(received, method)(data), getattr(expected, method)(data)
        )
    Z = expected.transform(data)
    np.testing.assert_array_equal(received.inverse_transform(Z), expected.inverse_transform(Z))
    pd.testing.assert_frame_equal(received.history_, expected.history_)
    assert list(received.get_feature_names_out()) == list(expected.get_feature_names_out())
    assert vars(received).keys() == vars(expected).keys()
    for name, value in vars(expected).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(received, name), value)
            assert getattr(received, name).dtype == value.dtype
        elif isinstance(value, (int, float, str, tuple, torch.device)):
            assert getattr(received, name) == value
    assert not received.module_.training


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_round_trip(case, path):
    data, parameters, objects = CONFIGURATIONS[case]
    estimator = make(**parameters).fit(data)
    before = torch.get_rng_state()
    save(estimator, path)
    loaded = load(path, objects=objects)
    assert torch.get_rng_state().equal(before)
    assert_same(loaded, estimator, data)
    for name, value in estimator.get_params(deep=False).items():
        received = getattr(loaded, name)
        # numbers of numpy come back as Python's
        assert received == value or repr(received) == repr(value) or name in objects
    save(loaded, path)
    assert_same(load(path, objects=objects), estimator, data)


@pytest.mark.parametrize("case", [case for case, given in CONFIGURATIONS.items() if given[2]])
def test_what_has_to_be_handed_over_is_named(case, path):
    data, parameters, objects = CONFIGURATIONS[case]
    save(make(**parameters).fit(data), path)
    with pytest.raises(KeyError, match=r"Hand it over: load\(path, objects=") as caught:
        load(path)
    assert any(name in str(caught.value) for name in objects)


def test_after_partial_fit(path):
    estimator = make().partial_fit(X)
    save(estimator, path)
    loaded = load(path)
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))
    assert not hasattr(loaded, "explained_variance_ratio_")


def test_choice_of_set_output_is_kept(path):
    save(make().set_output(transform="pandas").fit(FRAME), path)
    assert isinstance(load(path).transform(FRAME), pd.DataFrame)


@pytest.mark.parametrize("given", [str, lambda path: path], ids=["str", "Path"])
def test_kinds_of_path(given, path):
    estimator = make().fit(X)
    save(estimator, given(path))
    np.testing.assert_array_equal(load(given(path)).transform(X), estimator.transform(X))


# ------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    "parameters",
    [
        {"random_state": np.random.RandomState(0)},
        {"corruption": lambda x, generator: x},
        {"corruption": [("noise", lambda x, generator: x)]},
        {"optimizer_params": {"betas": (0.9, 0.99), "maximize": sys.stdout}},
        {"optimizer_params": {"eps": 1j}},
        {"optimizer_params": {"eps": np.array(["text"])}},
        {"optimizer_params": {"eps": np.longdouble(1) * np.ones(2, dtype=np.longdouble)}},
        {"optimizer_params": {"eps": np.datetime64("2020-01-01")}},
        {"optimizer_params": {"eps": {1, 2}}},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_a_parameter_that_cannot_be_written_is_named(parameters, path):
    estimator = make().fit(X).set_params(**parameters)
    path.write_bytes(b"earlier")
    with pytest.raises(TypeError, match=rf"^{next(iter(parameters))}=.* cannot be written"):
        save(estimator, path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]


def test_a_parameter_inside_a_part_is_named(path):
    with pytest.raises(TypeError, match=r"^architecture__hidden_layer_sizes=\{8\} cannot be"):
        save(make().fit(X).set_params(architecture=MLP({8})), path)


@pytest.mark.parametrize(
    "estimator",
    [PCA(2).fit(X), make_pipeline(StandardScaler(), make()).fit(X), MLP(), None, make],
    ids=["PCA", "pipeline", "recipe", "None", "function"],
)
def test_what_is_no_embedding_is_refused(estimator, path):
    with pytest.raises(TypeError, match=r"estimators of skrepr. Got .* Use joblib.dump"):
        save(estimator, path)
    assert not path.exists()


def test_unfitted(path):
    with pytest.raises(NotFittedError):
        save(make(), path)
    assert not path.exists()


def test_callbacks_are_dropped_with_a_warning(path):
    estimator = make(callbacks=[EpochTimer()]).fit(X)
    with pytest.warns(UserWarning, match=r"set_params\(callbacks=...\)"):
        save(estimator, path)
    assert load(path).callbacks is None
    np.testing.assert_array_equal(load(path).transform(X), estimator.transform(X))


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_while_writing_leaves_the_earlier_file(path, monkeypatch, error):
    def fail(*arguments):
        raise error

    estimator = make().fit(X)
    path.write_bytes(b"earlier")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(error):
            save(estimator, path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]
    save(estimator, path)
    assert load(path).n_components == 2


def test_what_is_no_regular_file_is_left_alone(tmp_path):
    # devices are the same case, but a test must not have /dev/null to lose
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        save(make().fit(X), tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        load(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("head", [b"", b"\xff" * 8, b"PK\x03\x04"], ids=["zeros", "ones", "zip"])
def test_a_large_file_of_another_kind_is_not_read(path, head):
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**40)  # more than memory holds
    with pytest.raises(ValueError, match=f"{path.name} is damaged, or was not written by"):
        load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(OSError, match="directory"):
        load(tmp_path)


# ------------------------------------------------------------------------------ going on


def dropping(**parameters):
    return make(architecture=MLP((8,), dropout=0.3), batch_size=16, **parameters)


@pytest.mark.parametrize("n", [1, 3])
def test_a_stream_goes_on_as_if_never_stopped(path, n):
    straight = dropping()
    for _ in range(2 * n):
        straight.partial_fit(X)
    stopped = dropping()
    for _ in range(n):
        stopped.partial_fit(X)
    save(stopped, path, resume=True)
    resumed = load(path)
    for _ in range(n):
        resumed.partial_fit(X)
    np.testing.assert_array_equal(resumed.transform(X), straight.transform(X))
    columns = ["epoch", "train_loss"]
    pd.testing.assert_frame_equal(resumed.history_[columns], straight.history_[columns])
    assert resumed.n_epochs_ == 2 * n


def test_a_warm_start_goes_on_as_if_never_stopped(path):
    straight = dropping(max_epochs=10, early_stopping=False).fit(X)
    stopped = dropping(max_epochs=5, early_stopping=False, warm_start=True).fit(X)
    save(stopped, path, resume=True)
    resumed = load(path).fit(X)
    unstopped = copy.deepcopy(stopped).fit(X)
    np.testing.assert_array_equal(resumed.transform(X), unstopped.transform(X))
    np.testing.assert_array_equal(resumed.transform(X), straight.transform(X))
    assert resumed.n_epochs_ == unstopped.n_epochs_ == straight.n_epochs_ == 10


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": 0.9}},
        {"optimizer": torch.optim.Adam, "optimizer_params": {"amsgrad": True}},
        {"optimizer": torch.optim.LBFGS, "batch_size": 60},
    ],
    ids=["SGD", "Adam", "LBFGS"],
)
def test_other_optimizers_go_on(path, parameters):
    straight = make(**parameters).partial_fit(X).partial_fit(X)
    save(make(**parameters).partial_fit(X), path, resume=True)
    np.testing.assert_array_equal(load(path).partial_fit(X).transform(X), straight.transform(X))


def test_without_resume_training_can_still_go_on(path):
    stopped = dropping(warm_start=True).partial_fit(X)
    save(stopped, path)
    before = load(path).transform(X)
    first, second = load(path).partial_fit(X), load(path).fit(X)
    assert not np.array_equal(first.transform(X), before)
    assert second.n_epochs_ == 3
    size = path.stat().st_size
    save(stopped, path, resume=True)
    assert path.stat().st_size > size
