"""Values come back as they were."""

import json

import numpy as np
import pytest
import torch

from skrepr import _format
from skrepr._base import known_names
from skrepr.architectures import MLP
from skrepr.augmentations import FeatureDropout, GaussianNoise


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
    writer = _format.Writer(known_names())
    text = json.dumps(writer.encode(value, "value"))
    received = _format.Reader(writer.tensors, known_names(), {}).decode(json.loads(text), "value")
    assert type(received) is type(value)
    assert repr(received) == repr(value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", ">f4", ">i8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_arrays_come_back_as_they_were(dtype, shape):
    value = np.arange(6)[: int(np.prod(shape))].reshape(shape).astype(dtype)
    value.flags.writeable = False
    writer = _format.Writer(known_names())
    encoded = writer.encode(value, "value")
    received = _format.Reader(writer.tensors, known_names(), {}).decode(encoded, "value")
    np.testing.assert_array_equal(received, value)
    assert received.dtype == value.dtype.newbyteorder("=")
    assert received.shape == value.shape


def test_tied_tensors_are_written_apart():
    writer = _format.Writer(known_names())
    tensor = torch.arange(6.0)
    writer.add_state("module", {"one": tensor, "two": tensor, "part": tensor[:3]})
    _, tensors = _format.unpack(_format.pack({}, writer.tensors), "here")
    assert {name: value.tolist() for name, value in tensors.items()} == {
        "module.one": [0, 1, 2, 3, 4, 5],
        "module.two": [0, 1, 2, 3, 4, 5],
        "module.part": [0, 1, 2],
    }


def test_what_is_not_known_goes_beside():
    beside = {}
    writer = _format.Writer(known_names(), beside)
    value = [MLP((3,)), {"mine": test_tied_tensors_are_written_apart}, lambda: 0]
    text = json.dumps(writer.encode(value, "value"))
    assert list(beside.values()) == [value[1]["mine"], value[2]]
    received = _format.Reader({}, known_names(), beside).decode(json.loads(text), "value")
    assert repr(received) == repr(value)


def test_a_class_of_the_same_name_is_not_taken_for_ours():
    mine = type("MLP", (), {"__module__": "skrepr.architectures._mlp"})
    beside = {}
    _format.Writer(known_names(), beside).encode(mine, "value")
    assert list(beside.values()) == [mine]
