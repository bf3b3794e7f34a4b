"""Bytes that are damaged, or none of ours, are told as such."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from skrepr import _format


@pytest.fixture(scope="module")
def content():
    tensors = {f"value.{i}": torch.full((i, 40), float(i)) for i in range(5)}
    return _format.pack({"parameters": {"n_components": 2, "text": "naïve"}}, tensors)


def test_round_trip(content):
    document, tensors = _format.unpack(content, "here")
    assert document["parameters"] == {"n_components": 2, "text": "naïve"}
    assert document["versions"]["torch"] == torch.__version__
    assert [value.shape[0] for _, value in sorted(tensors.items())] == list(range(5))


def test_any_flipped_byte_is_noticed(content):
    expected, expected_tensors = _format.unpack(content, "here")
    rng = np.random.default_rng(0)
    n_told = 0
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << rng.integers(8)
        try:
            document, tensors = _format.unpack(bytes(changed), "here")
        except ValueError:
            n_told += 1
        else:
            assert document == expected
            for name, tensor in tensors.items():
                assert tensor.equal(expected_tensors[name])
    assert n_told > 0.98 * len(content)


def test_any_cut_is_noticed(content):
    for length in range(len(content)):
        with pytest.raises(ValueError, match="here is damaged, or was not written by"):
            _format.unpack(content[:length], "here")
    with pytest.raises(ValueError, match="here is damaged"):
        _format.unpack(content + b"more", "here")


def test_a_newer_format(content):
    document, tensors = _format.unpack(content, "here")
    newer = _format.pack(document | {"format": 99}, tensors)
    with pytest.raises(ValueError, match=r"here was written by a newer version .* Upgrade"):
        _format.unpack(newer, "here")


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
    "other",
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
def test_other_content(other):
    with pytest.raises(ValueError, match="here is damaged, or was not written by skrepr"):
        _format.unpack(other, "here")
