"""How an embedding lies on the unit sphere, where contrastive objectives put it."""

import numpy as np

from ._input import read_pair, read_real, read_rows
from ._sampling import draw_rows, log_sums, mean_and_error, own_places
from ._scale import ROUNDING, on_sphere

# Powers of distances, which are at most 2, stay in the range of float64.
_LARGEST_ALPHA = 1000


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
        Power of the distance, above 0 and at most 1000.

    Returns
    -------
    value : float
        From 0, all pairs agree, to ``2 ** alpha``, all are opposite; 2 for `alpha` of 2 where
        views have nothing in common. An embedding that is constant has 0 too: read it
        next to `uniformity`. Costs one pass over the rows.

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
    alpha = read_real(alpha, "alpha", 0, _LARGEST_ALPHA)
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
        Sharpness of the potential, above 0 and at most 1e300. Rows that differ by rounding
        count as equal, however sharp it is.
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
    Costs ``sample_size * n_samples * n_components`` operations, and a memory of 100 MB besides
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
    t = read_real(t, "t", 0)
    Z = on_sphere(read_rows(Z, "Z").astype(np.float64))
    squares = np.einsum("ij,ij->i", Z, Z)  # 0 for a row of zeros, which has no direction
    n, width = Z.shape
    rows = draw_rows(n, sample_size, random_state)

    def log_potentials(queries, part):
        Q = rows[queries]
        distances = squares[Q, None] + squares[part] - 2 * Z[Q] @ Z[part].T
        distances[distances < ROUNDING] = 0
        distances[own_places(Q, part)] = np.inf  # a row is no pair with itself
        return -t * distances

    logs = log_sums(log_potentials, len(rows), n, width)
    largest = logs.max()
    mean, error = mean_and_error(np.exp(logs - largest), n)
    value = float(largest + np.log(mean / (n - 1)))
    return (value, error / mean) if return_error else value
