"""How many directions an embedding uses, and whether it has collapsed."""

import numpy as np
from sklearn.decomposition import PCA

from ._input import read_rows
from ._scale import centered, scaled

# Fewer rows cannot judge a collapse, more would say the same.
_FEWEST_ROWS, _MOST_ROWS = 100, 1_000
# Shares of the largest standard deviation: below the first a component is dead, if that of
# PCA is above the second.
_DEAD, _ALIVE = 1e-4, 1e-3
# Share of the directions that could be in use, below which the rank has collapsed.
_LEAST_SHARE_OF_RANK = 1 / 4


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
    Z = scaled(read_rows(Z, "Z", least=1).astype(np.float64))
    if center:
        Z = centered(Z)
    shares = np.linalg.svd(Z, compute_uv=False)
    if shares[0] == 0:
        return 0.0
    shares = shares[shares > 0] / shares.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def rows_for_collapse(n):
    """Tell how many of ``n`` rows, spread evenly, are enough for `describe_collapse`."""
    return min(n, _MOST_ROWS)


def describe_collapse(Z, X=None):
    """Say in which way an embedding has collapsed, measured against PCA of the same rows.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_components)
        The embedding. Of many rows some are judged, spread evenly; fewer than 100 are not.
    X : ndarray of shape (n_samples, n_features), default=None
        The data; missing values count as their column's mean. None: they are not numbers,
        as in text, and there is no PCA to compare with.

    Returns
    -------
    trouble : str or None
        The figure and one sentence of advice.
    """
    if len(Z) < _FEWEST_ROWS:
        return None
    few = np.linspace(0, len(Z) - 1, rows_for_collapse(len(Z))).astype(int)
    Z = scaled(Z[few])
    components_of_pca = None if X is None else _components_of_pca(X[few], Z.shape[1])
    if components_of_pca is not None and components_of_pca.shape[1] == 0:
        return None  # the data themselves are constant
    deviations = np.sort(centered(Z).std(axis=0))[::-1]
    share = deviations[0] / max(np.abs(Z).max(), np.finfo(Z.dtype).tiny)
    if share <= 4 * np.finfo(Z.dtype).eps:
        return (
            f"all {Z.shape[1]} components are constant (no standard deviation is above "
            f"{share:.1e} of the largest value). The encoder gives the same output for every "
            "row: try a smaller learning_rate, or another architecture."
        )
    shares = deviations / deviations[0]
    if components_of_pca is None:
        dead, beside = shares < _DEAD, ""
    else:
        expected = components_of_pca.std(axis=0)
        shares = shares[: len(expected)]
        dead = (shares < _DEAD) & (expected > _ALIVE * expected[0])
        beside = ", where those of PCA on the same rows do"
    if dead.any():
        return (
            f"{dead.sum()} of {Z.shape[1]} components hardly vary (the smallest has "
            f"{shares[dead].min():.1e} of the largest one's standard deviation){beside}. Try "
            "fewer components, or a smaller learning_rate."
        )
    if components_of_pca is None:
        return None
    # one component that is not constant has rank 1: it is never told of
    rank, rank_of_pca = effective_rank(Z), effective_rank(components_of_pca)
    if rank < _LEAST_SHARE_OF_RANK * min(Z.shape[1], rank_of_pca):
        return (
            f"its effective rank is {rank:.1f} with {Z.shape[1]} components, where that of "
            f"PCA on the same rows is {rank_of_pca:.1f}. Try a smaller learning_rate or a "
            "simpler architecture; a StandardScaler in front if features differ in scale."
        )
    return None


def _components_of_pca(X, n_components):
    """Embed rows by PCA; into no component at all if they are constant."""
    X = scaled(X.astype(np.float64))
    missing = np.isnan(X)
    if missing.any():
        n_seen = np.maximum(1, (~missing).sum(axis=0))
        mean = np.nansum(X, axis=0) / n_seen
        # rounding does not know that it lies between them, above all where they are equal
        mean = np.clip(mean, np.fmin.reduce(X), np.fmax.reduce(X))
        X = np.where(missing, np.nan_to_num(mean), X)
    X = centered(X)
    if not X.any():
        return np.empty((len(X), 0))
    return PCA(min(n_components, *X.shape), random_state=0).fit_transform(X)
