"""Augmentations one after the other; moves of the image plane in one step."""

import inspect
from functools import reduce
from itertools import groupby

import torch
from torch.nn import functional as F


def make_view(x, parts, generator=None, donors=None):
    """Apply augmentations to a batch, one after the other.

    Neighbors in the list that move the image plane (those with ``make_matrices``) are
    composed and resampled once: each further interpolation would blur, and cost.

    Parameters
    ----------
    x : torch.Tensor of shape (n, *sample_shape)
        A batch.
    parts : list of callable
        Augmentations.
    generator : torch.Generator or None, default=None
        Where they draw from. None: torch's global generator, in training only.
    donors : torch.Tensor of shape (m, *sample_shape) or None, default=None
        None: in training, each row is changed by a draw of its own. Otherwise all rows are
        changed alike, and what is taken from other rows is taken from these. An
        augmentation that has no `donors` is then called row by row, each time with the
        generator in the same state.

    Returns
    -------
    view : torch.Tensor of shape (n, *sample_shape)

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import RandomCrop, RandomRotation, make_view
    >>> x = torch.randn(8, 3, 32, 32)
    >>> make_view(x, [RandomCrop(), RandomRotation()], torch.Generator()).shape
    torch.Size([8, 3, 32, 32])
    """
    for moves, group in groupby(parts, key=lambda part: hasattr(part, "make_matrices")):
        group = list(group)
        if moves and len(group) > 1 and x.ndim == 4:
            matrices = [part.make_matrices(x, generator, donors=donors) for part in group]
            x = resample(x, [matrix for matrix in matrices if matrix is not None])
            continue
        for part in group:
            if donors is None:
                x = part(x, generator)
            elif "donors" in inspect.signature(part).parameters:
                x = part(x, generator, donors=donors)
            else:
                x = _row_by_row(x, part, generator)
    return x


def _row_by_row(x, part, generator):
    """Apply an augmentation that knows of no donors to each row alone, with the same draws."""
    state = generator.get_state()
    rows = []
    for row in x.split(1) if len(x) else ():
        generator.set_state(state)
        rows.append(part(row, generator))
    return torch.cat(rows) if rows else x


def resample(x, matrices):
    """Move the image plane by several matrices, one after the other, and interpolate once.

    What lies beyond an edge continues the edge.

    Parameters
    ----------
    x : torch.Tensor of shape (n, n_channels, height, width)
    matrices : list of torch.Tensor of shape (n or 1, 3, 3)
        In the coordinates of ``grid_sample``, -1 to 1 from edge to edge, and homogeneous:
        where each place of the new image lies in the old one. None of them: x as it is.

    Returns
    -------
    x : torch.Tensor of shape (n, n_channels, height, width)
    """
    if not matrices:
        return x
    # the last move is undone first on the way from the new image to the old one
    matrix = reduce(torch.matmul, matrices)[:, :2]  # (n or 1, 2, 3)
    grid = F.affine_grid(matrix, [len(matrix), *x.shape[1:]], align_corners=False)
    grid = grid.expand(len(x), -1, -1, -1)  # (n, H, W, 2)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
