"""What displays are given, checked and read at the door."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state


class Constraint(NamedTuple):
    """What an argument must be."""

    holds: Callable
    words: str

    def __or__(self, other):
        """Allow the one or the other."""
        words = self.words.replace(" or ", ", ") + f" or {other.words}"
        return Constraint(lambda value: self.holds(value) or other.holds(value), words)


def is_number(value, kind=Real):
    """Whether it is a number, of Python or numpy; a bool is none."""
    return isinstance(value, kind) and not isinstance(value, bool)  # numpy's is no Integral


def a_string(*options):
    """Require one of these."""
    words = ", ".join(map(repr, options))
    words = f"a str among {{{words}}}" if len(options) > 1 else words
    return Constraint(lambda value: isinstance(value, str) and value in options, words)


def an_int(low, high=None):
    """Require a whole number from `low` to `high`, both included."""
    end = "inf)" if high is None else f"{high}]"
    return Constraint(
        lambda value: is_number(value, Integral) and low <= value and (not high or value <= high),
        f"an int in the range [{low}, {end}",
    )


def _is_shape(value):
    return (
        isinstance(value, tuple | list)
        and 1 <= len(value) <= 3
        and all(is_number(entry, Integral) and (entry >= 1 or entry == -1) for entry in value)
        and sum(entry == -1 for entry in value) <= 1
    )


NONE = Constraint(lambda value: value is None, "None")
BOOL = Constraint(lambda value: isinstance(value, bool | np.bool_), "a bool")
SHARE = Constraint(
    lambda value: is_number(value) and 0 < value <= 1, "a float in the range (0.0, 1.0]"
)
AXES = Constraint(lambda value: hasattr(value, "inset_axes"), "a matplotlib Axes") | NONE
SEED = (
    an_int(0, 2**32 - 1)
    | Constraint(
        lambda value: isinstance(value, np.random.RandomState),
        "an instance of 'numpy.random.RandomState'",
    )
    | NONE
)
SHAPE = (
    Constraint(_is_shape, "a tuple of 1 to 3 int in the range [1, inf), of which one may be -1,")
    | NONE
)


def check_arguments(display, constraints, arguments):
    """Refuse the first argument that is not what it must be, in scikit-learn's words.

    Parameters
    ----------
    display : class
    constraints : dict of Constraint
        By the name of the argument.
    arguments : dict
        Those without a constraint are passed over.
    """
    for name, constraint in constraints.items():
        if name in arguments and not constraint.holds(arguments[name]):
            raise ValueError(
                f"The {name!r} parameter of {display.__name__} must be {constraint.words}. "
                f"Got {arguments[name]!r} instead."
            )


def local_generator(random_state):
    """Turn ``random_state`` into a generator that is never numpy's global one."""
    if random_state is None:
        return np.random.RandomState(np.random.default_rng().integers(2**32, size=4))
    return check_random_state(random_state)


def as_array(X):
    """Bring a torch tensor, or a list of them, to numpy; anything else stays as it is.

    Known by its methods, so that nothing is imported.
    """
    if isinstance(X, list | tuple):
        return [as_array(row) for row in X] if any(map(_is_tensor, X)) else X
    if not _is_tensor(X):
        return X
    X = X.detach().cpu()
    if str(X.layout) != "torch.strided":
        X = X.to_dense()
    if X.is_floating_point() and X.element_size() < 4:
        X = X.float()  # numpy has no bfloat16
    return X.resolve_conj().resolve_neg().numpy()[()]  # of 0 dimensions: a number


def as_estimators_see(X):
    """Give X to an estimator: as an array, unless it has been told to take tensors."""
    return X if get_config()["array_api_dispatch"] else as_array(X)


def without_masked(X):
    """Replace masked values by NaN (None where values are no numbers)."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if not np.ma.is_masked(X):
        return X.data
    if X.dtype.kind in "iuf":
        return X.astype(np.result_type(X.dtype, np.float32)).filled(np.nan)
    values = X.data.astype(object)
    values[np.ma.getmaskarray(X)] = None
    return values


def _is_tensor(X):
    return hasattr(X, "detach") and hasattr(X, "element_size")
