"""Devices are named as tensors on them name theirs."""

from types import SimpleNamespace

import pytest
import torch

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
