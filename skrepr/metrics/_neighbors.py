"""Whether neighbors in the embedding are neighbors in the data, and of one kind."""

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets

from ._input import read_integer, read_rows, read_targets
from ._sampling import draw_rows, estimate, own_places, query_blocks, row_blocks
from ._scale import ROUNDING, scaled


def trustworthiness(
    X, Z, *, n_neighbors=5, sample_size="auto", random_state=None, return_error=False
):
    r"""Measure how far neighbors in the embedding are neighbors in the data.

    A row that is among the :math:`k` nearest of row :math:`i` in ``Z`` but not in ``X``
    costs as much as its rank :math:`r(i, j)` in ``X`` lies beyond :math:`k` (equation 1 of
    [1]_),

    .. math:: T = 1 - \frac{2}{n k (2 n - 3 k - 1)}
              \sum_{i=1}^{n} \sum_{j \in N_Z(i)} \max(0, r(i, j) - k) .

    Equal to :func:`sklearn.manifold.trustworthiness`, which needs the memory of all pairs.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The data; rows are flattened.
    Z : array-like of shape (n_samples, n_components)
        The embedding.
    n_neighbors : int, default=5
        Size of the neighborhood, below ``n_samples / 2``.
    sample_size : int, "auto" or None, default="auto"
        Number of rows whose neighbors are looked at, among all rows. "auto": all up to
        20,000 rows, beyond 2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.
    return_error : bool, default=False
        Whether to return the standard error too.

    Returns
    -------
    value : float
        From 0 to 1, all neighbors are true ones; about 0.5 for an embedding that has
        nothing to do with the data. Two numbers of PCA give 0.8 to 0.95 on many tables. Good
        and bad are relative to PCA at the same width.
    error : float
        Standard error of a sample, 0 where all rows are used. Only if `return_error`.

    See Also
    --------
    neighborhood_preservation : Share of the neighbors in the data that are kept.

    Notes
    -----
    Costs ``sample_size * n_samples * n_features`` operations, and a memory of 100 MB besides
    X and a copy of Z, whatever ``n_samples``. Equal distances in X, to rounding, count in
    favor of the embedding.

    References
    ----------
    .. [1] Venna, J. & Kaski, S. (2001). Neighborhood preservation in nonlinear projection
       methods: an experimental study. ICANN, 485-491.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.metrics import trustworthiness
    >>> X, _ = load_digits(return_X_y=True)
    >>> round(trustworthiness(X, PCA(2).fit_transform(X)), 2)
    0.83
    """
    values = trust_of_rows(X, Z, n_neighbors, sample_size, random_state)
    return estimate(values, len(Z), return_error)


def trust_of_rows(X, Z, n_neighbors, sample_size, random_state):
    """Compute the terms whose mean is the trustworthiness, one for each row drawn."""
    X, Z, k, rows = _pair(X, Z, n_neighbors, sample_size, random_state)
    n = len(X)
    excess = np.maximum(0, _ranks(X, rows, _neighbors(Z, rows, k)) - k).sum(axis=1)
    return 1 - excess * 2 / (k * (2 * n - 3 * k - 1))


def neighborhood_preservation(
    X, Z, *, n_neighbors=5, sample_size="auto", random_state=None, return_error=False
):
    r"""Measure which share of the neighbors in the data are neighbors in the embedding.

    .. math:: Q(k) = \frac{1}{n k} \sum_{i=1}^{n} | N_X(i) \cap N_Z(i) | ,

    the quantity :math:`Q_{NX}` of [1]_, with :math:`N(i)` the :math:`k` nearest of row
    :math:`i`. Stricter than `trustworthiness`: a near miss counts as a miss.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The data; rows are flattened.
    Z : array-like of shape (n_samples, n_components)
        The embedding.
    n_neighbors : int, default=5
        Size of the neighborhood, below ``n_samples / 2``.
    sample_size : int, "auto" or None, default="auto"
        Number of rows whose neighbors are looked at, among all rows. "auto": all up to
        20,000 rows, beyond 2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.
    return_error : bool, default=False
        Whether to return the standard error too.

    Returns
    -------
    value : float
        From 0 to 1, all neighbors are kept; ``n_neighbors / (n_samples - 1)`` by chance.
        It falls as rows are added between neighbors, so compare at equal ``n_samples``
        only, with PCA at the same width.
    error : float
        Standard error of a sample, 0 where all rows are used. Only if `return_error`.

    See Also
    --------
    trustworthiness : Counts how far false neighbors are away.

    Notes
    -----
    Costs ``sample_size * n_samples * n_features`` operations, and a memory that is small
    besides X and Z.

    References
    ----------
    .. [1] Lee, J. A. & Verleysen, M. (2009). Quality assessment of dimensionality reduction:
       rank-based criteria. Neurocomputing 72, 1431-1443.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.metrics import neighborhood_preservation
    >>> X, _ = load_digits(return_X_y=True)
    >>> round(neighborhood_preservation(X, PCA(2).fit_transform(X)), 2)
    0.08
    >>> round(neighborhood_preservation(X, PCA(16).fit_transform(X)), 1)
    0.7
    """
    values = preservation_of_rows(X, Z, n_neighbors, sample_size, random_state)
    return estimate(values, len(Z), return_error)


def preservation_of_rows(X, Z, n_neighbors, sample_size, random_state):
    """Compute the share of kept neighbors of each row drawn."""
    X, Z, k, rows = _pair(X, Z, n_neighbors, sample_size, random_state)
    in_X, in_Z = _neighbors(X, rows, k), _neighbors(Z, rows, k)
    return sum((in_X == column[:, None]).sum(axis=1) for column in in_Z.T) / k


def knn_agreement(
    Z, y, *, n_neighbors=5, sample_size="auto", random_state=None, return_error=False
):
    r"""Measure which share of the neighbors in the embedding bear the same label.

    .. math:: A(k) = \frac{1}{n k} \sum_{i=1}^{n} \sum_{j \in N_Z(i)} [y_j = y_i] ,

    with :math:`N_Z(i)` the :math:`k` nearest of row :math:`i`: what a vote among
    neighbors [1]_ has to go by, before the vote.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        The embedding.
    y : array-like of shape (n_samples,)
        Class labels.
    n_neighbors : int, default=5
        Size of the neighborhood, below ``n_samples``.
    sample_size : int, "auto" or None, default="auto"
        Number of rows whose neighbors are looked at, among all rows. "auto": all up to
        20,000 rows, beyond 2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.
    return_error : bool, default=False
        Whether to return the standard error too.

    Returns
    -------
    value : float
        From 0 to 1, classes are apart; by chance the sum of the squared shares of the
        classes. Compare with PCA at the same width.
    error : float
        Standard error of a sample, 0 where all rows are used. Only if `return_error`.

    See Also
    --------
    linear_probe_score : What a linear model makes of the embedding.

    Notes
    -----
    Costs ``sample_size * n_samples * n_components`` operations at most, and a memory that
    is small next to Z.

    References
    ----------
    .. [1] Cover, T. & Hart, P. (1967). Nearest neighbor pattern classification. IEEE
       Transactions on Information Theory 13, 21-27.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.metrics import knn_agreement
    >>> X, y = load_digits(return_X_y=True)
    >>> round(knn_agreement(PCA(2).fit_transform(X), y), 1)
    0.6
    """
    values = agreement_of_rows(Z, y, n_neighbors, sample_size, random_state)
    return estimate(values, len(Z), return_error)


def agreement_of_rows(Z, y, n_neighbors, sample_size, random_state):
    """Compute the share of neighbors of the same label, of each row drawn."""
    Z, y = read_rows(Z, "Z"), read_targets(y)
    check_consistent_length(Z, y)
    with np.errstate(invalid="ignore"):  # tries whether they are whole numbers
        check_classification_targets(y)
    k = read_integer(n_neighbors, "n_neighbors", 1, len(Z) - 1)
    rows = draw_rows(len(Z), sample_size, random_state)
    return (y[_neighbors(scaled(Z), rows, k)] == y[rows, None]).mean(axis=1)


def _pair(X, Z, n_neighbors, sample_size, random_state):
    X, Z = read_rows(X, "X"), read_rows(Z, "Z")
    check_consistent_length(X, Z)
    k = read_integer(n_neighbors, "n_neighbors", 1)
    if k >= len(X) / 2:
        raise ValueError(f"n_neighbors ({k}) should be less than n_samples / 2 ({len(X) / 2})")
    return scaled(X), scaled(Z), k, draw_rows(len(X), sample_size, random_state)


def _neighbors(A, rows, k):
    """Find the k nearest of each of the rows, itself left out: (n_rows, k)."""
    found = NearestNeighbors(n_neighbors=k + 1).fit(A).kneighbors(A[rows], return_distance=False)
    own = found == rows[:, None]
    own[~own.any(axis=1), -1] = True  # hidden behind duplicates, one of which goes for it
    return found[~own].reshape(len(rows), k)


def _ranks(X, rows, others):
    """Rank the rows ``others`` (n_rows, k) by their distance from ``rows``, 1 the nearest.

    A rank is one more than the number of rows that are nearer, so that nothing is sorted
    and no row of distances is held whole.
    """
    n, d = X.shape
    center = X.mean(axis=0, dtype=np.float64)  # else large offsets cancel
    ranks = np.ones(others.shape, dtype=np.int64)
    for queries in query_blocks(len(rows), d):
        Q = X[rows[queries]] - center  # (q, d)
        squares = np.square(Q).sum(axis=1)[:, None]
        limits = np.stack(
            [np.square(Q - (X[column] - center)).sum(axis=1) for column in others[queries].T], 1
        )
        # rounding must not put a row before itself
        limits -= ROUNDING * (squares + limits)
        for part in row_blocks(n, d):
            B = X[part] - center  # (b, d)
            distances = np.square(B).sum(axis=1) - 2 * (Q @ B.T)
            distances += squares
            distances[own_places(rows[queries], part)] = np.inf
            for limit, rank in zip(limits.T, ranks[queries].T):
                rank += np.count_nonzero(distances < limit[:, None], axis=1)
    return ranks
