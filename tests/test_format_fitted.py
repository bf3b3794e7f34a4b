"""Every way in which a fitted embedding is written gives the same embedding back."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from own_parts import Halving, OwnOptimizer, add_noise
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochTimer
from torch import nn

from skrepr import AutoencoderEmbedding, _format, load, save
from skrepr._readout import Readout
from skrepr.architectures import MLP, ConvNet
from skrepr.augmentations import FeatureDropout, GaussianNoise

X = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
NAME = "skrepr._autoencoder.AutoencoderEmbedding"


def make(**parameters):
    small = {"n_components": 2, "architecture": MLP((8,), dropout=0.3), "max_epochs": 2}
    return AutoencoderEmbedding(**small | {"batch_size": 16, "random_state": 0} | parameters)


def through_save(estimator, folder):
    save(estimator, folder / "file", resume=True)
    return load(folder / "file")


def through_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "file")
    return joblib.load(folder / "file")


def through_skops(estimator, folder):
    import skops.io

    skops.io.dump(estimator, folder / "file")
    asked = skops.io.get_untrusted_types(file=folder / "file")
    # nothing but names of classes; an estimator in a search that is not fitted has a recipe
    assert NAME in asked
    assert {name.split(".")[0] for name in asked} <= {"skrepr", "sklearn"}
    if not isinstance(estimator, GridSearchCV):
        assert asked == [NAME]
    return skops.io.load(folder / "file", trusted=asked)


def through_deepcopy(estimator, folder):
    return copy.deepcopy(estimator)


ANY = [through_pickle, through_joblib, through_skops, through_deepcopy]


def bare(**parameters):
    estimator = make(**parameters).fit(X)
    return estimator, estimator


def in_pipeline(**parameters):
    pipeline = make_pipeline(StandardScaler(), make(**parameters)).fit(X)
    return pipeline, pipeline[-1]


def in_search(**parameters):
    grid = {"autoencoderembedding__n_components": [2, 3]}
    pipeline = make_pipeline(StandardScaler(), make(**parameters))
    search = GridSearchCV(pipeline, grid, cv=2).fit(X)
    return search, search.best_estimator_[-1]


def embedding_in(anything):
    anything = getattr(anything, "best_estimator_", anything)
    return anything if isinstance(anything, AutoencoderEmbedding) else anything[-1]


@pytest.mark.parametrize(
    ("route", "place"),
    [(route, place) for route in ANY for place in (bare, in_pipeline, in_search)]
    + [(through_save, bare)],
)
def test_every_route_answers_and_goes_on_as_if_never_written(route, place, tmp_path):
    original, embedding = place(warm_start=True, early_stopping=False)
    received = route(original, tmp_path)
    np.testing.assert_array_equal(received.transform(X), original.transform(X))
    twin = embedding_in(received)
    assert twin is not embedding
    for more in ("fit", "partial_fit"):
        before = embedding.transform(X)
        getattr(embedding, more)(X)
        getattr(twin, more)(X)
        np.testing.assert_array_equal(twin.transform(X), embedding.transform(X))
        assert not np.array_equal(embedding.transform(X), before)


def test_the_routes_write_the_same_bytes(tmp_path):
    estimator = make().fit(X)
    save(estimator, tmp_path / "file", resume=True)
    content, beside, _ = _format.split_state(estimator.__getstate__())
    document, tensors = _format.unpack((tmp_path / "file").read_bytes(), "file")
    document["parameters"]["callbacks"] = None  # which save never writes
    document["checksum"] = _format.checksum(document, tensors)
    received, _ = _format.unpack(content, "state")
    assert received == document
    assert not beside


def test_an_unfitted_estimator_has_scikit_learn_s_plain_state():
    estimator = make()
    assert estimator.__getstate__() == vars(estimator)
    assert repr(pickle.loads(pickle.dumps(estimator))) == repr(estimator)


def test_no_net_is_pickled():
    assert b"skorch" not in pickle.dumps(make().fit(X))


def test_a_worker_process_returns_what_it_has_fitted():
    fitted, again = joblib.Parallel(n_jobs=2)(
        joblib.delayed(make(random_state=seed).fit)(X) for seed in (0, 0)
    )
    np.testing.assert_array_equal(fitted.transform(X), make().fit(X).transform(X))
    np.testing.assert_array_equal(
        fitted.partial_fit(X).transform(X), again.partial_fit(X).transform(X)
    )


def test_a_damaged_state_is_told():
    state = make().fit(X).__getstate__()
    content, _, _ = _format.split_state(state)
    (name,) = [name for name, value in state.items() if value is content]
    changed = bytearray(content)
    changed[-1] ^= 1
    with pytest.raises(ValueError, match="The state of AutoencoderEmbedding is damaged"):
        AutoencoderEmbedding().__setstate__(state | {name: bytes(changed)})


# ------------------------------------------------------------ what only a pickle can carry


OWN = {
    "recipe": {"architecture": Halving(bias=False)},
    "modules": {
        "architecture": nn.Sequential(nn.Linear(6, 5), nn.Tanh()),
        "decoder": nn.Linear(2, 6),
    },
    "function": {"corruption": [add_noise, FeatureDropout()]},
    "optimizer": {"optimizer": OwnOptimizer, "optimizer_params": {"momentum": 0.5}},
    "callbacks": {"callbacks": [("mine", EpochTimer())]},
    "random state": {"random_state": np.random.RandomState(0)},
}


@pytest.mark.parametrize("route", [through_pickle, through_joblib, through_deepcopy])
@pytest.mark.parametrize("case", OWN)
def test_the_user_s_own_parts_stand_beside_the_bytes(case, route, tmp_path):
    estimator = make(**OWN[case]).fit(X)
    _, beside, _ = _format.split_state(estimator.__getstate__())
    assert beside
    twin = route(estimator, tmp_path)
    np.testing.assert_array_equal(twin.transform(X), estimator.transform(X))
    for name, value in estimator.get_params(deep=False).items():
        assert type(getattr(twin, name)) is type(value)
    np.testing.assert_array_equal(
        twin.partial_fit(X).transform(X), estimator.partial_fit(X).transform(X)
    )


def test_own_attributes_are_kept():
    estimator = make().fit(X)
    estimator.note, estimator._hidden, estimator.found_ = "mine", {"a": 1}, StandardScaler().fit(X)
    twin = pickle.loads(pickle.dumps(estimator))
    assert (twin.note, twin._hidden) == ("mine", {"a": 1})
    np.testing.assert_array_equal(twin.found_.mean_, estimator.found_.mean_)


class Small(AutoencoderEmbedding):
    """A subclass of the user's own, with fewer parameters and one more attribute."""

    def __init__(self, n_components=3):
        super().__init__(n_components, architecture=MLP((4,)), max_epochs=1, random_state=0)

    def fit(self, X, y=None):
        super().fit(X)
        self.column_means_ = X.mean(axis=0)
        return self


@pytest.mark.parametrize("route", [through_pickle, through_joblib, through_deepcopy])
def test_a_subclass_of_the_user_s_own(route, tmp_path):
    estimator = Small().set_params(n_components=2).fit(X)
    twin = route(estimator, tmp_path)
    assert type(twin) is Small
    np.testing.assert_array_equal(twin.transform(X), estimator.transform(X))
    np.testing.assert_array_equal(twin.column_means_, estimator.column_means_)
    assert twin.architecture.hidden_layer_sizes == (4,)
    assert repr(clone(twin)) == repr(estimator)


class Wider(AutoencoderEmbedding):
    """A subclass of the user's own, with one more parameter, on which the network depends."""

    def __init__(self, n_components=2, *, factor=2, max_epochs=1):
        super().__init__(n_components, max_epochs=max_epochs, random_state=0)
        self.factor = factor

    def _choose_parts(self, input_shape):
        super()._choose_parts(input_shape)
        self.architecture_ = self.decoder_ = MLP((4,))

    def _make_module(self, input_shape):
        self.architecture_.hidden_layer_sizes = (4 * self.factor,)
        return super()._make_module(input_shape)


def test_a_further_parameter_that_was_changed_after_fit():
    estimator = Wider().fit(X).set_params(factor=3)
    twin = pickle.loads(pickle.dumps(estimator))
    assert twin.factor == 3
    np.testing.assert_array_equal(twin.transform(X), estimator.transform(X))


NOTEBOOK = """
import cloudpickle, numpy as np, sys
from skrepr import AutoencoderEmbedding
class Mine(AutoencoderEmbedding):
    def double(self, X):
        return 2 * self.transform(X)
X = np.eye(6)
mine = Mine(2, max_epochs=1, random_state=0).fit(X)
cloudpickle.dump((mine, mine.double(X)), open(sys.argv[1], "wb"))
"""


def test_a_class_that_lives_in_a_notebook(tmp_path):
    subprocess.run([sys.executable, "-c", NOTEBOOK, tmp_path / "file"], check=True)
    mine, expected = pickle.loads((tmp_path / "file").read_bytes())
    np.testing.assert_array_equal(mine.double(np.eye(6)), expected)


# ---------------------------------------------------------------------- after set_params

AFTER_FIT = {
    "width": {"n_components": 3},
    "loss": {"loss": "huber"},
    "missing": {"missing": "mask"},
    "inside the architecture": {"architecture__hidden_layer_sizes": (9,)},
    "a default inside": {"architecture__activation": "relu"},
    "another architecture": {"architecture": ConvNet()},
    "inside named parts": {"corruption__noise__scale": 0.9},
    "other parts": {"corruption": None},
    "training": {"learning_rate": 0.5, "max_epochs": 7, "batch_size": 5, "patience": 3},
    "the optimizer": {"optimizer": torch.optim.SGD, "weight_decay": 0.1},
    "its arguments": {"optimizer_params": {"betas": (0.5, 0.6), "eps": 1e-6}},
    "the seed": {"random_state": 5},
    "no valid value": {"patience": None, "loss": "none", "verbose": "much", "max_epochs": -1},
    "no valid device": {"device": 3},
    "a long tuple": {"architecture__hidden_layer_sizes": (3,) * 40},
}


@pytest.mark.parametrize("route", [through_save, through_pickle])
@pytest.mark.parametrize("case", AFTER_FIT)
def test_parameters_that_were_changed_after_fit(case, route, tmp_path):
    corruption = [("noise", GaussianNoise(0.1))]
    estimator = make(corruption=corruption, early_stopping=False).fit(X)
    expected = estimator.transform(X)
    estimator.set_params(**AFTER_FIT[case])
    twin = route(estimator, tmp_path)
    assert repr(twin.get_params()) == repr(estimator.get_params())
    np.testing.assert_array_equal(twin.transform(X), expected)
    np.testing.assert_array_equal(twin.reconstruct(X), estimator.reconstruct(X))
    again = route(twin, tmp_path)
    np.testing.assert_array_equal(again.transform(X), expected)
    for more in ("partial_fit", "fit"):
        results = []
        for each in (copy.deepcopy(estimator), copy.deepcopy(twin)):
            try:
                results.append(getattr(each, more)(X).transform(X))
            except (TypeError, ValueError) as error:
                results.append(np.array(str(error)))
        np.testing.assert_array_equal(*results)


def test_missing_values_are_read_as_they_were_in_the_fit(tmp_path):
    with_gaps = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.1, np.nan, X)
    estimator = make(missing="mask").fit(with_gaps).set_params(missing="error")
    twin = through_save(estimator, tmp_path)
    np.testing.assert_array_equal(twin.transform(with_gaps), estimator.transform(with_gaps))
    assert twin.missing == "error"


def test_a_module_that_took_the_place_of_another(tmp_path):
    first, second = nn.Linear(6, 4), nn.Linear(6, 5)
    estimator = make(architecture=first).fit(X).set_params(architecture=second)
    save(estimator, tmp_path / "file")
    objects = {"architecture_": nn.Linear(6, 4), "architecture": second}
    loaded = load(tmp_path / "file", objects=objects)
    assert loaded.architecture is second
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))
    np.testing.assert_array_equal(
        through_pickle(estimator, tmp_path).transform(X), estimator.transform(X)
    )


def test_a_part_of_the_user_s_that_changed_after_fit_is_written_as_it_was(tmp_path):
    noise = GaussianNoise(0.1)
    estimator = make(corruption=noise).fit(X)
    noise.set_params(scale=0.7)
    twin = through_save(estimator, tmp_path)
    assert twin.corruption.scale == 0.7
    assert [part.scale for part in twin.module_.corruption] == [0.1]


# ------------------------------------------------------------------------------ refusals


def with_weights(value):
    estimator = make().fit(X)
    with torch.no_grad():
        next(estimator.module_.parameters())[0] = value
    return estimator


def with_attribute(name, value):
    estimator = make().fit(pd.DataFrame(X, columns=list("abcdef")))
    setattr(estimator, name, value)
    return estimator


@pytest.mark.parametrize("route", [through_save, through_pickle])
@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (with_weights(np.nan), "hold NaN or infinite values"),
        (with_weights(-np.inf), "hold NaN or infinite values"),
        (with_attribute("layout_", [6]), "'layout_' cannot be"),
        (with_attribute("layout_", (7,)), "do not go with"),
        (with_attribute("batch_size_", "16"), "'batch_size_' cannot be"),
        (with_attribute("feature_names_in_", np.array(["a"], dtype=object)), "do not go with"),
        (with_attribute("explained_variance_ratio_", "0.5"), "cannot be"),
    ],
)
def test_what_no_reader_accepts_is_not_written(estimator, message, route, tmp_path):
    (tmp_path / "file").write_bytes(b"earlier")
    with pytest.raises(ValueError, match=message):
        route(estimator, tmp_path)
    assert (tmp_path / "file").read_bytes() == b"earlier"


def test_an_output_that_set_output_does_not_know(tmp_path):
    with pytest.raises(ValueError, match=r"set_output cannot have been given.*'words'"):
        through_save(make().fit(X).set_output(transform="words"), tmp_path)


class _Doubled(Readout):
    """A readout of another kind, with something to remember of its own."""

    def __init__(self, width, n_components):
        super().__init__(width, n_components)
        self.register_buffer("factor", torch.tensor(2.0))

    def forward(self, features):
        return super().forward(features) * self.factor


class _WithItsOwnReadout(AutoencoderEmbedding):
    def _make_readout(self, module):
        return _Doubled(module.width, self.n_components)


def test_a_readout_of_another_kind_is_made_again_by_its_estimator():
    embedding = _WithItsOwnReadout(3, max_epochs=1, random_state=0).fit(X)
    again = pickle.loads(pickle.dumps(embedding))
    assert isinstance(again.readout_, _Doubled)
    np.testing.assert_array_equal(again.transform(X), embedding.transform(X))
    plain = AutoencoderEmbedding(3, max_epochs=1, random_state=0).fit(X)
    np.testing.assert_array_equal(embedding.transform(X), 2 * plain.transform(X))
