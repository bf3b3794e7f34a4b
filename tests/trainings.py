"""Small trainings, for the tests of ``_training/``."""

import copy
import os
import signal

import numpy as np
import torch
from skorch.callbacks import (
    Callback,
)
from torch import nn
from torch.nn import functional as F

from skrepr import AutoencoderEmbedding, _training
from skrepr._rows import Rows
from skrepr._training._interruption import Interruption
from skrepr._training._randomness import Randomness, carry_generator
from skrepr.architectures import MLP

N_ROWS, N_HELD_OUT, N_FEATURES, BATCH_SIZE = 70, 20, 6, 16


SMALL = MLP((8,))


def table(n=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, N_FEATURES))).astype(np.float32)


def as_rows(X):
    return Rows(torch.from_numpy(X), X.shape[1:], torch.device("cpu"))


def embedding(**parameters):
    settings = {"architecture": SMALL, "max_epochs": 3, "batch_size": BATCH_SIZE}
    settings |= {"early_stopping": False, "random_state": 0, "device": "cpu"}
    return AutoencoderEmbedding(2, **settings | parameters)


def state_of(estimator):
    return {name: value.clone() for name, value in estimator.module_.state_dict().items()}


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


class Reconstruction(nn.Module):
    """What stock skorch trains, with a criterion of its own."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(N_FEATURES, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Linear(5, N_FEATURES)
        )

    def forward(self, x):
        return self.layers(x)


class Loss(Reconstruction):
    """The same as the loop wants it."""

    def forward(self, x):
        return F.mse_loss(self.layers(x), x)


class Diary(Callback):
    """Keeps weights and batch rows of each epoch; asks for no batch hook."""

    def on_train_begin(self, net, **kwargs):
        self.states, self.batches = [], []

    def on_epoch_end(self, net, **kwargs):
        self.states.append(copy.deepcopy(net.module_.state_dict()))
        self.batches.append(copy.deepcopy(net.history[-1]["batches"]))


class Watcher(Callback):
    """Makes the loop fall back on skorch's own."""

    def on_batch_end(self, net, **kwargs):
        pass


def make(cls):
    torch.manual_seed(1)
    module = cls()
    carry_generator(module, torch.Generator().manual_seed(7))
    return module


def train_ours(
    module,
    callbacks,
    *,
    held_out=True,
    epochs=4,
    open_ended=False,
    may_return=True,
    share=1.0,
    **changes,
):
    settings = {
        "optimizer": None,
        "optimizer_params": None,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "batch_size": BATCH_SIZE,
        "max_epochs": epochs,
        "patience": None,
        "device": torch.device("cpu"),
        "precision": "float32",
        "callbacks": callbacks,
        "verbose": False,
    }
    net = _training.make_net(module, **settings | changes)
    rows, judged = as_rows(table()), as_rows(table(N_HELD_OUT, 1))
    randomness = Randomness(module, torch.device("cpu"))
    randomness.foreign = False  # these modules draw nothing, so the order is all that is drawn
    run = _training.Run(
        rows,
        judged if held_out else None,
        epochs=epochs,
        randomness=randomness,
        watch=Interruption(),
        open_ended=open_ended,
        may_return=may_return,
        share=share,
    )
    return net, _training.train(net, run)


def callback_of(net, cls):
    return next(callback for _, callback in net.callbacks_ if isinstance(callback, cls))


def fixed_layer():
    """Return a layer that starts the same each time it is made."""
    layer = nn.Linear(N_FEATURES, 4)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


# steps of one epoch over all rows of `table`, and over those that are not held out
STEPS = 5


class PressesCtrlC(nn.Module):
    """An encoder under which Ctrl-C is pressed in the middle of an epoch."""

    def __init__(self, at_step, times=1):
        super().__init__()
        self.layer = fixed_layer()
        self.at_step, self.times = at_step, times
        self.n_steps = 0

    def forward(self, x):
        if self.training:
            self.n_steps += 1
            if self.n_steps == self.at_step:
                for _ in range(self.times):
                    os.kill(os.getpid(), signal.SIGINT)
        return self.layer(x)
