"""How many directions an embedding uses, and whether it has collapsed."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_array

from ._sampling import centred

# The rows by which collapse is judged, and the fewest that can judge it.
MOST_ROWS_FOR_COLLAPSE, FEWEST_ROWS_FOR_COLLAPSE = 1_000, 100


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
        Z = centred(Z)
    shares = np.linalg.svd(Z, compute_uv=False)
    if shares[0] == 0:
        return 0.0
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def describe_collapse(Z, X):
    """Say in which way an embedding has collapsed, measured against PCA of the same rows.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_components)
        The embedding.
    X : ndarray of shape (n_samples, n_features)
        The data; missing values count as their column's mean.

    Returns
    -------
    trouble : str or None
    """
    X = X.astype(np.float64)
    missing = np.isnan(X)
    if missing.any():
        n_seen = np.maximum(1, (~missing).sum(axis=0))
        X = np.where(missing, np.nansum(X, axis=0) / n_seen, X)
    if np.ptp(X, axis=0).max() == 0:
        return None  # the data themselves are constant
    k = min(Z.shape[1], *X.shape)
    pca = PCA(k, random_state=0).fit(X)
    expected = np.sqrt(pca.explained_variance_)
    deviation = np.sort(Z.std(axis=0, dtype=np.float64))[::-1]
    if deviation[0] <= 1e-7 * np.abs(Z).max():
        return (
            f"all {Z.shape[1]} components are constant. The encoder gives the same output for "
            "every row: try a smaller learning_rate, or another architecture."
        )
    shares, expected_shares = deviation[:k] / deviation[0], expected / expected[0]
    dead = (shares < 1e-4) & (expected_shares > 1e-3)
    if dead.any():
        n_dead = int(dead.sum())
        return (
            f"{n_dead} of {Z.shape[1]} components hardly vary (the smallest has "
            f"{shares[dead].min():.1e} of the largest one's standard deviation), where those "
            "of PCA on the same rows do. Try fewer components, or a smaller learning_rate."
        )
    if Z.shape[1] == 1:
        return None
    rank, rank_of_pca = effective_rank(Z), effective_rank(pca.transform(X))
    if rank < min(Z.shape[1], rank_of_pca) / 4:
        return (
            f"its effective rank is {rank:.1f} with {Z.shape[1]} components, where that of "
            f"PCA on the same rows is {rank_of_pca:.1f}. Try a smaller learning_rate or a "
            "simpler architecture; a StandardScaler in front if features differ in scale."
        )
    return None
