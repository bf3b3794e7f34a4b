"""Rows seen along random directions."""

import torch
from torch.nn import functional as F


def project(z, n_directions, generator, training):
    """Project rows onto random directions of length 1.

    Parameters
    ----------
    z : torch.Tensor of shape (B, D)
        Rows.
    n_directions : int
        How many.
    generator : torch.Generator or None
        Where to draw from in training.
    training : bool
        If not, the directions are the same at every call: held-out losses of two epochs then
        differ by the network alone.

    Returns
    -------
    projected : torch.Tensor of shape (B, n_directions)
    """
    if not training:
        generator = torch.Generator(z.device).manual_seed(0)
    directions = torch.randn(
        z.shape[1], n_directions, generator=generator, device=z.device, dtype=z.dtype
    )
    return z @ F.normalize(directions, dim=0)
