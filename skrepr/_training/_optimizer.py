"""The optimizer: which it is, whether its arguments fit, and how it goes on."""

import copy
import inspect
import math
from numbers import Real

import torch

_LARGEST = torch.finfo(torch.float32).max


class OwnSteps(torch.optim.Optimizer):
    """Holds the learning rate of a module that takes its own steps.

    Making any optimizer of torch imports its compiler, which takes a second or more of the first
    fit; this one does not.

    Parameters
    ----------
    params : iterable of torch.nn.Parameter
    lr : float
    """

    def __init__(self, params, lr):
        # some schedules (OneCycleLR, CyclicLR) change a momentum, and refuse what has none
        super().__init__(params, {"lr": lr, "momentum": 0.0})

    def add_param_group(self, param_group):
        parameters = {"params": list(param_group["params"])}
        self.param_groups.append(self.defaults | param_group | parameters)

    def step(self, closure=None):
        """Do nothing: schedulers of torch count the calls."""


def choose_optimizer(optimizer, optimizer_params, learning_rate, weight_decay, module, device):
    """Choose the optimizer's class and arguments, and make sure that they fit together."""
    cls = optimizer
    if cls is None:
        cls = OwnSteps if hasattr(module, "take_step") else torch.optim.AdamW
    if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
        raise TypeError(
            "The 'optimizer' parameter must be a class of torch.optim, or None. Got "
            f"{optimizer!r} instead."
        )
    own = dict(optimizer_params or {})
    for name, parameter in (("lr", "learning_rate"), ("weight_decay", "weight_decay")):
        if name in own:
            raise ValueError(
                f"optimizer_params={own!r} must not hold {name!r}. Set {parameter} instead."
            )
    arguments = {}
    fuses = optimizer is None and cls is torch.optim.AdamW
    if fuses and device.type in ("cpu", "cuda", "mps") and "foreach" not in own:
        # one kernel instead of a loop over parameters: a third of the time of a small net
        arguments["fused"] = True
    if "weight_decay" in inspect.signature(cls).parameters:
        arguments["weight_decay"] = weight_decay
    elif weight_decay:
        raise ValueError(
            f"weight_decay={weight_decay!r} has no effect with optimizer={cls.__name__}, "
            "which has no such parameter. Set weight_decay=0."
        )
    arguments |= own
    _check_held_by_float32({"learning_rate": learning_rate} | arguments)
    try:
        cls(module.parameters(), lr=learning_rate, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"optimizer_params={optimizer_params!r} does not fit optimizer={cls.__name__}: {error}"
        ) from error
    return cls, arguments


def _check_held_by_float32(arguments):
    for name, value in arguments.items():
        for number in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(number, Real) and _LARGEST < abs(number) < math.inf:
                raise ValueError(
                    f"{name}={value!r} is beyond float32, in which networks are trained. Use a "
                    f"value of at most {_LARGEST:.1e}."
                )


def go_on(optimizer, earlier):
    """Give a new optimizer the moments of an earlier one; its arguments are its own."""
    state = optimizer.state_dict()
    if any(
        not new.keys() <= old.keys()
        for new, old in zip(state["param_groups"], earlier["param_groups"])
    ):
        raise ValueError(
            f"Training cannot go on with optimizer={type(optimizer).__name__}, since it began "
            "with another one. Set warm_start=False to start anew."
        )
    optimizer.load_state_dict(state | {"state": copy.deepcopy(earlier["state"])})


def begin_schedule(optimizer, earlier=None):
    """Let a schedule begin with the learning rate of an optimizer, or go on where one was.

    It does not go on where the learning rate that it began with has been changed.
    """
    groups = optimizer.param_groups
    for new, old in zip(groups, earlier["param_groups"] if earlier else [{}] * len(groups)):
        new["initial_lr"] = new["lr"]
        if old.get("initial_lr") == new["lr"]:
            new["lr"] = old["lr"]


def stay_in_schedule(optimizer, earlier):
    """Leave the optimizer of a net that is made again where a schedule had left an earlier one."""
    if "initial_lr" in earlier["param_groups"][0]:
        begin_schedule(optimizer, earlier)
