"""A training ends as promised, whole or in pieces, also when something goes wrong."""

import copy
import os
import signal
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    Callback,
)
from trainings import (
    BATCH_SIZE,
    N_ROWS,
    SMALL,
    STEPS,
    Loss,
    PressesCtrlC,
    Watcher,
    as_rows,
    assert_same_state,
    embedding,
    make,
    state_of,
    table,
    train_ours,
)

from skrepr import AutoencoderEmbedding, _training
from skrepr._training import _loop
from skrepr._training._interruption import Interruption
from skrepr._training._keep_best import KeepBest
from skrepr._training._randomness import Randomness
from skrepr.architectures import MLP

pytestmark = pytest.mark.usefixtures("one_thread", "no_earlier_interruption")


@pytest.mark.parametrize("stops", [[1, 3], [3], [1, 2, 3]])
def test_a_fold_is_a_training_in_pieces(stops):
    groups = [as_rows(table(5, seed)) for seed in (1, 2)]

    def losses_after(epochs, share):
        module = make(Loss)
        if epochs:
            train_ours(module, [], held_out=False, epochs=epochs, share=share)
        with torch.inference_mode():
            module.eval()
            return [module(rows.values).item() for rows in groups]

    module = make(Loss)
    fractions = []
    module.set_progress = fractions.append
    plans = set()
    module.set_plan = plans.add
    net, _ = train_ours(module, [], held_out=False, epochs=0, keeps_best=False)
    randomness = Randomness(module, torch.device("cpu"))
    randomness.foreign = False
    fold = _training.Fold(
        net, as_rows(table()), groups, randomness=randomness, watch=Interruption(), epochs=3
    )
    for epochs in [0, *stops]:
        if epochs:
            fold.go_on_to(epochs)
        for share in (0.25, 1.0):
            expected = losses_after(epochs, share)
            np.testing.assert_allclose(fold.losses(share), expected, rtol=1e-5)
    np.testing.assert_allclose(fractions, np.arange(15) / 15)
    assert plans == {3}  # of the whole, in each piece


def test_a_fold_copies_weights_only_where_they_move(monkeypatch):
    module = make(Loss)
    net, _ = train_ours(module, [], held_out=False, epochs=0, keeps_best=False)
    assert not any(isinstance(callback, KeepBest) for _, callback in net.callbacks_)
    asked = {"randomness": Randomness(module, torch.device("cpu")), "watch": Interruption()}
    fold = _training.Fold(net, as_rows(table()), [as_rows(table(5, 1))], epochs=2, **asked)
    copies, original = [], _loop.Start
    monkeypatch.setattr(_loop, "Start", lambda *args: copies.append(1) or original(*args))
    fold.go_on_to(2)
    end = copy.deepcopy(module.state_dict())
    fold.losses(1.0)
    assert not copies
    fold.losses(0.5)
    assert len(copies) == 1
    assert_same_state(module.state_dict(), end)


@pytest.mark.parametrize("callbacks", [None, [Watcher()]], ids=["slim", "fallback"])
def test_ctrl_c_after_an_epoch_commits_the_last_complete_one(callbacks):
    interrupted = embedding(
        architecture=PressesCtrlC(2 * STEPS + 3), max_epochs=9, callbacks=callbacks
    )
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match=r"Interrupted in epoch 3: .* those of epoch 2\."):
        interrupted.fit(table())
    assert signal.getsignal(signal.SIGINT) is before
    assert interrupted.n_epochs_ == interrupted.best_epoch_ == 2
    assert not interrupted.module_.training
    whole = embedding(architecture=PressesCtrlC(-1), max_epochs=2).fit(table())
    assert_same_state(state_of(interrupted), state_of(whole))
    np.testing.assert_array_equal(interrupted.transform(table()), whole.transform(table()))


def test_ctrl_c_commits_the_best_held_out_weights():
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "decoder": MLP((8,), linear_path=None),
        "learning_rate": 0.5,
        "patience": 50,
    }
    whole = embedding(architecture=PressesCtrlC(-1), max_epochs=15, **settings).fit(table())
    best = whole.best_epoch_
    assert 0 < best < 15
    n_steps = len(list(range(0, 49, BATCH_SIZE))) - 1  # a last row joins the batch before
    interrupted = embedding(architecture=PressesCtrlC(15 * n_steps + 1), max_epochs=99, **settings)
    with pytest.warns(UserWarning, match=f"Interrupted in epoch 16: .* those of epoch {best}"):
        interrupted.fit(table())
    assert interrupted.n_epochs_ == 15
    assert interrupted.best_epoch_ == best
    assert_same_state(state_of(interrupted), state_of(whole))


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("case", ["first epoch", "partial_fit", "twice"])
def test_ctrl_c_leaves_the_estimator_as_it_was(case, fitted):
    estimator = embedding(architecture=PressesCtrlC(-1))
    if fitted:
        estimator.fit(table())
    attributes = dict(vars(estimator))
    state = state_of(estimator) if fitted else None
    at_step = {"first epoch": 3, "partial_fit": 3, "twice": STEPS + 2}[case]
    encoder = PressesCtrlC(at_step)
    parameters = {"architecture": encoder, "max_epochs": 9}
    if case == "twice":
        parameters["callbacks"] = [PressesAtTheEnd()]
    if fitted and case == "partial_fit":  # goes on with the network it has
        estimator.module_.encoder.module.at_step = STEPS * 3 + 3
    estimator.set_params(**parameters)
    attributes |= parameters
    before = signal.getsignal(signal.SIGINT)
    run = estimator.partial_fit if case == "partial_fit" else estimator.fit
    with (
        pytest.raises(KeyboardInterrupt),
        pytest.warns(UserWarning, match="Interrupt twice") if case == "twice" else nullcontext(),
    ):
        run(table(seed=3))
    assert signal.getsignal(signal.SIGINT) is before
    assert vars(estimator).keys() == attributes.keys()
    assert all(vars(estimator)[name] is value for name, value in attributes.items())
    if fitted:
        assert_same_state(state_of(estimator), state)


class PressesBetweenEpochs(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_between_epochs_is_not_taken_for_a_planned_end():
    estimator = embedding(callbacks=[PressesBetweenEpochs()], max_epochs=9)
    with pytest.warns(UserWarning, match=r"Interrupted in epoch 3: .* those of epoch 2\."):
        estimator.fit(table())
    assert estimator.n_epochs_ == 2


class PressesAtTheEnd(Callback):
    def on_train_end(self, net, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)


def test_second_ctrl_c_within_two_seconds_stops_a_search():
    first = embedding(architecture=PressesCtrlC(STEPS + 1), max_epochs=9)
    with pytest.warns(UserWarning, match="Interrupted"):
        first.fit(table())
    second = embedding(architecture=PressesCtrlC(STEPS + 1), max_epochs=9)
    with pytest.raises(KeyboardInterrupt):
        second.fit(table())
    assert not hasattr(second, "net_")


def test_ctrl_c_in_a_fold_ends_the_fit(monkeypatch):
    go_on, pressed = _training.Fold.go_on_to, []

    def press(self, epoch):
        go_on(self, epoch)
        if epoch == 2 and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(_training.Fold, "go_on_to", press)
    estimator = AutoencoderEmbedding(2, architecture=SMALL, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(table(60))
    assert pressed
    assert not hasattr(estimator, "net_")


class PressesWhileFinishing(AutoencoderEmbedding):
    times = 1

    def _describe(self, rows, stream):
        for _ in range(self.times):
            os.kill(os.getpid(), signal.SIGINT)
        super()._describe(rows, stream)


def finishing(**parameters):
    settings = {"architecture": SMALL, "max_epochs": 2, "early_stopping": False}
    return PressesWhileFinishing(2, random_state=0, **settings | parameters)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_while_the_fit_is_finished_waits(method):
    estimator = finishing()
    before = signal.getsignal(signal.SIGINT)
    with pytest.warns(UserWarning, match="is complete"):
        getattr(estimator, method)(table())
    assert signal.getsignal(signal.SIGINT) is before
    assert estimator.transform(table()).shape == (N_ROWS, 2)


def test_ctrl_c_twice_while_the_fit_is_finished_stops_it(monkeypatch):
    monkeypatch.setattr(PressesWhileFinishing, "times", 2)
    estimator = finishing()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(table())
    assert not hasattr(estimator, "net_")


class LoadsOtherWeights(Callback):
    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            for parameter in net.module_.parameters():
                parameter.fill_(0.5)


def test_a_callback_at_the_end_has_the_last_word():
    settings = {"early_stopping": True, "learning_rate": 1e-9}  # back to the start
    estimator = embedding(callbacks=[LoadsOtherWeights()], **settings).fit(table())
    assert estimator.best_epoch_ == 0
    assert all((parameter == 0.5).all() for parameter in estimator.module_.parameters())


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("no space left")


def test_failing_callback_leaves_the_estimator_as_it_was():
    estimator = embedding().fit(table())
    attributes, state = dict(vars(estimator)), state_of(estimator)
    before = signal.getsignal(signal.SIGINT)
    estimator.set_params(callbacks=[Fails()], n_components=3)
    with pytest.raises(RuntimeError, match="no space left"):
        estimator.fit(table(seed=1))
    assert signal.getsignal(signal.SIGINT) is before
    estimator.set_params(callbacks=None, n_components=2)
    assert vars(estimator) == attributes
    assert_same_state(state_of(estimator), state)
