"""Devices are named as tensors on them name theirs; precision follows from rules."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from trainings import embedding, table

from skrepr._training import _devices
from skrepr._training._devices import resolve_device


@pytest.fixture
def pretend(monkeypatch):
    """Let torch believe that an accelerator is there, and name it as that does."""

    def pretend(kind):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: kind == "cuda")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: kind == "mps")
        empty = torch.empty

        def empty_there(*sizes, device=None, **kwargs):
            device = torch.device("cpu" if device is None else device)
            if device.type == "cpu":
                return empty(*sizes, device=device, **kwargs)
            return SimpleNamespace(device=torch.device(device.type, device.index or 0))

        monkeypatch.setattr(torch, "empty", empty_there)

    return pretend


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("explicit", [False, True])
def test_the_device_has_the_index_that_tensors_have(kind, explicit, pretend):
    """A tensor on "cuda" is on "cuda:0", which is unequal: it would be copied, and pinned."""
    pretend(kind)
    device = resolve_device(kind if explicit else "auto")
    assert device == torch.device(kind, 0) != torch.device(kind)


def test_an_index_is_kept(pretend):
    pretend("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(ValueError, match="Available: cuda, cpu"):
        resolve_device("mps")


def test_the_processor_has_no_index(pretend):
    pretend("none")
    assert resolve_device("auto") == resolve_device("cpu:0") == torch.empty(0).device


@pytest.mark.parametrize(
    ("there", "batch_size", "expected"),
    [(True, 4, "float32"), (True, 2**17, "bf16"), (False, 2**17, "float32")],
)
def test_precision_auto_is_bf16_where_it_pays(monkeypatch, there, batch_size, expected):
    monkeypatch.setattr(_devices, "_has_bf16", lambda device: there)
    module = nn.Linear(100, 10)
    chosen = _devices.resolve_precision("auto", module, batch_size, torch.device("cpu"))
    assert chosen == expected


@pytest.mark.parametrize("there", [True, False])
def test_bf16_pays_on_a_processor_with_matrix_units(monkeypatch, there):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: there)
    assert _devices._has_bf16(torch.device("cpu")) is there


def test_device_auto_is_one_that_is_there():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    if not torch.backends.mps.is_available():
        assert resolve_device("auto").type == expected
    assert resolve_device("cpu") == torch.device("cpu")
    assert embedding(device=torch.device("cpu")).fit(table()).device_ == torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda:77", "meta", "nonsense", ""])
def test_device_that_is_not_there(device):
    estimator = embedding(device=device)
    with pytest.raises(ValueError, match=re.escape(f"device={device!r} is not available")):
        estimator.fit(table())
    assert not hasattr(estimator, "device_")


@pytest.mark.parametrize(("seconds", "pays"), [(0.5, True), (0.9, False), (2.0, False)])
def test_small_products_are_tried_with_a_wide_margin(seconds, pays, monkeypatch):
    clock = iter(np.cumsum([0, 1, 0, seconds] * 20).tolist())
    monkeypatch.setattr(_devices.time, "perf_counter", lambda: next(clock))
    assert _devices._small_products_pay.__wrapped__() is pays


@pytest.mark.parametrize(("pays", "expected"), [(True, "bf16"), (False, "float32")])
def test_auto_precision_of_small_products_is_what_was_faster(pays, expected, monkeypatch):
    monkeypatch.setattr(_devices, "_small_products_pay", lambda: pays)
    monkeypatch.setattr(_devices, "_has_bf16", lambda device: not pays)
    assert _devices.probe_precision("auto", torch.device("cpu")) == expected
    assert _devices.probe_precision("float32", torch.device("cpu")) == "float32"
    assert _devices.probe_precision("auto", torch.device("cuda")) != expected
