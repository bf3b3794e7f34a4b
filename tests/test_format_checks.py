"""What a hostile file may ask for, and what it does not get."""

import copy
import json
import os
import resource
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from skrepr import AutoencoderEmbedding, Word2VecEmbedding, _format, load, save
from skrepr._base import BaseEmbedding
from skrepr.architectures import MLP
from skrepr.augmentations import GaussianNoise

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
FRAME = pd.DataFrame(X, columns=list("abcdef"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "embedding.safetensors"


@pytest.fixture(scope="module")
def estimator():
    estimator = AutoencoderEmbedding(
        2,
        architecture=MLP((8,)),
        corruption=[("noise", GaussianNoise(0.1))],
        missing="mask",
        max_epochs=2,
        random_state=0,
        optimizer_params={"betas": (0.8, 0.9)},
    )
    return estimator.fit(FRAME).set_params(learning_rate=0.1)


@pytest.fixture(scope="module")
def written(estimator, tmp_path_factory):
    """The document and the tensors of a file."""
    path = tmp_path_factory.mktemp("written") / "embedding"
    save(estimator, path, resume=True)
    return _format.unpack(path.read_bytes(), "file")


def rewritten(written, path, change=lambda document, tensors: None):
    """Write a file with another content and a checksum that is right."""
    document, tensors = copy.deepcopy(written[0]), dict(written[1])
    change(document, tensors)
    path.write_bytes(_format.pack(document, tensors))


def at(*keys, value):
    """Return a change that puts ``value`` there in a document."""

    def change(document, tensors):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def answers(estimator):
    """Call all that a fitted embedding answers without being trained further."""
    frame = FRAME.set_axis(estimator.feature_names_in_, axis=1)
    with_gaps = frame.mask(np.eye(len(frame), 6, dtype=bool))
    with_gaps.iloc[0] = np.nan
    estimator.score_samples(with_gaps)
    estimator.score(frame)
    estimator.inverse_transform(estimator.transform(frame))
    estimator.reconstruct(frame)
    estimator.get_feature_names_out()
    estimator.get_params()
    assert len(estimator.history_) == estimator.n_epochs_


def places_in(value, place=()):
    """Yield the place of every value of a document."""
    if place:
        yield place
    inside = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else inside:
        yield from places_in(part, (*place, key))


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"kind": "list", "items": [value]}
    return value


SOMETHING_ELSE = [
    *(None, True, -1, 0, 3, 10**9, 10**30, 1e308, np.nan, "text", "", [], [[1]], {}),
    {"kind": "what"},
    {"kind": "array", "tensor": "none"},
    {"kind": "array", "tensor": "readout.matrix"},
    {"kind": "tensor", "tensor": "module.units.scale"},
    {"kind": "tuple", "items": 3},
    {"kind": "tuple", "items": []},
    {"kind": "tuple", "items": [10**9, 10**9]},
    {"kind": "list", "items": [1] * 20_000},
    {"kind": "dict", "items": []},
    {"kind": "names", "items": {"kind": "list", "items": [1]}},
    {"kind": "device", "name": "cuda:0"},
    {"kind": "object", "name": "torch.optim.adam.Adam"},
    {"kind": "part", "name": "skrepr.architectures.MLP", "parameters": {}},
    {"kind": "part", "name": ["MLP"], "parameters": {}},
    nested(350),
]


def try_cases(cases, written, path):
    """Load files that are changed in one place; return how many of them were loaded."""
    n_loaded = 0
    for place, value in cases:
        rewritten(written, path, at(*place, value=value))
        began = time.process_time()
        try:
            loaded = load(path)
        except (ValueError, _format.NotKnown):
            pass
        else:
            # a value that the answers do not depend on
            answers(loaded)
            n_loaded += 1
        assert time.process_time() - began < 2, (place, value)
    assert torch.is_grad_enabled()
    return n_loaded


def some_places(document):
    rng = np.random.default_rng(0)
    # the state of the optimizer is long, and the same again and again
    return [
        place
        for place in places_in(document)
        if place != ("checksum",) and (place[:2] != ("resume", "optimizer") or rng.uniform() < 0.2)
    ]


def test_one_value_in_every_place(written, path):
    rng = np.random.default_rng(0)
    cases = [
        (place, SOMETHING_ELSE[rng.integers(len(SOMETHING_ELSE))])
        for place in some_places(written[0])
    ]
    n_loaded = try_cases(cases, written, path)
    assert 0 < n_loaded < 0.3 * len(cases)


@pytest.mark.slow
@pytest.mark.parametrize("value", SOMETHING_ELSE, ids=lambda value: repr(value)[:30])
def test_every_value_in_every_place(written, path, value):
    try_cases([(place, value) for place in some_places(written[0])], written, path)


@pytest.mark.parametrize("key", ["module", "readout", "value"])
@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        (lambda tensor: tensor.to(torch.int32), False),
        (lambda tensor: tensor != 0, False),
        (lambda tensor: tensor.flatten()[:-1], False),
        (lambda tensor: torch.zeros(*tensor.shape, 3, dtype=tensor.dtype), False),
        (None, False),
        (lambda tensor: tensor.double(), True),
    ],
    ids=["integers", "booleans", "shorter", "more axes", "absent", "double"],
)
def test_tensors_of_another_kind(written, path, key, change, accepted):
    of_training = json.dumps(written[0]["resume"])
    for name in written[1]:
        if not name.startswith(key) or (key == "value" and f'"{name}"' not in of_training):
            continue

        def changed(document, tensors, name=name):
            if change is None:
                del tensors[name]
            else:
                tensors[name] = change(tensors[name]).contiguous()

        rewritten(written, path, changed)
        # what was found about the data, and the generator, are read in one precision
        if accepted and written[1][name].is_floating_point():
            answers(load(path))
        elif not accepted:
            with pytest.raises(ValueError, match="cannot be rebuilt"):
                load(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_no_training_leaves_behind(written, path, value):
    n_bounds = 0
    for name, tensor in written[1].items():
        if not name.startswith(("module.", "readout.")):
            continue

        def changed(document, tensors, name=name, tensor=tensor):
            tensors[name] = torch.full_like(tensor, value)

        rewritten(written, path, changed)
        if name.endswith(("low", "high", "center", "scale")) and np.isinf(value):
            n_bounds += name.startswith("module.")
            continue
        with pytest.raises(ValueError, match="hold NaN or infinite values"):
            load(path)
    assert n_bounds == 6 * np.isinf(value)


def test_a_weight_too_large_for_the_precision_of_the_network(written, path):
    def change(document, tensors):
        tensors["module.encoder.linear.bias"] = torch.full((2,), 1e300, dtype=torch.float64)

    rewritten(written, path, change)
    with pytest.raises(ValueError, match="hold NaN or infinite values"):
        load(path)


@pytest.mark.parametrize(
    "shapes",
    [
        {"matrix": (3, 4), "inverse": (4, 3), "center": (4,)},
        {"matrix": (3, 2), "inverse": (2, 3), "center": (2,)},
        {"matrix": (2, 2, 2)},
        {"matrix": (2,)},
        {"more": (2,)},
        {"moments.scatter": (2, 2)},
        {"matrix": (1, 10**6), "moments.scatter": (2,)},
    ],
)
def test_a_readout_of_another_shape(written, path, shapes):
    def change(document, tensors):
        tensors.update({f"readout.{name}": torch.zeros(shape) for name, shape in shapes.items()})

    rewritten(written, path, change)
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        load(path)


def layers(*widths):
    return {"kind": "tuple", "items": list(widths)}


HIDDEN = ("fitted", "architecture_", "parameters", "hidden_layer_sizes")


@pytest.mark.parametrize(
    "change",
    [
        at("parameters", "n_components", value=10**9),
        at("fitted", "input_shape_", value=layers(10**10)),
        at("fitted", "input_shape_", value=layers(*[10] * 10**5)),
        at(*HIDDEN, value=layers(10**9, 10**9)),
        at(*HIDDEN, value=layers(40_000, 40_000)),
        at(*HIDDEN, value=layers(*[1] * 200_000)),
        at(*HIDDEN, value=layers(*[8] * 3000)),
        at("parameters", "n_components", value=3),
    ],
    ids=[
        *("n_components", "input_shape_", "many axes", "wide", "6 GB", "200,000 layers"),
        *("a few more layers", "a little"),
    ],
)
def test_a_network_larger_than_its_weights_takes_no_time_and_no_memory(written, path, change):
    rewritten(written, path, change)
    peak, began = largest_memory(), time.process_time()
    with pytest.raises(ValueError, match=r"do not describe the network|cannot be|do not go with"):
        load(path)
    assert time.process_time() - began < 4  # half a second on a machine with nothing else to do
    assert largest_memory() - peak < 4e5
    assert torch.is_grad_enabled()


def largest_memory():
    """Return the most memory that this process has had, in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_the_bound_counts_tensors_and_values():
    state = nn.Linear(1000, 1000).state_dict()
    with _format.within(state):
        nn.Linear(1000, 1000)
    for make in (
        lambda: nn.Linear(10_000, 10_000),
        lambda: [nn.Linear(1, 1) for _ in range(20_000)],
        lambda: torch.full((10_000, 10_000), 1.0),
    ):
        with _format.within(state), pytest.raises(ValueError, match="they ask for more"):
            make()
    assert torch.is_grad_enabled()
    nn.Linear(1, 1).weight.sum().backward()


class Unrolled(nn.Module):
    """A module of the user's own that makes many tensors when it is tried."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        for _ in range(500):
            x = x + torch.zeros(len(x), 6)
        return self.linear(x)


def test_a_module_that_makes_many_tensors_is_no_attack(path):
    estimator = AutoencoderEmbedding(2, architecture=Unrolled(), max_epochs=1).fit(X)
    save(estimator, path)
    loaded = load(path, objects={"architecture": Unrolled()})
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))


# ----------------------------------------------------------------------------- optimizers


def entry(encoded, name):
    return next(value for key, value in encoded["items"] if key == name)


def states_of(document):
    return entry(document["resume"]["optimizer"], "state")


@pytest.mark.parametrize(
    "change",
    [
        lambda states: states["items"].append([99, {"kind": "dict", "items": []}]),
        lambda states: states["items"].append(["text", {"kind": "dict", "items": []}]),
        lambda states: states["items"][0].__setitem__(1, 3),
        lambda states: states["items"][0][1]["items"].pop(),
        lambda states: states["items"][0][1]["items"].append(["more", "text"]),
        lambda states: states["items"][0][1]["items"].append(
            ["more", {"kind": "tensor", "tensor": "readout.matrix"}]
        ),
        lambda states: states["items"][1].__setitem__(1, states["items"][0][1]),
    ],
    ids=[
        *("no such parameter", "a name", "a number", "one of two moments", "text", "a matrix"),
        "those of another",
    ],
)
def test_a_state_of_another_optimizer(written, path, change):
    rewritten(written, path, lambda document, tensors: change(states_of(document)))
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        load(path)


@pytest.mark.parametrize("name", ["lr", "initial_lr"])
@pytest.mark.parametrize("rate", ["text", np.inf])
def test_a_learning_rate_that_is_no_number(written, path, name, rate):
    def change(document, tensors):
        (group,) = entry(document["resume"]["optimizer"], "param_groups")["items"]
        group["items"] = [item for item in group["items"] if item[0] != name] + [[name, rate]]

    rewritten(written, path, change)
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        load(path)


def test_word_vectors_keep_nothing_of_an_optimizer(path):
    words = Word2VecEmbedding(2, min_count=1, max_epochs=1).fit([["a", "b"]] * 9)
    save(words, path, resume=True)
    assert load(path).vocabulary_ == words.vocabulary_

    def change(document, tensors):
        moment = ["moment", {"kind": "tensor", "tensor": "module.counts"}]
        states_of(document)["items"].append([0, {"kind": "dict", "items": [moment]}])

    rewritten(_format.unpack(path.read_bytes(), "file"), path, change)
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        load(path)


OPTIMIZERS = {
    "AdamW": (None, {"amsgrad": True}),
    "SGD": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "Adafactor": (torch.optim.Adafactor, {}),
    "LBFGS": (torch.optim.LBFGS, {}),
    "NAdam": (torch.optim.NAdam, {}),
    "ASGD": (torch.optim.ASGD, {}),
    "Rprop": (torch.optim.Rprop, {}),
    "RMSprop": (torch.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "Adadelta": (torch.optim.Adadelta, {}),
    "Adamax": (torch.optim.Adamax, {}),
    "RAdam": (torch.optim.RAdam, {}),
}


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_every_optimizer_that_trains_is_read(path, case):
    optimizer, arguments = OPTIMIZERS[case]
    estimator = AutoencoderEmbedding(
        2,
        architecture=MLP((8,)),
        optimizer=optimizer,
        optimizer_params=arguments,
        batch_size=60,
        random_state=0,
    ).partial_fit(X)
    save(estimator, path, resume=True)
    loaded = load(path)
    np.testing.assert_array_equal(
        loaded.partial_fit(X).transform(X), estimator.partial_fit(X).transform(X)
    )


def test_moments_of_arguments_that_were_given_up(path):
    estimator = AutoencoderEmbedding(2, optimizer=torch.optim.SGD, architecture=MLP((8,)))
    estimator.set_params(optimizer_params={"momentum": 0.9}).partial_fit(X)
    estimator.set_params(optimizer_params={}).partial_fit(X)
    save(estimator, path, resume=True)
    assert load(path).n_epochs_ == 2


@pytest.mark.parametrize(
    "state",
    [torch.zeros(5056, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8), torch.zeros(5056)],
)
def test_a_generator_in_no_valid_state(written, path, state):
    def change(document, tensors):
        tensors[document["resume"]["generator"]["tensor"]] = state

    rewritten(written, path, change)
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        load(path)


# ------------------------------------------------------------------------- foreign names

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
@pytest.mark.parametrize(
    "place", ["class", "part", "object", "fitted part", "inner part", "at fit"]
)
def test_foreign_names_are_not_imported(written, path, foreign, place):
    call = {"kind": "part", "name": foreign, "parameters": {"command": "touch proof"}}
    change = {
        "class": at("class", value=foreign),
        "part": at("parameters", "architecture", value=call),
        "object": at("parameters", "optimizer", value={"kind": "object", "name": foreign}),
        "fitted part": at("fitted", "architecture_", value=call),
        "inner part": at("parameters", "architecture", "parameters", "activation", value=call),
        "at fit": at("at_fit", "architecture", value=call),
    }[place]
    rewritten(written, path, change)
    loaded_modules = set(sys.modules)
    with pytest.raises((ValueError, KeyError)) as caught:
        load(path)
    assert repr(foreign) in str(caught.value)
    assert set(sys.modules) == loaded_modules
    assert os.listdir(path.parent) == [path.name]


def test_what_is_handed_over_is_not_called(written, path):
    called = []

    def analyzer(**parameters):
        called.append(parameters)

    call = {"kind": "part", "name": "mine.analyzer", "parameters": {"path": "/"}}
    rewritten(written, path, at("parameters", "architecture", value=call))
    with pytest.raises(ValueError, match=r"'mine\.analyzer' must be a recipe"):
        load(path, objects={"mine.analyzer": analyzer})
    assert not called


@pytest.mark.parametrize("name", ["transform", "__class__", "_rebuild", "net_x", "module_"])
def test_only_fitted_attributes_are_set(written, path, name):
    rewritten(written, path, at("fitted", name, value=1))
    with pytest.raises(ValueError, match=f"{name!r} is no fitted attribute"):
        load(path)


@pytest.mark.parametrize("name", ["transform", "callbacks", "random_state", "_hidden"])
def test_only_parameters_of_the_network_differ_from_the_present_ones(written, path, name):
    rewritten(written, path, at("at_fit", name, value=1))
    with pytest.raises(ValueError, match=r"are no parameters of AutoencoderEmbedding"):
        load(path)


def test_parameters_of_the_fit_are_checked(written, path):
    rewritten(written, path, at("at_fit", "loss", value="none"))
    with pytest.raises(ValueError, match="The 'loss' parameter of AutoencoderEmbedding"):
        load(path)


def test_an_estimator_of_another_version(written, path):
    rewritten(written, path, at("class", value="FutureEmbedding"))
    with pytest.raises(ValueError, match="'FutureEmbedding'"):
        load(path)


# ---------------------------------------------------------------------- fitted attributes


@pytest.mark.parametrize(
    "name", ["input_shape_", "layout_", "batch_size_", "max_epochs_", "reconstruction_error_"]
)
def test_a_missing_attribute(written, path, name):
    rewritten(written, path, lambda document, tensors: document["fitted"].pop(name))
    with pytest.raises(ValueError, match=rf"\['{name}'\] are missing"):
        load(path)


def test_every_fitted_attribute_has_its_kind(estimator):
    parts = {f"{name}_" for name, value in estimator.get_params(deep=False).items()}
    own = {name for name in vars(estimator) if name.endswith("_")} - {"net_", "readout_"}
    without_kind = own - _format._checks.ATTRIBUTES.keys()
    assert without_kind <= parts  # else add it to ATTRIBUTES
    assert all(hasattr(getattr(estimator, name), "get_params") for name in without_kind)


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps", "nowhere"])
def test_a_device_that_is_not_there(written, estimator, path, device):
    def change(document, tensors):
        document["parameters"]["device"] = device
        document["fitted"]["device_"] = {"kind": "device", "name": "cuda:0"}

    rewritten(written, path, change)
    loaded = load(path)
    assert loaded.device == device
    if not torch.cuda.is_available():
        assert loaded.device_ == torch.device("cpu")
    np.testing.assert_allclose(
        loaded.transform(FRAME), estimator.transform(FRAME), rtol=1e-4, atol=1e-5
    )


def test_a_pickle_that_was_trained_on_a_gpu(estimator, monkeypatch):
    state = estimator.__getstate__()
    content, _, _ = _format.split_state(state)
    (name,) = [key for key, value in state.items() if value is content]
    document, tensors = _format.unpack(content, "state")
    document["parameters"]["device"] = "cuda"
    document["fitted"]["device_"] = {"kind": "device", "name": "cuda:0"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    twin = AutoencoderEmbedding.__new__(AutoencoderEmbedding)
    BaseEmbedding.__setstate__(twin, state | {name: _format.pack(document, tensors)})
    assert twin.device_ == torch.device("cpu")
    np.testing.assert_array_equal(twin.transform(FRAME), estimator.transform(FRAME))


@pytest.mark.parametrize(
    ("shape", "valid"),
    [
        ((3, 8, 8), True),
        (((6,), (1, 28)), True),  # of two modalities
        (5000, True),  # words of a vocabulary
        ((((1,),),), False),
        ((-1,), False),
        ("3", False),
        ((1,) * 65, False),
    ],
    ids=str,
)
def test_what_may_stand_for_the_shape_of_a_sample(shape, valid):
    assert _format._checks.ATTRIBUTES["input_shape_"](shape) == valid
