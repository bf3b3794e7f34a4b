"""What must hold before anything that was read is believed.

A file can ask for a network that fits into no memory, or hold weights that no training
leaves behind. Everything here raises a ValueError that says what was expected.
"""

import inspect
import math
from numbers import Integral, Real

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from ._values import is_names

# Made next to the weights of a network: the samples with which a module of the user's own is
# tried, and what it makes of them.
_SPARE_TENSORS, _SPARE_VALUES = 10_000, 2**24
# Arguments of optimizers that change neither what is kept nor what is found.
_HOW_IT_COMPUTES = {"capturable", "differentiable", "foreach", "fused"}
_MAKES_A_TENSOR = {
    getattr(torch, name)
    for name in ("arange", "empty", "eye", "full", "ones", "rand", "randn", "zeros")
}


class within(TorchFunctionMode):
    """Stops what makes far more, or far larger, tensors than there are in ``state``.

    Used as a context, for the thread that enters it.
    """

    def __init__(self, state):
        super().__init__()
        self.tensors_left = _SPARE_TENSORS + 2 * len(state)
        self.values_left = _SPARE_VALUES + 2 * sum(tensor.numel() for tensor in state.values())

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # only here, since another call that fails may be the one that turns gradients on again
        if func in _MAKES_A_TENSOR:
            self.tensors_left -= 1
            # on this device a tensor has a shape, and no memory
            self.values_left -= func(*args, **kwargs | {"device": "meta"}).numel()
            if min(self.tensors_left, self.values_left) < 0:
                raise ValueError("the parameters do not describe the network: they ask for more.")
        return func(*args, **kwargs)


def check_forms(module, state):
    """Check that ``state`` is one that ``module`` can have."""
    wanted = {name: _form(tensor) for name, tensor in module.state_dict().items()}
    if wanted != {name: _form(tensor) for name, tensor in state.items()}:
        raise ValueError(
            "the parameters do not describe the network: names, shapes or kinds of its weights "
            "are others."
        )


def _form(tensor):
    # weights may be read in another precision, but never as integers
    return tuple(tensor.shape), "float" if tensor.is_floating_point() else tensor.dtype


def check_finite(module, *, bounds=True):
    """Check that what is trained is finite, and no other number is NaN.

    ``bounds``: what is not trained may be infinite, as bounds and masks are.
    """
    for name, tensor in module.state_dict(keep_vars=True).items():
        finite = tensor.requires_grad or not bounds
        if tensor.isnan().any() or (finite and tensor.isinf().any()):
            raise ValueError(f"the weights {name!r} hold NaN or infinite values.")


def check_optimizer_state(optimizer, state):
    """Check that ``state`` is one that ``optimizer`` can have.

    What it keeps for a parameter is found by one step on a parameter of as many axes. What an
    optimizer of the user's own or LBFGS keeps is their affair, as is the use they make of it.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    kept = _of_kind(_of_kind(state, dict)["state"], dict)
    for index, values in kept.items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise ValueError(f"the optimizer has no parameter {index!r}.")
        _of_kind(values, dict)
    cls = type(optimizer)
    if not cls.__module__.startswith(("torch.optim.", "skrepr.")) or cls is torch.optim.LBFGS:
        return
    for group in state["param_groups"]:
        if not all(_is_rate(group.get(name, 0.0)) for name in ("lr", "initial_lr")):
            raise ValueError("the learning rate of the optimizer is no finite number.")
    after_a_step = {}
    for index, values in kept.items():
        shape = tuple(parameters[index].shape)
        if len(shape) not in after_a_step:
            after_a_step[len(shape)] = _forms_after_a_step(optimizer, len(shape))
        expected = {
            name: form and (tuple(shape[i] if i >= 0 else 1 for i in form[0]), form[1])
            for name, form in after_a_step[len(shape)].items()
        }
        received = {name: _form_of_kept(value) for name, value in values.items()}
        # arguments that it had in an earlier training may have left more
        beyond = {received[name] for name in received.keys() - expected.keys()}
        if expected != {
            name: received.get(name, "missing") for name in expected
        } or not beyond <= {None, (shape, True), ((), True)}:
            raise ValueError(
                f"the state of {cls.__name__} does not belong to its parameter {index}."
            )


def _is_rate(value):
    return isinstance(value, Real) and math.isfinite(value)


def _forms_after_a_step(optimizer, n_axes):
    """Describe what an optimizer keeps, with axes of the parameter instead of sizes (-1: 1)."""
    named = inspect.signature(type(optimizer)).parameters.keys() - _HOW_IT_COMPUTES
    arguments = {name: value for name, value in optimizer.defaults.items() if name in named}
    sizes = tuple(range(2, 2 + n_axes))
    probe = torch.zeros(sizes, requires_grad=True)
    probe.grad = torch.zeros(sizes)
    one_step = type(optimizer)([probe], **arguments)
    one_step.step()
    forms = {name: _form_of_kept(value) for name, value in one_step.state[probe].items()}
    return {
        name: form and (tuple(side - 2 for side in form[0]), form[1])
        for name, form in forms.items()
    }


def _form_of_kept(value):
    """Return shape and whether it is a float, of a tensor; None for anything plain."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.is_floating_point()
    return None if value is None or isinstance(value, Real) else "unknown"


def _of_kind(value, kind):
    if not isinstance(value, kind):
        raise ValueError(f"expected a {kind.__name__}, got {value!r:.100}.")
    return value


def check_history(history):
    """Check that a history is one of skorch: a list of one dict an epoch."""
    for row in _of_kind(history, list):
        _of_kind(row, dict)
        if not all(isinstance(name, str) for name in row):
            raise ValueError("the history has names that are no strings.")
        for name in ("epoch", "train_loss", "dur"):
            if not isinstance(row.get(name), Real):
                raise ValueError(f"the history has an epoch whose {name!r} is no number.")


def _is_count(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_shape(value, depth=2):
    # as many axes as an array can have; of several arrays, one for each; of tokens, a number
    if not isinstance(value, tuple):
        return _is_count(value)
    return len(value) <= 64 and depth > 0 and all(_is_shape(side, depth - 1) for side in value)


def _is_layout(value):
    return isinstance(value, tuple) and _is_shape(value, depth=1)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_numbers(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isfinite(value).all()


# The same in all estimators. Parts in use, such as ``architecture_``, are checked by making
# the network of them.
ATTRIBUTES = {
    "n_features_in_": _is_count,
    "feature_names_in_": is_names,
    "input_shape_": _is_shape,
    "layout_": _is_layout,
    "device_": lambda value: isinstance(value, torch.device),
    "max_epochs_": _is_count,
    "batch_size_": _is_count,
    "patience_": _is_count,
    "best_epoch_": _is_count,
    "early_stopping_": lambda value: isinstance(value, bool),
    "weight_share_": _is_number,
    "reconstruction_error_": _is_number,
    "explained_variance_ratio_": _is_numbers,
    "explained_variance_": _is_numbers,
    "components_": _is_numbers,
    "mean_": _is_numbers,
    "contraction_": lambda value: isinstance(value, str),
    "kl_per_component_": _is_numbers,
    "active_units_": _is_count,
    "mutual_information_": _is_number,
    "noise_": _is_numbers,
    "noise_at_floor_": _is_number,
    "bands_": _is_numbers,
    "common_length_": _is_count,
    "kind_": lambda value: value == "series",
    "alignment_": _is_number,
    "uniformity_": _is_number,
    "effective_rank_": _is_number,
    "temperature_": _is_number,
    "vocabulary_": lambda value: isinstance(value, list),
    "window_": _is_count,
    "n_buckets_": _is_count,
    "bin_edges_": lambda value: isinstance(value, dict) and all(map(_is_numbers, value.values())),
    "precision_": lambda value: value in ("float32", "bf16"),
    "learning_rate_": _is_number,
    "mean_log_likelihood_": _is_number,
}
_REQUIRED = {"input_shape_", "batch_size_", "max_epochs_"}
_REQUIRED_OF_ARRAYS = {"layout_"}
_REQUIRED_OF_DECODERS = {"reconstruction_error_"}


def fitted_attributes(estimator):
    """Return what a fit has set, by name."""
    return {name: value for name, value in vars(estimator).items() if is_fitted(name)}


def is_fitted(name):
    """Whether a name is one of a fitted attribute."""
    return name.endswith("_") and not name.startswith("_")


def check_attributes(estimator):
    """Check fitted attributes, alone and against each other."""
    attributes = fitted_attributes(estimator)
    reads_arrays = hasattr(estimator, "input_shape")
    required = _REQUIRED | (_REQUIRED_OF_DECODERS if hasattr(estimator, "reconstruct") else set())
    required = required | (_REQUIRED_OF_ARRAYS if reads_arrays else set())
    missing = required - attributes.keys()
    if missing:
        raise ValueError(f"the fitted attributes {sorted(missing)} are missing.")
    for name, value in attributes.items():
        if not ATTRIBUTES.get(name, lambda value: True)(value):
            raise ValueError(f"the fitted attribute {name!r} cannot be {value!r:.100}.")
    if reads_arrays:
        _check_arrays(attributes)


def _check_arrays(attributes):
    """Check what is known of arrays against each other."""
    layout, n_features = attributes["layout_"], attributes.get("n_features_in_")
    names = attributes.get("feature_names_in_")
    if (
        not _is_layout(attributes["input_shape_"])
        or math.prod(layout) != math.prod(attributes["input_shape_"])
        or n_features not in (None, *layout[:1])
        or (names is not None and len(names) != n_features)
    ):
        raise ValueError(
            f"samples of shape {layout}, read as {attributes['input_shape_']}, do not go with "
            f"n_features_in_={n_features} and the names of the columns."
        )
    n_components = attributes.get("explained_variance_", np.empty(0)).shape[:1]
    for name, shape in {
        "explained_variance_": n_components,
        "explained_variance_ratio_": n_components,
        "components_": (*n_components, *layout),
        "mean_": layout,
    }.items():
        if name in attributes and attributes[name].shape != shape:
            raise ValueError(f"the fitted attribute {name!r} does not have the shape {shape}.")


def check_output(output):
    """Check what `set_output` has chosen."""
    if output not in ({}, *({"transform": kind} for kind in ("default", "pandas", "polars"))):
        raise ValueError(f"set_output cannot have been given {output!r:.100}.")
