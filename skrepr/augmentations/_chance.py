"""What is drawn for a batch: values, rows, spans, numbers."""

import torch

from ._checks import check_number


def count_draws(x, donors):
    """Return how many rows are drawn for: each of ``x``, or one that stands for all of them."""
    return len(x) if donors is None else 1


def empty_draws(x, donors):
    """Return room for one number for each value of the rows that are drawn for."""
    return x.new_empty(count_draws(x, donors), *x.shape[1:])


def chosen(owner, x, generator, donors=None):
    """Choose each value with the probability ``owner.rate``: a boolean mask.

    Nothing is drawn at a rate of zero, so that an augmentation without effect leaves no
    trace in the generator either.

    Returns
    -------
    chosen : torch.Tensor of shape (n or 1, *sample_shape)
    """
    rate = check_number(owner, "rate", high=1)
    draws = empty_draws(x, donors)
    if rate == 0:
        return torch.zeros_like(draws, dtype=torch.bool)
    return draws.bernoulli_(rate, generator=generator).bool()


def uniform(x, shape, bounds, generator):
    """Draw numbers between two bounds, like ``x`` in type and device."""
    return x.new_empty(shape).uniform_(*bounds, generator=generator)


def spans(x, n, length, n_covered, generator):
    """Choose ``n_covered`` neighbors among ``length`` places: a boolean mask of ``(n, length)``.

    Every position within the ends is as likely as any other.
    """
    start = uniform(x, (n, 1), (0, length - n_covered + 1), generator).floor()
    start.clamp_(max=length - n_covered)  # rounding may reach the upper bound
    place = torch.arange(length, device=x.device)
    return (place >= start) & (place < start + n_covered)
