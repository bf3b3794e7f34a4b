"""What a number given to an objective must be."""

import math
import numbers


def check_number(
    recipe, name, low, high=math.inf, *, open_low=False, open_high=False, whole=False
):
    """Raise unless a parameter is a number in a range, in scikit-learn's words.

    Parameters
    ----------
    recipe : object
        The objective.
    name : str
        Which of its parameters.
    low, high : float
        The range; an infinite `high` does not belong to it.
    open_low, open_high : bool, default=False
        Whether `low` and `high` do not belong to the range.
    whole : bool, default=False
        Whether it must be an integer.

    Raises
    ------
    ValueError
        If it is something else.
    """
    open_high = open_high or high == math.inf
    value = getattr(recipe, name)
    kind = numbers.Integral if whole else numbers.Real
    good = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    excluded = [low] * open_low + [high] * open_high
    if not (good and low <= value <= high and value not in excluded):
        word = "an int" if whole else "a float"
        interval = f"{'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
        raise ValueError(
            f"The {name!r} parameter of {type(recipe).__name__} must be {word} in the range "
            f"{interval}. Got {value!r} instead."
        )
