"""Which weights a training keeps: those of its best epoch, or of its start."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from trainings import (
    N_HELD_OUT,
    N_ROWS,
    Diary,
    Loss,
    Watcher,
    as_rows,
    assert_same_state,
    callback_of,
    embedding,
    fixed_layer,
    make,
    table,
    train_ours,
)

from skrepr._training._keep_best import Start
from skrepr._training._net import Net
from skrepr.architectures import MLP

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("extra", [[], [Watcher()]], ids=["slim", "fallback"])
def test_best_held_out_weights_are_kept_with_buffers(extra):
    module = make(Loss)
    net, best_epoch = train_ours(
        module, [Diary(), *extra], epochs=12, learning_rate=0.3, weight_decay=0.0
    )
    losses = [row["valid_loss"] for row in net.history]
    assert best_epoch == 1 + int(np.argmin(losses)) < 12
    assert_same_state(module.state_dict(), callback_of(net, Diary).states[best_epoch - 1])


def test_start_is_epoch_0_and_patience_ends_training():
    module = make(Loss)
    start = copy.deepcopy(module.state_dict())
    net, best_epoch = train_ours(module, [], epochs=50, patience=3, learning_rate=3.0)
    assert best_epoch == 0
    assert len(net.history) == 3
    assert_same_state(module.state_dict(), start)


GAINS = {
    "of all groups": ([0.1] * 10, True),
    "of one group in ten": ([1.0, *[-0.05] * 9], False),
    "of all but an outlier": ([*[0.1] * 9, -50.0], True),
    "of half": ([0.1, -0.1] * 5, False),
    "of the only two": ([0.1, 0.2], True),
    "of one of two": ([0.1, -0.05], False),
    "from infinity": ([np.inf, *[-1.0] * 9], True),
}


@pytest.mark.parametrize("offset", [1e6, 0.0, -3.0])
@pytest.mark.parametrize(("gains", "left"), GAINS.values(), ids=GAINS.keys())
def test_start_is_left_for_a_sure_gain_only(monkeypatch, gains, left, offset):
    gains = np.array(gains)
    start = np.where(np.isinf(gains), np.inf, offset)
    losses = iter([start, offset - np.where(np.isinf(gains), 0, gains)])
    monkeypatch.setattr(Net, "mean_loss", lambda *_: np.inf)
    monkeypatch.setattr(Start, "_losses_of_groups", lambda *_: next(losses))
    module = make(Loss)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    _, best_epoch = train_ours(module, [], epochs=3)
    assert (best_epoch > 0) == left
    same = all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert same != left


def test_a_start_that_is_no_solution_never_comes_back():
    module = make(Loss)
    start = copy.deepcopy(module.state_dict())
    net, best_epoch = train_ours(module, [], epochs=5, learning_rate=3.0, may_return=False)
    losses = [row["valid_loss"] for row in net.history]
    assert best_epoch == 1 + int(np.argmin(losses))
    assert not torch.equal(module.state_dict()["layers.0.weight"], start["layers.0.weight"])


def test_early_stopping_may_watch_a_figure_of_the_module():
    class Watched(Loss):
        figures = iter([5.0, *[5.0] * 10, 3.0, 4.0, 2.0, 6.0, *[2.0] * 10])

        def watched(self, rows):
            assert not self.training and not torch.is_grad_enabled()
            return next(self.figures)

    module, diary = make(Watched), Diary()
    net, best_epoch = train_ours(module, [diary], epochs=4)
    assert best_epoch == 3
    assert [row["valid_watched"] for row in net.history] == [3.0, 4.0, 2.0, 6.0]
    assert_same_state(module.state_dict(), callback_of(net, Diary).states[2])


def test_the_start_is_judged_as_the_epochs_are():
    """By the same batches: a loss that grows with the batch must not let the start win."""

    class OfSizes(Loss):
        def forward(self, x):
            return super().forward(x) * 0 + len(x)

    net, _ = train_ours(make(OfSizes), [], epochs=1)
    assert net.mean_loss(as_rows(table(N_HELD_OUT, 1))) == net.history[-1, "valid_loss"]


def test_a_share_of_the_way_is_kept_of_floats_alone():
    whole, part = make(Loss), make(Loss)
    for module in (whole, part):
        module.register_buffer("bound", torch.tensor(torch.inf))
        module.register_buffer("number", torch.tensor(0))
        module.after_step = lambda module=module: module.number.add_(1)
    start = copy.deepcopy(part.state_dict())
    train_ours(whole, [], held_out=False)
    train_ours(part, [], held_out=False, share=0.25)
    assert part.bound == torch.inf
    assert part.number == whole.number > 0
    for name, end in whole.state_dict().items():
        if name != "bound" and end.is_floating_point():
            between = start[name] + 0.25 * (end - start[name])
            torch.testing.assert_close(part.state_dict()[name], between)


def test_patience_counts_from_the_best_epoch():
    estimator = embedding(
        architecture=MLP((8,), linear_path=None),
        early_stopping=True,
        validation_fraction=0.3,
        patience=4,
        max_epochs=300,
        learning_rate=0.03,
    ).fit(table())
    assert estimator.best_epoch_ > 0
    assert estimator.n_epochs_ == estimator.best_epoch_ + 4 < 300
    losses = estimator.history_["valid_loss"]
    assert losses.idxmin() + 1 == estimator.best_epoch_


def test_without_held_out_rows_the_last_weights_stay():
    module = make(Loss)
    net, best_epoch = train_ours(module, [Diary()], held_out=False, learning_rate=0.3)
    assert best_epoch == 4
    assert_same_state(module.state_dict(), callback_of(net, Diary).states[-1])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("learning_rate", [1e38, 1e30, 1e12])
def test_the_last_step_is_judged_too(method, learning_rate):
    """One epoch of one step: the loss was measured before it."""
    settings = {"max_epochs": 1, "batch_size": N_ROWS, "learning_rate": learning_rate}
    estimator = embedding(**settings)
    with pytest.raises(ValueError, match=r"The weights became NaN or infinite in epoch 1\."):
        getattr(estimator, method)(1e6 * table())
    assert not hasattr(estimator, "net_")


class OpenBounds(nn.Module):
    """Buffers that are not finite by intention."""

    def __init__(self):
        super().__init__()
        self.layer = fixed_layer()
        self.register_buffer("high", torch.full((3,), torch.inf))
        self.register_buffer("unknown", torch.full((3,), torch.nan))

    def forward(self, x):
        return self.layer(x)


def test_what_was_not_finite_at_the_start_may_stay():
    estimator = embedding(architecture=OpenBounds()).fit(table())
    assert estimator.module_.encoder.module.unknown.isnan().all()
