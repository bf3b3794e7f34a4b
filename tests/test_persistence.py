"""A saved embedding comes back the same, and a file that is not one does nothing."""

import copy
import io
import json
import os
import pickle
import stat
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochTimer
from torch import nn

from skrepr import AutoencoderEmbedding, _format, load, persistence, save
from skrepr._base import known
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


class Halving(BaseEstimator):
    """A recipe of the user's own."""

    def __init__(self, bias=True):
        self.bias = bias

    def make_encoder(self, input_shape, n_components):
        return nn.Sequential(nn.Flatten(), nn.Linear(6, n_components, bias=self.bias))

    def make_decoder(self, n_components, output_shape):
        return nn.Linear(n_components, 6, bias=self.bias)


class OwnOptimizer(torch.optim.SGD):
    pass


def add_noise(x, generator):
    return x + 0.1 * torch.randn(x.shape, generator=generator)


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
        {f"{__name__}.Halving": Halving},
    ),
    "known optimizer": (
        X,
        {"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": 0.5, "nesterov": True}},
        {},
    ),
    "own optimizer": (X, {"optimizer": OwnOptimizer}, {f"{__name__}.OwnOptimizer": OwnOptimizer}),
    "own function": (X, {"corruption": add_noise}, {f"{__name__}.add_noise": add_noise}),
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


class AllKinds(BaseEstimator):
    def __init__(self, value=None):
        self.value = value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        2**70,
        1e-300,
        float("inf"),
        "naïve \0 \ud800 'text'",
        (),
        [],
        {},
        ((1, [2.5, None]), {"a": ("b",)}),
        {1: "int key", (2, 3): {"nested": [True]}, None: 0.1},
        torch.device("cpu"),
        torch.optim.Adam,
        MLP,
        MLP((3, 4), dropout=0.1),
        [("noise", GaussianNoise(0.3)), ("mask", FeatureDropout())],
    ],
    ids=repr,
)
def test_values_come_back_as_they_were(value):
    writer = _format.Writer(known())
    text = json.dumps(writer.encode(value, "value"))
    received = _format.Reader(writer.tensors, known(), {}).decode(json.loads(text), "value")
    assert type(received) is type(value)
    assert repr(received) == repr(value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", ">f4", ">i8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_arrays_come_back_as_they_were(dtype, shape):
    value = np.arange(6)[: int(np.prod(shape))].reshape(shape).astype(dtype)
    value.flags.writeable = False
    writer = _format.Writer(known())
    encoded = writer.encode(value, "value")
    received = _format.Reader(writer.tensors, known(), {}).decode(encoded, "value")
    np.testing.assert_array_equal(received, value)
    assert received.dtype == value.dtype.newbyteorder("=")
    assert received.shape == value.shape


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


def test_parameters_that_no_longer_describe_the_network(path):
    with pytest.raises(ValueError, match=r"n_components were changed after fit.* fit again"):
        save(make().fit(X).set_params(n_components=3), path)
    assert not path.exists()


def test_a_recipe_that_was_changed_after_fit(path):
    estimator = make().fit(X).set_params(architecture__hidden_layer_sizes=(9,))
    save(estimator, path)
    assert load(path).architecture.hidden_layer_sizes == (9,)
    assert load(path).architecture_.hidden_layer_sizes == (8,)
    np.testing.assert_array_equal(load(path).transform(X), estimator.transform(X))


def test_callbacks_are_dropped_with_a_warning(path):
    estimator = make(callbacks=[EpochTimer()]).fit(X)
    with pytest.warns(UserWarning, match=r"set_params\(callbacks=...\)"):
        save(estimator, path)
    assert load(path).callbacks is None
    np.testing.assert_array_equal(load(path).transform(X), estimator.transform(X))


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_while_writing_leaves_the_earlier_file(path, monkeypatch, failing, error):
    def fail(*arguments):
        raise error

    estimator = make().fit(X)
    path.write_bytes(b"earlier")
    with monkeypatch.context() as broken:
        broken.setattr(persistence.os, failing, fail)
        with pytest.raises(error):
            save(estimator, path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]
    save(estimator, path)
    assert load(path).n_components == 2


def test_places_that_cannot_be_written(tmp_path):
    estimator = make().fit(X)
    with pytest.raises(FileNotFoundError):
        save(estimator, tmp_path / "missing" / "file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        save(estimator, tmp_path / "folder")
    assert os.listdir(tmp_path) == ["folder"]


def test_the_file_is_as_readable_as_any_other(path, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    save(make().fit(X), path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_long_names(tmp_path):
    path = tmp_path / ("x" * 255)
    save(make().fit(X), path)
    assert load(path).n_components == 2


# ---------------------------------------------------------------------- damaged and hostile


def test_any_flipped_byte_is_noticed(written, path):
    content, estimator = written
    header = int.from_bytes(content[:8], "little") + 8
    rng = np.random.default_rng(0)
    positions = [
        *range(16),
        *rng.integers(16, header, 150),
        *range(header - 16, header + 16),
        *rng.integers(header, len(content), 80),
        *range(len(content) - 16, len(content)),
    ]
    expected = estimator.transform(FRAME)
    n_told = 0
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        try:
            loaded = load(path)
        except ValueError:
            n_told += 1
        else:
            np.testing.assert_array_equal(loaded.transform(FRAME), expected)
    assert n_told > 0.9 * len(positions)


def test_any_cut_is_noticed(written, path):
    content, _ = written
    header = int.from_bytes(content[:8], "little") + 8
    for length in [*range(10), header - 1, header, header + 1, *range(0, len(content), 97)]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="is damaged, or was not written by"):
            load(path)
    path.write_bytes(content + b"more")
    with pytest.raises(ValueError, match="is damaged"):
        load(path)


def archive():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("data.pkl", pickle.dumps(os.system))
    return stream.getvalue()


class Exploding:
    def __reduce__(self):
        return pytest.fail, ("a pickle was opened",)


def torch_file():
    stream = io.BytesIO()
    torch.save({"weights": Exploding()}, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        pickle.dumps(Exploding()),
        archive(),
        torch_file(),
        b"{}",
        b"\xff" * 100,
        (2**62).to_bytes(8, "little") + b"{}",
        (10**8).to_bytes(8, "little") + b"{}",
        np.random.default_rng(0).bytes(5000),
        safetensors.torch.save({"weights": torch.zeros(3)}),
        safetensors.torch.save({"weights": torch.zeros(3)}, metadata={"skrepr": "{}"}),
        safetensors.torch.save({"weights": torch.zeros(3)}, metadata={"skrepr": "[" * 10**5}),
        safetensors.torch.save({"weights": torch.zeros(3)}, metadata={"skrepr": "9" * 10**5}),
        safetensors.torch.save({"weights": torch.zeros(3)}, metadata={"skrepr": "null"}),
    ],
    ids=[
        *("empty", "one byte", "pickle", "zip", "torch", "json", "ones", "endless header"),
        *("long header", "random", "no metadata", "empty document", "deep", "long", "null"),
    ],
)
def test_other_files(content, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged, or was not written by skrepr"):
        load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(OSError, match="directory"):
        load(tmp_path)


def document_of(content):
    header = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + header])["__metadata__"]["skrepr"])


def rewritten(content, change, path):
    """Write a file with another document and a checksum that is right."""
    document = document_of(content)
    tensors = safetensors.torch.load(content)
    document = change(document) or document
    document["checksum"] = _format.checksum(document, tensors)
    path.write_bytes(safetensors.torch.save(tensors, metadata={"skrepr": json.dumps(document)}))


def at(*keys, value):
    """Return a function that puts ``value`` there in a document."""

    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"kind": "list", "items": [value]}
    return value


FOREIGN_NAMES = [
    "os.system",
    "subprocess.Popen",
    "builtins.eval",
    "builtins.exec",
    "skrepr.persistence.os.system",
    "skrepr.persistence.load",
    "skrepr.architectures.os",
    "torch.load",
    "torch.optim.os.system",
    "../../x",
    "/etc/passwd",
    "antigravity",
    "this.s",
    "__main__.MLP",
    "",
]


@pytest.mark.parametrize("foreign", FOREIGN_NAMES)
@pytest.mark.parametrize("place", ["class", "part", "object", "fitted part", "inner part"])
def test_foreign_names_are_not_imported(written, path, foreign, place):
    content, _ = written
    call = {"kind": "part", "name": foreign, "parameters": {"command": "touch proof"}}
    change = {
        "class": at("class", value=foreign),
        "part": at("parameters", "architecture", value=call),
        "object": at("parameters", "optimizer", value={"kind": "object", "name": foreign}),
        "fitted part": at("fitted", "architecture_", value=call),
        "inner part": at("parameters", "architecture", "parameters", "activation", value=call),
    }[place]
    rewritten(content, change, path)
    loaded_modules = set(sys.modules)
    with pytest.raises((ValueError, KeyError)) as caught:
        load(path)
    assert repr(foreign) in str(caught.value)
    assert set(sys.modules) == loaded_modules
    assert os.listdir(path.parent) == [path.name]


def test_what_is_handed_over_is_not_called(written, path):
    content, _ = written
    called = []

    def analyzer(**parameters):
        called.append(parameters)

    call = {"kind": "part", "name": "mine.analyzer", "parameters": {"path": "/"}}
    rewritten(content, at("parameters", "architecture", value=call), path)
    with pytest.raises(ValueError, match=r"'mine\.analyzer' must be a recipe"):
        load(path, objects={"mine.analyzer": analyzer})
    assert not called


SOMETHING_ELSE = [None, True, -1, 10**30, 1e308, "text", [], [[1]], {}, {"kind": "what"}]
SOMETHING_ELSE += [{"kind": "array", "tensor": "none"}, {"kind": "tuple", "items": 3}]
SOMETHING_ELSE += [{"kind": "part", "name": ["MLP"], "parameters": {}}, nested(350)]


@pytest.mark.parametrize("value", SOMETHING_ELSE, ids=lambda value: json.dumps(value)[:30])
def test_documents_of_wrong_types(written, path, value):
    content, estimator = written
    document = document_of(content)
    places = [(key,) for key in document if key != "checksum"]
    for group in ("parameters", "fitted", "versions"):
        places += [(group, key) for key in document[group]]
    places += [("parameters", "architecture", "name"), ("history", "items")]
    for place in places:
        rewritten(content, at(*place, value=value), path)
        try:
            loaded = load(path)
        except (ValueError, _format.NotKnown):
            pass
        else:
            # a value that the network does not depend on
            for name, tensor in estimator.module_.state_dict().items():
                assert tensor.equal(loaded.module_.state_dict()[name])


@pytest.mark.parametrize(
    "change",
    [
        at("parameters", "n_components", value=10**9),
        at("fitted", "input_shape_", value={"kind": "tuple", "items": [10**10]}),
        at(
            *("fitted", "architecture_", "parameters", "hidden_layer_sizes"),
            value={"kind": "tuple", "items": [10**9, 10**9]},
        ),
        at("parameters", "n_components", value=3),
    ],
    ids=["n_components", "input_shape_", "hidden_layer_sizes", "a little"],
)
def test_a_network_larger_than_its_weights_takes_no_memory(written, path, change):
    rewritten(written[0], change, path)
    with pytest.raises(ValueError, match="do not describe the network"):
        load(path)


@pytest.mark.parametrize("name", ["transform", "__class__", "_rebuild", "net_x", "module_"])
def test_only_fitted_attributes_are_set(written, path, name):
    rewritten(written[0], at("fitted", name, value=1), path)
    with pytest.raises(ValueError, match=f"{name!r} is no fitted attribute"):
        load(path)


def test_a_file_of_a_newer_version(written, path):
    rewritten(written[0], at("format", value=99), path)
    with pytest.raises(ValueError, match=r"newer version of skrepr .* Upgrade"):
        load(path)


def test_an_estimator_of_another_version(written, path):
    rewritten(written[0], at("class", value="FutureEmbedding"), path)
    with pytest.raises(ValueError, match="'FutureEmbedding'"):
        load(path)


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps", "nowhere"])
def test_a_device_that_is_not_there(written, path, device):
    def change(document):
        document["parameters"]["device"] = device
        document["fitted"]["device_"] = {"kind": "device", "name": "cuda:0"}

    content, estimator = written
    rewritten(content, change, path)
    loaded = load(path)
    assert loaded.device == device
    if not torch.cuda.is_available():
        assert loaded.device_ == torch.device("cpu")
    np.testing.assert_allclose(
        loaded.transform(FRAME), estimator.transform(FRAME), rtol=1e-4, atol=1e-5
    )


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
