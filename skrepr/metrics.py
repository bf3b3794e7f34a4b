"""Figures that judge an embedding: arrays in, numbers out."""

import numpy as np
from sklearn.utils import check_array


def effective_rank(Z, *, center=True):
    r"""Count the directions that an embedding really uses.

    With the singular values :math:`\sigma_k` of ``Z`` as shares
    :math:`p_k = \sigma_k / \sum_j \sigma_j`, the effective rank is the exponential of
    their entropy, :math:`\exp(-\sum_k p_k \log p_k)` (equation 1 of [2]_, after [1]_).

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        The embedding.
    center : bool, default=True
        Whether to subtract the mean of each component first, as PCA does, so that the
        figure does not depend on where the origin is. False: the formula of [2]_ as it
        stands.

    Returns
    -------
    rank : float
        From 1, all rows on one line, to ``min(n_samples, n_components)``, all directions
        equally used; 0 for an embedding that is constant. Good and bad are relative to
        the same figure for PCA at the same width. Costs one singular value
        decomposition.

    References
    ----------
    .. [1] Roy, O. & Vetterli, M. (2007). The effective rank: a measure of effective
       dimensionality. EUSIPCO, 606-610.
    .. [2] Garrido, Q., Balestriero, R., Najman, L. & LeCun, Y. (2023). RankMe: assessing
       the downstream performance of pretrained self-supervised representations by their
       rank. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import effective_rank
    >>> Z = np.random.default_rng(0).normal(size=(1000, 8))
    >>> round(effective_rank(Z), 1)
    8.0
    >>> Z[:, 4:] = 0
    >>> round(effective_rank(Z), 1)
    4.0
    """
    Z = check_array(Z, dtype=np.float64, input_name="Z")
    if center:
        Z = Z - Z.mean(axis=0)
    shares = np.linalg.svd(Z, compute_uv=False)
    if shares[0] <= np.finfo(np.float64).eps * max(1.0, np.abs(Z).max()):
        return 0.0
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))
