"""The small networks between the features and what an objective compares."""

import itertools
import numbers

from torch import nn


class ProjectionHead(nn.Sequential):
    """Layers from features to what is compared, of which the first hidden one may be read.

    Attributes
    ----------
    width, hidden_width : int
        Number of outputs, and of units of the first hidden layer; 0 where there is none.
    """

    width = hidden_width = 0

    def hidden(self, x):
        """Return the first hidden layer: (B, hidden_width)."""
        return self[:3](x)  # linear, normalization, ReLU


def make_projection_head(recipe, width, *, normalize_output=False):
    """Make the network from the features to what is compared.

    Parameters
    ----------
    recipe : object
        The objective, with its ``projection_sizes``: widths of the layers, the last that of
        what is compared; empty: the features themselves are.
    width : int
        Number of features.
    normalize_output : bool, default=False
        Whether the last layer has batch normalization too.

    Returns
    -------
    head : ProjectionHead
        From ``(B, width)`` to ``(B, D)``; its attribute ``width`` tells D.

    Raises
    ------
    ValueError
        If the widths are no positive integers.
    """
    sizes = recipe.projection_sizes
    whole = isinstance(sizes, tuple | list) and all(
        isinstance(size, numbers.Integral) and not isinstance(size, bool) and size >= 1
        for size in sizes
    )
    if not whole:
        raise ValueError(
            f"The 'projection_sizes' parameter of {type(recipe).__name__} must be a tuple of "
            f"positive ints. Got {sizes!r} instead."
        )
    layers = make_layers([width, *map(int, sizes)], normalize_output=normalize_output)
    head = ProjectionHead(*layers)
    head.width = int(sizes[-1]) if sizes else width
    head.hidden_width = int(sizes[0]) if len(sizes) > 1 else 0
    return head


def make_layers(widths, *, normalize_output=False):
    """Make layers with batch normalization and ReLU, and a last one that is linear.

    Parameters
    ----------
    widths : list of int
        From the number of inputs to the number of outputs.
    normalize_output : bool, default=False
        Whether the last layer has batch normalization too.

    Returns
    -------
    layers : torch.nn.Sequential
    """
    layers = []
    for number, (n_in, n_out) in enumerate(itertools.pairwise(widths), 2):
        is_last = number == len(widths)
        normalized = not is_last or normalize_output
        # batch normalization has a shift of its own
        layers.append(nn.Linear(n_in, n_out, bias=not normalized))
        if normalized:
            layers.append(nn.BatchNorm1d(n_out))
        if not is_last:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)
