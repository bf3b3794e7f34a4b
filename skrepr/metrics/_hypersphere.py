"""How an embedding lies on the unit sphere, where contrastive objectives put it."""

from numbers import Real

import numpy as np
from sklearn.utils import check_scalar

from ._sampling import (
    draw_rows,
    mean_and_error,
    on_sphere,
    query_blocks,
    read_pair,
    read_rows,
    row_blocks,
)


def alignment(Z, other, *, alpha=2):
    r"""Measure how close the two embeddings of each pair are.

    On rows of unit length, with :math:`(z_i, z'_i)` two views of one thing (equation 1 of
    section 4.1 of [1]_),

    .. math:: \frac{1}{n} \sum_{i=1}^{n} \lVert z_i - z'_i \rVert^\alpha .

    Parameters
    ----------
    Z, other : array-like of shape (n_samples, n_components)
        Embeddings of the two views; rows are scaled to unit length.
    alpha : float, default=2
        Power of the distance.

    Returns
    -------
    value : float
        From 0, all pairs agree, to ``2 ** alpha``, all are opposite; 2 for `alpha` of 2 where
        views have nothing in common. An embedding that is constant has 0 too: read it
        beside `uniformity`. Costs one pass over the rows.

    See Also
    --------
    uniformity : The other half of the contrastive loss.

    References
    ----------
    .. [1] Wang, T. & Isola, P. (2020). Understanding contrastive representation learning
       through alignment and uniformity on the hypersphere. ICML.

    Examples
    --------
    >>> from skrepr.metrics import alignment
    >>> round(alignment([[1, 0], [0, 2]], [[3, 0], [1, 0]]), 6)
    1.0
    """
    check_scalar(alpha, "alpha", Real, min_val=0, include_boundaries="neither")
    Z, other = read_pair(Z, other)
    distances = np.linalg.norm(on_sphere(Z) - on_sphere(other), axis=1)
    return float(np.mean(distances**alpha))


def uniformity(Z, *, t=2, sample_size="auto", random_state=None, return_error=False):
    r"""Measure how evenly an embedding covers the unit sphere.

    On rows of unit length, the logarithm of the mean Gaussian potential of all pairs
    (section 4.1 of [1]_),

    .. math:: \log \frac{1}{n (n - 1)} \sum_{i \neq j} e^{-t \lVert z_i - z_j \rVert^2} .

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        The embedding; rows are scaled to unit length.
    t : float, default=2
        Sharpness of the potential.
    sample_size : int, "auto" or None, default="auto"
        Number of rows that are compared with all rows. "auto": all up to 20,000 rows, beyond
        2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.
    return_error : bool, default=False
        Whether to return the standard error too.

    Returns
    -------
    value : float
        Lower is more even: 0 for a constant embedding; about ``-2 * t`` at best where there
        are many components and rows (all other rows at right angles), in two dimensions -1.57
        at `t` of 2. From ``-2`` on, contrastive embeddings are usually good.
    error : float
        Standard error of a sample, 0 where all rows are used. Only if `return_error`.

    See Also
    --------
    alignment : The other half of the contrastive loss.

    Notes
    -----
    Costs ``sample_size * n_samples * n_components`` operations, and a memory of 100 MB beside
    two copies of Z in float64, whatever ``n_samples``.

    References
    ----------
    .. [1] Wang, T. & Isola, P. (2020). Understanding contrastive representation learning
       through alignment and uniformity on the hypersphere. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import uniformity
    >>> rng = np.random.default_rng(0)
    >>> round(uniformity(rng.normal(size=(1000, 64))), 1)
    -3.9
    >>> round(uniformity(rng.normal(size=(1000, 64)) + 10), 1)
    -0.0
    """
    check_scalar(t, "t", Real, min_val=0, include_boundaries="neither")
    Z = on_sphere(read_rows(Z, "Z").astype(np.float64))
    squares = np.einsum("ij,ij->i", Z, Z)  # 0 for a row of zeros, which has no direction
    n, width = Z.shape
    rows = draw_rows(n, sample_size, random_state)
    potentials = np.zeros(len(rows))
    for queries in query_blocks(len(rows), width):
        Q = Z[rows[queries]]
        for part in row_blocks(n, width):
            distances = squares[rows[queries], None] + squares[part] - 2 * Q @ Z[part].T
            potentials[queries] += np.exp(-t * distances).sum(axis=1)
    potentials -= 1  # each row's own
    mean, error = mean_and_error(potentials / (n - 1), n)
    value = float(np.log(mean))
    return (value, error / mean) if return_error else value
