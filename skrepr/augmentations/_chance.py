"""Which values of a batch are changed."""

import numbers

import torch


def chosen(owner, x, generator):
    """Choose each value of ``x`` with the probability ``owner.rate``: a boolean mask.

    Nothing is drawn at a rate of zero, so that an augmentation without effect leaves no
    trace in the generator either.
    """
    rate = owner.rate
    if not isinstance(rate, numbers.Real) or isinstance(rate, bool) or not 0 <= rate <= 1:
        raise ValueError(
            f"The 'rate' parameter of {type(owner).__name__} must be a float in the range "
            f"[0, 1]. Got {rate!r} instead."
        )
    if rate == 0:
        return torch.zeros_like(x, dtype=torch.bool)
    return torch.empty_like(x).bernoulli_(rate, generator=generator).bool()
