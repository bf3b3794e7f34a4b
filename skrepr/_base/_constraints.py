"""What the shared parameters may be, in groups: an estimator takes those it has use for."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions


class Number(Interval):
    """An interval of numbers; True and False are none."""

    def is_satisfied_by(self, val):
        """Whether the value is a number in the interval."""
        return not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(val)


TRAINING_CONSTRAINTS = {
    "n_components": [Number(Integral, 1, None, closed="left")],
    "max_epochs": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_size": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "early_stopping": ["boolean", StrOptions({"auto"})],
    "validation_fraction": [Number(Real, 0, 1, closed="neither"), None],
    "patience": [Number(Integral, 1, None, closed="left")],
    "learning_rate": [Number(Real, 0, None, closed="neither")],
    "callbacks": [list, tuple, None],
    "device": [str, torch.device],
    "precision": [StrOptions({"float32", "bf16", "auto"})],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": [Number(Integral, 0, None, closed="left"), "boolean"],
}
OPTIMIZER_CONSTRAINTS = {
    "weight_decay": [Number(Real, 0, None, closed="left")],
    "optimizer": [callable, None],
    "optimizer_params": [dict, None],
}
ARRAY_CONSTRAINTS = {
    "input_shape": [tuple, list, None],
    "missing": [StrOptions({"error", "mask"})],
}
SHARED_CONSTRAINTS = TRAINING_CONSTRAINTS | OPTIMIZER_CONSTRAINTS | ARRAY_CONSTRAINTS
CODER_CONSTRAINTS = {
    "architecture": [HasMethods(["make_encoder"]), torch.nn.Module, None],
    "decoder": [HasMethods(["make_decoder"]), torch.nn.Module, None],
    "trainable": ["boolean"],
}
