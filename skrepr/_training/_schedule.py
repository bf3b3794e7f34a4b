"""How the learning rate goes, where a method does not keep it constant."""

import math


def rise_and_fall(fraction, rising):
    """Rise from a tenth to one in the first part of a training, and fall to zero along a cosine.

    Parameters
    ----------
    fraction : float or None
        Share of the planned steps that is done; None: there is no plan.
    rising : float
        Share of them in which it rises.

    Returns
    -------
    factor : float
        1 without a plan.
    """
    if fraction is None:
        return 1.0
    rise = min(1.0, 0.1 + 0.9 * fraction / rising)
    fallen = max(0.0, (fraction - rising) / (1 - rising))
    return rise * 0.5 * (1 + math.cos(math.pi * fallen))
