"""Each view has to find its partners among all other views of the batch."""

import math

import torch
from torch.nn import functional as F

from ._precision import in_full_precision

# Views that are compared with all others at a time: what is only needed in between is of this
# many rows, not of all.
_ROWS_AT_ONCE = 1024


@in_full_precision
def nt_xent(first, second, *, temperature, labels=None):
    r"""Compute the normalized temperature-scaled cross-entropy of two views.

    .. math:: \frac{1}{2B} \sum_{i=1}^{2B} \frac{-1}{|P(i)|} \sum_{p \in P(i)} \log
              \frac{e^{s(z_i, z_p) / \tau}}{\sum_{a \neq i} e^{s(z_i, z_a) / \tau}} ,

    with :math:`s` the cosine and :math:`P(i)` the other view of the same row and, where rows
    have labels, all other views of its class.

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, D)
        The two views of each row.
    temperature : float
        The :math:`\tau`.
    labels : torch.Tensor of shape (B,) or None, default=None
        Classes as integers; -1: none.

    Returns
    -------
    loss : torch.Tensor of shape ()
        In nats.
    """
    z = F.normalize(torch.cat([first, second]), dim=1)  # (2B, D)
    if labels is None:
        partners = z.roll(len(first), 0)  # (2B, D)
    else:
        labels = labels.repeat(2)  # (2B,)
        rows = torch.arange(len(first), device=z.device).repeat(2)
        same = (labels[:, None] == labels) & (labels >= 0) | (rows[:, None] == rows)
        same = same.fill_diagonal_(False).to(z.dtype)  # (2B, 2B)
        # the mean over partners of the cosine is the cosine with their mean, so that the
        # logarithm of the diagonal is never taken
        partners = same @ z / same.sum(1, keepdim=True)  # (2B, D)
    attraction = (z * partners).sum(1) / temperature  # (2B,)
    return (_repulsion(z, temperature) - attraction).mean()  # ()


def _repulsion(z, temperature):
    """Compute the log-sum-exp of the similarities of each view to all others: (2B,)."""
    sums = []
    for start, rows in zip(range(0, len(z), _ROWS_AT_ONCE), z.split(_ROWS_AT_ONCE)):
        similarities = (rows / temperature) @ z.T  # (R, 2B)
        similarities.diagonal(start).fill_(-math.inf)
        sums.append(similarities.logsumexp(1))
    return torch.cat(sums)
