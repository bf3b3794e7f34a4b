"""What a number given to an objective must be."""

import math
import numbers


def check_number(recipe, name, low, high=math.inf, *, open_low=False, whole=False):
    """Raise unless a parameter is a number in a range, in scikit-learn's words.

    Parameters
    ----------
    recipe : object
        The objective.
    name : str
        Which of its parameters.
    low, high : float
        The range; `high` belongs to it unless it is infinite.
    open_low : bool, default=False
        Whether `low` does not belong to the range.
    whole : bool, default=False
        Whether it must be an integer.

    Raises
    ------
    ValueError
        If it is something else.
    """
    value = getattr(recipe, name)
    kind = numbers.Integral if whole else numbers.Real
    good = isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
    if not (good and low <= value <= high and not (open_low and value == low)):
        word = "an int" if whole else "a float"
        interval = f"{'(' if open_low else '['}{low}, {high}{')' if high == math.inf else ']'}"
        raise ValueError(
            f"The {name!r} parameter of {type(recipe).__name__} must be {word} in the range "
            f"{interval}. Got {value!r} instead."
        )
