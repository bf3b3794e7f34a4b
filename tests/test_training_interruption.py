"""Ctrl-C waits until nothing is left half done; a second one does not wait."""

import os
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn
from trainings import STEPS, PressesCtrlC, embedding, table

from skrepr import AutoencoderEmbedding
from skrepr._training import _interruption
from skrepr._training._interruption import Interruption

pytestmark = pytest.mark.usefixtures("no_earlier_interruption")


def press(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def handler():
    return signal.getsignal(signal.SIGINT)


def test_the_first_ctrl_c_waits_for_a_check():
    before, reached = handler(), []
    with pytest.raises(KeyboardInterrupt), Interruption() as watch:  # noqa: PT012
        press()
        reached.append("pressed")
        assert not watch.signalled
        watch.check()
        reached.append("checked")
    assert reached == ["pressed"]
    assert watch.signalled and not watch.impatient
    assert handler() is before
    watch.check()  # acted upon once


def test_the_second_ctrl_c_acts_at_once():
    with pytest.raises(KeyboardInterrupt), Interruption() as watch:  # noqa: PT012
        press(2)
        raise AssertionError
    assert watch.signalled and watch.impatient


def test_a_later_ctrl_c_is_a_first_one_again(monkeypatch):
    reached = []
    with pytest.raises(KeyboardInterrupt), Interruption() as watch:  # noqa: PT012
        press()
        monkeypatch.setattr(Interruption, "_last", Interruption._last - watch.IMPATIENCE)
        press()
        reached.append("patient")
        watch.check()
    assert reached and not watch.impatient


def test_no_ctrl_c_is_lost(monkeypatch):
    with pytest.raises(KeyboardInterrupt), Interruption():
        press()
    monkeypatch.setattr(Interruption, "_last", -np.inf)
    with pytest.raises(KeyboardInterrupt) as caught, Interruption():  # noqa: PT012
        press()
        raise ValueError("of the fit")
    assert isinstance(caught.value.__context__, ValueError)


def test_ctrl_c_waits_for_a_fit_that_is_being_finished():
    with pytest.warns(UserWarning, match="it is complete"), Interruption() as watch:  # noqa: PT031
        watch.finishing = True
        press()
        watch.check()


def test_the_outermost_counts():
    with pytest.raises(KeyboardInterrupt), Interruption() as outer:  # noqa: PT012
        mine = handler()
        with Interruption() as inner:
            assert handler() is mine or handler() == mine
            press()
            inner.check()
        assert not inner.signalled
        outer.check()
        raise AssertionError


def test_a_handler_with_other_plans():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        with Interruption() as watch:
            press()
            assert pressed == []
            watch.check()
            assert pressed == [signal.SIGINT] and not watch.signalled
    finally:
        signal.signal(signal.SIGINT, before)


class PressesAnywhere(nn.Module):
    """An encoder under which Ctrl-C is pressed where torch's settings are being changed."""

    active = False

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x):
        if PressesAnywhere.active:
            with torch.no_grad():
                press()
        return self.layer(x)


@pytest.mark.parametrize("method", ["transform", "reconstruct", "inverse_transform"])
def test_ctrl_c_in_evaluation_is_raised_once_a_chunk_is_done(method, monkeypatch):
    X = np.random.default_rng(0).normal(size=(20, 6))
    settings = {"architecture": PressesAnywhere(), "max_epochs": 1, "early_stopping": False}
    estimator = AutoencoderEmbedding(2, device="cpu", **settings).fit(X)
    Z = estimator.transform(X)
    if method == "inverse_transform":
        estimator.module_.decoder = nn.Sequential(nn.Linear(2, 6), PressesAnywhere())
        estimator.module_.decoder[1].layer = nn.Linear(6, 6)
    before = handler()
    monkeypatch.setattr(PressesAnywhere, "active", True)
    with pytest.raises(KeyboardInterrupt):
        getattr(estimator, method)(Z if method == "inverse_transform" else X)
    monkeypatch.setattr(PressesAnywhere, "active", False)
    assert handler() is before
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    np.testing.assert_array_equal(estimator.transform(X), Z)


class PressesWhileGradientsAreOff(nn.Module):
    """Ctrl-C falls into the line of torch that switches gradients on again."""

    def __init__(self, times):
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.times = times

    def forward(self, x):
        if self.training:
            torch.set_grad_enabled(False)
            press(self.times)
            torch.set_grad_enabled(True)
        return self.layer(x)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_gradients_are_on_after_ctrl_c(times, method):
    """Python raises in the middle of a line only for those who insist."""
    X = np.random.default_rng(0).normal(size=(20, 6))
    encoder = PressesWhileGradientsAreOff(times)
    estimator = AutoencoderEmbedding(2, architecture=encoder, max_epochs=2, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        getattr(estimator, method)(X)
    assert torch.is_grad_enabled()
    assert not hasattr(estimator, "net_")


def test_a_second_press_waits_for_the_end_of_an_import(tmp_path, monkeypatch):
    (tmp_path / "pressed_twice.py").write_text(
        "import os, signal\n"
        "for _ in range(2):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "complete = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Interruption() as watch:
        import pressed_twice

        assert pressed_twice.complete
        with pytest.raises(KeyboardInterrupt):
            watch.check()


def test_patient_ctrl_c_is_not_counted_as_a_second_one(monkeypatch):
    clock = iter([100.0, 102.1])
    monkeypatch.setattr(_interruption.time, "monotonic", lambda: next(clock))
    assert not Interruption.pressed_twice()
    assert not Interruption.pressed_twice()


def test_handler_of_the_user_is_called_and_put_back():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda signum, frame: pressed.append(signum))
    try:
        own = signal.getsignal(signal.SIGINT)
        estimator = embedding(architecture=PressesCtrlC(STEPS + 1)).fit(table())
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]
    assert estimator.n_epochs_ == 3


def test_fit_outside_the_main_thread():
    estimator = embedding()
    thread = threading.Thread(target=estimator.fit, args=(table(),))
    thread.start()
    thread.join()
    assert estimator.n_epochs_ == 3


def test_ctrl_c_from_outside():
    """A signal at any time, from another thread."""
    estimator = embedding(max_epochs=10**6)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(UserWarning, match="Interrupted in epoch"):
        estimator.fit(table())
    timer.join()
    assert 0 < estimator.n_epochs_ < 10**6
    assert len(estimator.history_) == estimator.n_epochs_
