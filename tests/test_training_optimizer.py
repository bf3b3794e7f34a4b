"""Which optimizer trains, and whether its arguments fit."""

import copy

import pytest
import torch
from skorch.callbacks import LRScheduler
from torch import nn
from trainings import STEPS, embedding, table


@pytest.mark.parametrize(
    ("optimizer_params", "message"),
    [
        ({"speed": 1}, "optimizer_params=.*speed.* does not fit optimizer=AdamW"),
        ({"betas": (2.0, 0.9)}, "optimizer_params=.*betas.* does not fit optimizer=AdamW"),
        ({"lr": 0.1}, "Set learning_rate instead"),
        ({"weight_decay": 0.1}, "Set weight_decay instead"),
    ],
)
def test_optimizer_params_that_do_not_fit(optimizer_params, message):
    with pytest.raises(ValueError, match=message):
        embedding(optimizer_params=optimizer_params).fit(table())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("learning_rate", {"learning_rate": 1e300}),
        ("learning_rate", {"learning_rate": 10**400}),
        ("learning_rate", {"learning_rate": 1e39, "optimizer": torch.optim.SGD}),
        ("weight_decay", {"weight_decay": 1e300, "optimizer": torch.optim.SGD}),
        ("dampening", {"optimizer": torch.optim.SGD, "optimizer_params": {"dampening": -1e300}}),
        ("etas", {"optimizer": torch.optim.Rprop, "optimizer_params": {"etas": (0.5, 1e39)}}),
    ],
)
def test_numbers_that_float32_does_not_hold(name, parameters):
    with pytest.raises(ValueError, match=rf"{name}=.* is beyond float32.* at most 3.4e\+38"):
        embedding(**parameters).fit(table())


def test_optimizer_that_is_none():
    with pytest.raises(TypeError, match=r"'optimizer' parameter must be a class of torch\.optim"):
        embedding(optimizer=nn.Linear).fit(table())


def test_optimizer_without_weight_decay():
    with pytest.raises(ValueError, match=r"weight_decay=0\.1 has no effect with optimizer=LBFGS"):
        embedding(optimizer=torch.optim.LBFGS, weight_decay=0.1).fit(table())
    assert embedding(optimizer=torch.optim.LBFGS, learning_rate=0.1).fit(table()).n_epochs_ == 3


@pytest.mark.parametrize("params", [None, {"foreach": True}, {"fused": False, "amsgrad": True}])
def test_arguments_reach_the_optimizer(params):
    group = embedding(weight_decay=0.2, optimizer_params=params).fit(table()).net_.optimizer_
    group = group.param_groups[0]
    assert group["weight_decay"] == 0.2
    assert group["fused"] is {None: True}.get(params and "set", (params or {}).get("fused"))
    for name, value in (params or {}).items():
        assert group[name] == value


def test_training_that_goes_on_takes_the_arguments_of_now():
    estimator = embedding(warm_start=True, optimizer_params={"betas": (0.8, 0.9)}).fit(table())
    moment = next(iter(estimator.net_.optimizer_.state.values()))["exp_avg"].clone()
    estimator.set_params(
        learning_rate=0.5, weight_decay=0.3, optimizer_params={"betas": (0.7, 0.8)}
    ).fit(table())
    group = estimator.net_.optimizer_.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.5, 0.3, (0.7, 0.8))
    state = next(iter(estimator.net_.optimizer_.state.values()))
    assert state["step"] == 6 * STEPS
    assert not torch.equal(state["exp_avg"], moment)


def test_a_schedule_goes_on_where_it_was():
    schedule = LRScheduler("LambdaLR", lr_lambda=lambda epoch: 0.5**epoch)
    plateau = LRScheduler("ReduceLROnPlateau", monitor="train_loss", threshold=9.0, patience=0)
    for callback, expected in (
        (schedule, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
        (plateau, [0.1, 0.01, 1e-3, 1e-4, 1e-5]),
    ):
        settings = {"max_epochs": 3, "warm_start": True, "callbacks": [callback]}
        estimator = embedding(learning_rate=0.1, **settings).fit(table())
        again = copy.deepcopy(estimator)  # made again from what is written of it
        for one in (estimator, again):
            one.set_params(max_epochs=2).fit(table())
            assert one.history_.event_lr.tolist() == pytest.approx(expected)
    estimator.set_params(learning_rate=0.2).fit(table())
    assert estimator.history_.event_lr.iloc[-2] == 0.2


def test_training_cannot_go_on_with_another_optimizer():
    estimator = embedding(warm_start=True).fit(table())
    estimator.set_params(optimizer=torch.optim.SGD)
    with pytest.raises(ValueError, match=r"cannot go on with optimizer=SGD.*warm_start=False"):
        estimator.fit(table())
    assert estimator.n_epochs_ == 3
