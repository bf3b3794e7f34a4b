"""The contrastive loss: each row has to find its partner among others."""

import torch
from torch.nn import functional as F


def info_nce(queries, keys, temperature=0.1, *, others=None):
    r"""Compute how badly each row finds its partner among others, by cosines.

    .. math:: -\frac{1}{B} \sum_{i=1}^{B} \log
              \frac{e^{s(q_i, k_i) / \tau}}{\sum_j e^{s(q_i, k_j) / \tau} +
              \sum_m e^{s(q_i, o_m) / \tau}} ,

    with :math:`s` the cosine (equation 4 of [1]_; with others, equation 1 of [2]_).

    Parameters
    ----------
    queries, keys : torch.Tensor of shape (B, K)
        Row i of one is the partner of row i of the other.
    temperature : float, default=0.1
        The :math:`\tau`.
    others : torch.Tensor of shape (M, K) or None, default=None
        Further rows that are partners of none.

    Returns
    -------
    loss : torch.Tensor of shape ()
        In nats: log of the number of candidates if nothing is known, 0 if all are found.

    References
    ----------
    .. [1] van den Oord, A., Li, Y. & Vinyals, O. (2018). Representation learning with
       contrastive predictive coding. arXiv:1807.03748.
    .. [2] He, K., Fan, H., Wu, Y., Xie, S. & Girshick, R. (2020). Momentum contrast for
       unsupervised visual representation learning. CVPR.

    Examples
    --------
    >>> import torch
    >>> from skrepr.objectives import info_nce
    >>> round(info_nce(torch.eye(4), torch.eye(4), 0.1).item(), 4)
    0.0001
    """
    candidates = keys if others is None else torch.cat([keys, others])
    cosines = F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).T  # (B, B + M)
    return F.cross_entropy(
        cosines / temperature, torch.arange(len(queries), device=queries.device)
    )
