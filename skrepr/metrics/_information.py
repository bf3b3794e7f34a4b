"""How much an embedding says: active units, and lower bounds on mutual information."""

from numbers import Real

import numpy as np
from scipy.special import logsumexp
from sklearn.utils import check_scalar

from ._sampling import (
    draw_rows,
    estimate,
    local_generator,
    on_sphere,
    query_blocks,
    read_pair,
    read_rows,
    row_blocks,
)

# Beyond, variances and their inverses leave the range of float64.
_LARGEST_LOG_VARIANCE = 300


def active_units(Z, *, threshold=0.01):
    r"""Count the components of a variational embedding that depend on the data.

    Component :math:`u` is active if
    :math:`A_u = \mathrm{Var}_x(\mathrm{E}_{u \sim q(u \mid x)}[u])` exceeds `threshold`
    (section 5.2 of [1]_).

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Means of the posterior of each row, under a prior of unit variance.
    threshold : float, default=0.01
        Variance above which a component is active.

    Returns
    -------
    n_active : int
        From 0, the posterior has collapsed, to ``n_components``. Components beyond those that
        the data need are rightly inactive, so few are bad only where PCA of as many
        components explains much more. Costs one pass over the rows.

    References
    ----------
    .. [1] Burda, Y., Grosse, R. & Salakhutdinov, R. (2016). Importance weighted
       autoencoders. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import active_units
    >>> Z = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 0.5, 0.01]
    >>> active_units(Z)
    2
    """
    check_scalar(threshold, "threshold", Real, min_val=0)
    variance = read_rows(Z, "Z").var(axis=0, dtype=np.float64, ddof=1)
    return int(np.sum(variance > threshold))


def mutual_information(
    Z,
    other,
    *,
    method="infonce",
    temperature=0.1,
    sample_size="auto",
    random_state=None,
    return_error=False,
):
    r"""Bound from below the mutual information of an embedding with its partner.

    ``method="infonce"``: of two views or modalities, from how well each row of ``Z`` finds
    its partner among all rows of ``other`` by the cosine :math:`s` [1]_ (equation 12 of
    [2]_),

    .. math:: I \geq \log n + \frac{1}{n} \sum_{i=1}^{n} \log
              \frac{e^{s(z_i, z'_i) / \tau}}{\sum_j e^{s(z_i, z'_j) / \tau}} .

    ``method="gaussian"``: of a row and its embedding under Gaussian posteriors, from the
    posteriors of all rows, whose mean is the aggregated posterior [3]_,

    .. math:: I \geq \log n + \frac{1}{n} \sum_{i=1}^{n} \log
              \frac{q(z_i \mid x_i)}{\sum_j q(z_i \mid x_j)} , \quad
              z_i \sim q(z \mid x_i) .

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Embeddings of one view; or means of the posteriors.
    other : array-like of shape (n_samples, n_components)
        Embeddings of the other view; or logarithms of the variances of the posteriors.
    method : {"infonce", "gaussian"}, default="infonce"
        Which bound.
    temperature : float, default=0.1
        The :math:`\tau` of "infonce". The bound holds for any; the best one is the tightest.
    sample_size : int, "auto" or None, default="auto"
        Number of rows that are compared with all rows. "auto": all up to 20,000 rows, beyond
        2,000 drawn at random. None: all.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample and, for "gaussian", of the draws from the posteriors.
    return_error : bool, default=False
        Whether to return the standard error of a sample too.

    Returns
    -------
    value : float
        In nats. At most ``log(n_samples)``, where every row is told from all others: then
        more rows would raise the bound. 0: nothing is known; below 0, for "infonce": the
        cosine misleads, or the temperature is far too low.
    error : float
        Standard error of a sample, 0 where all rows are used. Only if `return_error`.

    Notes
    -----
    The bounds hold for the mean over data sets; a single figure may lie above. Costs
    ``sample_size * n_samples * n_components`` operations, and a memory of 100 MB beside
    up to eight copies of Z in float64, whatever ``n_samples``.

    References
    ----------
    .. [1] van den Oord, A., Li, Y. & Vinyals, O. (2018). Representation learning with
       contrastive predictive coding. arXiv:1807.03748.
    .. [2] Poole, B., Ozair, S., van den Oord, A., Alemi, A. & Tucker, G. (2019). On
       variational bounds of mutual information. ICML.
    .. [3] Hoffman, M. D. & Johnson, M. J. (2016). ELBO surgery: yet another way to carve up
       the variational evidence lower bound. NIPS workshop on approximate inference.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import mutual_information
    >>> mean = np.arange(100.0)[:, None]
    >>> log_variance = np.full((100, 1), -9.0)
    >>> round(mutual_information(mean, log_variance, method="gaussian"), 2)
    4.61
    >>> round(float(np.log(100)), 2)
    4.61
    """
    if method not in ("infonce", "gaussian"):
        raise ValueError(f"method must be 'infonce' or 'gaussian'. Got {method!r} instead.")
    check_scalar(temperature, "temperature", Real, min_val=0, include_boundaries="neither")
    Z, other = read_pair(Z, other)
    generator = local_generator(random_state)
    rows = draw_rows(len(Z), sample_size, generator)
    if method == "infonce":
        features, weights = on_sphere(Z)[rows] / temperature, on_sphere(other)
        offsets, own = np.zeros(len(weights)), (features * weights[rows]).sum(axis=1)
    else:
        features, weights, offsets, own = _gaussian_densities(Z, other, rows, generator)
    return estimate(_log_shares(features, weights, offsets, rows, own), len(Z), return_error)


def _gaussian_densities(mean, log_variance, rows, generator):
    """Write the log densities of draws under all posteriors as a matrix product.

    With features ``(z**2, z)``, log q(z | x_j) is ``features @ weights[j] + offsets[j]``, but
    for a constant that is the same for all j. Under a draw's own posterior it is told apart,
    free of the cancellation in that product.
    """
    largest = np.abs(log_variance).max()
    if largest > _LARGEST_LOG_VARIANCE:
        raise ValueError(
            'With method="gaussian", other must hold logarithms of variances, at most '
            f"{_LARGEST_LOG_VARIANCE} in absolute value. Got {largest:.4g}."
        )
    noise = generator.normal(size=(len(rows), mean.shape[1]))
    mean = mean - mean.mean(axis=0)
    z = mean[rows] + np.exp(log_variance[rows] / 2) * noise
    precision = np.exp(-log_variance)
    weights = np.hstack([-precision / 2, mean * precision])
    offsets = -(np.square(mean) * precision + log_variance).sum(axis=1) / 2
    own = -(np.square(noise) + log_variance[rows]).sum(axis=1) / 2
    return np.hstack([np.square(z), z]), weights, offsets, own


def _log_shares(features, weights, offsets, rows, own):
    """Compute, for each row, log n plus the log of its own share of the sum over all."""
    n, width = weights.shape
    totals = np.full(len(rows), -np.inf)
    for queries in query_blocks(len(rows), width):
        for part in row_blocks(n, width):
            logits = features[queries] @ weights[part].T + offsets[part]
            here = np.flatnonzero((rows[queries] >= part.start) & (rows[queries] < part.stop))
            logits[here, rows[queries][here] - part.start] = own[queries][here]
            totals[queries] = np.logaddexp(totals[queries], logsumexp(logits, axis=1))
    # a share is at most 1, which rounding does not know
    return np.log(n) + np.minimum(0, own - totals)
