"""What augmentations are given: parameters, and batches of the right layout."""

import math
import numbers

_LAYOUTS = {
    3: "series of shape (n, n_channels, length)",
    4: "images of shape (n, n_channels, height, width)",
}


def check_number(owner, name, high=math.inf):
    """Return a parameter that must be a number from 0 to ``high``; infinity is none."""
    value = getattr(owner, name)
    if not (_is_number(value) and 0 <= value <= high):
        end = "inf)" if high == math.inf else f"{high}]"
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be a float in the range "
            f"[0, {end}. Got {value!r} instead."
        )
    return value


def check_count(owner, name, low):
    """Return a parameter that must be a whole number from ``low`` on."""
    value = getattr(owner, name)
    if not (_is_number(value, numbers.Integral) and low <= value):
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be an int in the range "
            f"[{low}, inf). Got {value!r} instead."
        )
    return value


def check_pair(owner, name, high=math.inf):
    """Return a parameter that must be a lower and an upper bound, above 0, up to ``high``."""
    value = getattr(owner, name)
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_number, value))
    if not (is_pair and 0 < value[0] <= value[1] <= high):
        end = "inf)" if high == math.inf else f"{high}]"
        raise ValueError(
            f"The {name!r} parameter of {type(owner).__name__} must be a pair of floats in the "
            f"range (0, {end}, the lower one first. Got {value!r} instead."
        )
    return value


def check_layout(owner, x, *n_dims):
    """Refuse a batch that has not one of these numbers of dimensions."""
    if x.ndim not in n_dims:
        expected = " or ".join(_LAYOUTS[n] for n in n_dims)
        raise ValueError(
            f"{type(owner).__name__} changes {expected}. Got a batch of shape {tuple(x.shape)}: "
            "give X in this shape, or input_shape= where columns of a table are meant so."
        )


def _is_number(value, kind=numbers.Real):
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
