"""The size of the Jacobian of an encoder, for penalties on it."""

import torch
from torch import nn

# Entries of the Jacobian of one row: beyond, a backward pass for each unit costs too much.
_LARGEST_EXACT = 4096


def can_be_exact(n_units, n_values):
    """Whether the Jacobian of ``n_units`` with respect to ``n_values`` may be computed whole."""
    return n_units * n_values <= _LARGEST_EXACT


@torch.enable_grad()  # also on held-out rows
def squared_jacobian(encode, x, encoder, *, exact, generator=None):
    """Encode a batch, and compute the mean over rows of the squared Frobenius norm of dh/dx.

    Exact, with one backward pass for each unit; or by one pass with random signs ``v``, since
    ``E |v @ J|**2 = |J|**2`` (Hutchinson 1990).

    Parameters
    ----------
    encode : callable
        Maps ``(B, ...)`` to ``(B, K)``.
    x : torch.Tensor of shape (B, ...)
    encoder : torch.nn.Module
        What ``encode`` runs.
    exact : bool
    generator : torch.Generator or None, default=None
        Where signs are drawn from.

    Returns
    -------
    h : torch.Tensor of shape (B, K)
    squared_norm : torch.Tensor of shape ()
    """
    x = x.detach().requires_grad_()
    h = encode(x)  # (B, K)
    code = _of_single_rows(encode, x, encoder, h)
    if exact:
        directions = torch.eye(h.shape[1], device=h.device)
    else:
        directions = torch.empty_like(h).bernoulli_(0.5, generator=generator)[None] * 2 - 1
    total = 0.0
    for direction in directions:
        (slopes,) = torch.autograd.grad((code * direction).sum(), x, create_graph=True)
        total = total + slopes.square().sum()
    return h, total / len(h)


def _of_single_rows(encode, x, encoder, h):
    """Encode each row by itself, as in `transform`.

    While it trains, batch normalization makes the code of a row depend on the others, and
    what is summed over rows has slopes that are those of no single one.
    """
    norms = [
        part
        for part in encoder.modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.training
    ]
    if not norms:
        return h
    for norm in norms:
        norm.eval()
    code = encode(x)
    for norm in norms:
        norm.train()
    return code
