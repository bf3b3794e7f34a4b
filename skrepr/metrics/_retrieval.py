"""Whether each row finds its partner in another embedding: two views, two modalities."""

import numpy as np

from ._input import read_integer, read_pair
from ._sampling import draw_rows, estimate, query_blocks, row_blocks
from ._scale import ROUNDING, exponent, in_unit, on_sphere


def recall_at_k(
    Z,
    other,
    *,
    k=1,
    metric="cosine",
    sample_size="auto",
    random_state=None,
    return_error=False,
):
    r"""Measure how often the partner of a row is among the ``k`` most similar.

    .. math:: \frac{1}{n} \sum_{i=1}^{n} [r_i \leq k] ,

    with :math:`r_i` the rank of row :math:`i` of ``other`` by its similarity to row
    :math:`i` of ``Z`` [1]_.

    Parameters
    ----------
    Z, other : array-like of shape (n_samples, n_components)
        Embeddings of the two members of each pair, in one space.
    k : int, default=1
        How many of the most similar are looked at.
    metric : {"cosine", "euclidean"}, default="cosine"
        What similarity is.
    sample_size : int, "auto" or None, default="auto"
        Number of rows that search among all rows. "auto": all up to 20,000 rows, beyond
        2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.
    return_error : bool, default=False
        Whether to return the standard error too.

    Returns
    -------
    value : float
        From 0 to 1, every partner is found; ``k / n_samples`` by chance. It falls with the
        number of rows searched: compare at equal ``n_samples`` only.
    error : float
        Standard error of a sample, 0 where all rows are used. Only if `return_error`.

    See Also
    --------
    median_rank : The rank that half of the partners reach.

    Notes
    -----
    Searches from ``Z`` in ``other``; the other direction is another figure. Among equally
    similar rows the partner stands in the middle, so that a constant embedding finds
    nothing. Costs ``sample_size * n_samples * n_components`` operations, and a memory of
    100 MB besides copies of Z and other, whatever ``n_samples``.

    References
    ----------
    .. [1] Hodosh, M., Young, P. & Hockenmaier, J. (2013). Framing image description as a
       ranking task. Journal of Artificial Intelligence Research 47, 853-899.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import recall_at_k
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.normal(size=(500, 16))
    >>> recall_at_k(Z, Z + 0.1 * rng.normal(size=Z.shape))
    1.0
    >>> recall_at_k(Z, rng.normal(size=Z.shape), k=5) < 0.05
    True
    """
    k = read_integer(k, "k", 1)
    ranks, n = _partner_ranks(Z, other, metric, sample_size, random_state)
    return estimate(ranks <= k, n, return_error)


def median_rank(Z, other, *, metric="cosine", sample_size="auto", random_state=None):
    r"""Find the rank that half of the partners reach in the search by similarity.

    The median of :math:`r_i`, the rank of row :math:`i` of ``other`` by its similarity to row
    :math:`i` of ``Z`` [1]_.

    Parameters
    ----------
    Z, other : array-like of shape (n_samples, n_components)
        Embeddings of the two members of each pair, in one space.
    metric : {"cosine", "euclidean"}, default="cosine"
        What similarity is.
    sample_size : int, "auto" or None, default="auto"
        Number of rows that search among all rows. "auto": all up to 20,000 rows, beyond
        2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.

    Returns
    -------
    rank : float
        From 1, at least half of the partners are found at once, to ``n_samples``; about
        ``(n_samples + 1) / 2`` by chance, and for a constant embedding.

    See Also
    --------
    recall_at_k : How many partners are found within ``k``.

    Notes
    -----
    Costs ``sample_size * n_samples * n_components`` operations, and a memory of 100 MB besides
    copies of Z and other, whatever ``n_samples``.

    References
    ----------
    .. [1] Hodosh, M., Young, P. & Hockenmaier, J. (2013). Framing image description as a
       ranking task. Journal of Artificial Intelligence Research 47, 853-899.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import median_rank
    >>> Z = np.random.default_rng(0).normal(size=(101, 16))
    >>> median_rank(Z, Z)
    1.0
    >>> median_rank(np.ones((101, 16)), Z[:1].repeat(101, axis=0))
    51.0
    """
    ranks, _ = _partner_ranks(Z, other, metric, sample_size, random_state)
    return float(np.median(ranks))


def _partner_ranks(Z, other, metric, sample_size, random_state):
    """Rank the partner of each row drawn among all rows, and tell the number of all."""
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric must be 'cosine' or 'euclidean'. Got {metric!r} instead.")
    Z, other = read_pair(Z, other)
    if metric == "cosine":
        Z, other = on_sphere(Z), on_sphere(other)
        squares = np.zeros(len(Z))
    else:
        unit = exponent(Z, other)
        Z, other = in_unit(Z, unit), in_unit(other, unit)
        center = other.mean(axis=0)  # else large offsets cancel
        Z, other = Z - center, other - center
        squares = np.square(other).sum(axis=1) / 2
    n, width = Z.shape
    rows = draw_rows(n, sample_size, random_state)
    own = (Z[rows] * other[rows]).sum(axis=1) - squares[rows]
    slack = ROUNDING * (np.square(Z[rows]).sum(axis=1) + squares.max())
    nearer, as_near = np.zeros(len(rows)), np.zeros(len(rows))
    for queries in query_blocks(len(rows), width):
        for part in row_blocks(n, width):
            # the cosine, or minus half the squared distance but for a constant of the row
            excess = Z[rows[queries]] @ other[part].T - squares[part] - own[queries, None]
            nearer[queries] += np.count_nonzero(excess > slack[queries, None], axis=1)
            as_near[queries] += np.count_nonzero(abs(excess) <= slack[queries, None], axis=1)
    return nearer + (as_near + 1) / 2, n
