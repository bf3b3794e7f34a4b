"""How well embeddings of two views of the same rows find each other."""

import math

import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from ._info_nce import info_nce

# Rows that are told apart at a time: figures are comparable at the same number only.
BLOCK_ROWS = 256
_TEMPERATURES = (0.005, 5.0)


def blocks_of(parts):
    """Cut what comes in parts of any length into blocks of `BLOCK_ROWS` rows.

    Parameters
    ----------
    parts : iterable of tuple of torch.Tensor of shape (B, ...)

    Yields
    ------
    block : tuple of torch.Tensor of shape (256, ...)
        What is left at the end is left out, unless it is all there is.
    """
    rest, n_blocks = None, 0
    for part in parts:
        rest = part if rest is None else tuple(map(torch.cat, zip(rest, part)))
        while len(rest[0]) >= BLOCK_ROWS:
            yield tuple(values[:BLOCK_ROWS] for values in rest)
            n_blocks += 1
            rest = tuple(values[BLOCK_ROWS:] for values in rest)
    if not n_blocks:
        yield rest


def bits_of_agreement(first, second, temperature):
    r"""Compute how much of the identity of a row one embedding tells from the other.

    .. math:: \log_2 B - \mathrm{InfoNCE} / \log 2 ,

    the mean of both directions, a lower bound on the mutual information of the two views
    (van den Oord et al. 2018, section 2.3).

    Parameters
    ----------
    first, second : torch.Tensor of shape (B, K)
    temperature : float

    Returns
    -------
    bits : float
        At most log2(B); 0 if nothing is told, below where guessing is better.
    """
    loss = info_nce(first, second, temperature) + info_nce(second, first, temperature)
    return math.log2(len(first)) - float(loss) / 2 / math.log(2)


def fit_temperature(blocks):
    """Find the temperature at which pairs of blocks agree most.

    Parameters
    ----------
    blocks : list of pair of torch.Tensor of shape (B, K)

    Returns
    -------
    temperature : float
    """

    def misfit(log_temperature):
        temperature = math.exp(log_temperature)
        return -sum(bits_of_agreement(*block, temperature) for block in blocks)

    bounds = tuple(map(math.log, _TEMPERATURES))
    return math.exp(minimize_scalar(misfit, bounds=bounds, method="bounded").x)


def disagreement(blocks):
    """Compute minus the mean agreement of pairs of blocks, at the temperature that is best.

    Parameters
    ----------
    blocks : iterable of pair of torch.Tensor of shape (B, K)

    Returns
    -------
    disagreement : float
        In bits.
    """
    blocks = list(blocks)
    temperature = fit_temperature(blocks)
    return -sum(bits_of_agreement(*block, temperature) for block in blocks) / len(blocks)


def pointwise_agreement(views, references, temperature):
    r"""Compare how close the views of a row are with how close other rows come.

    .. math:: \frac{1}{V (V - 1)} \sum_{k \neq l} z_k \cdot z_l
              - \tau \log \frac{1}{M} \sum_{m=1}^{M} e^{\bar z \cdot r_m / \tau}

    for directions :math:`z_k` of the views, :math:`\bar z` of their mean, :math:`r_m` of the
    references.

    Parameters
    ----------
    views : torch.Tensor of shape (V, B, K)
    references : torch.Tensor of shape (M, K)
        Of unit length.
    temperature : float

    Returns
    -------
    scores : torch.Tensor of shape (B,)
    """
    total = F.normalize(views, dim=2).sum(0)  # (B, K)
    n = len(views)
    together = (total.square().sum(1) - n) / (n * (n - 1))
    similarities = F.normalize(total, dim=1) @ references.T  # (B, M)
    others = (similarities / temperature).logsumexp(1) - math.log(len(references))
    return together - temperature * others
