"""How much an embedding says: active units, and lower bounds on mutual information."""

import numpy as np

from ._input import LARGEST_REAL, read_pair, read_real, read_rows
from ._sampling import draw_rows, estimate, local_generator, log_sums
from ._scale import ROUNDING, centered, exponent, in_unit, on_sphere

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
    threshold = read_real(threshold, "threshold", 0, include_boundaries="both")
    Z = read_rows(Z, "Z")
    unit = exponent(Z, axis=0)
    deviation = np.linalg.norm(centered(in_unit(Z, unit)), axis=0) / np.sqrt(len(Z) - 1)
    with np.errstate(over="ignore"):  # infinite is above any threshold
        # deviations, since their squares may be out of the range of float64
        return int(np.sum(np.ldexp(deviation, unit) > np.sqrt(threshold)))


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
        The :math:`\tau` of "infonce", from 1e-300 to 1e300. The bound holds for any; the best
        one is the tightest. Cosines that differ by rounding count as equal, however low it is.
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
    ``sample_size * n_samples * n_components`` operations, and a memory of 100 MB besides
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
    temperature = read_real(
        temperature, "temperature", 1 / LARGEST_REAL, include_boundaries="both"
    )
    Z, other = read_pair(Z, other)
    n, width = Z.shape
    generator = local_generator(random_state)
    rows = draw_rows(n, sample_size, generator)
    if method == "infonce":
        advantages = _cosine_advantages(Z, other, rows, temperature)
    else:
        advantages = _density_advantages(Z, other, rows, generator)
    # a share of the sum is at most 1, which rounding does not know
    values = np.log(n) - np.maximum(0, log_sums(advantages, len(rows), n, width))
    return estimate(values, n, return_error)


def _cosine_advantages(Z, other, rows, temperature):
    """Make the function that says how much closer than its partner each row is to others."""
    Z, other = on_sphere(Z)[rows], on_sphere(other)
    own = (Z * other[rows]).sum(axis=1)

    def advantages(queries, part):
        excess = Z[queries] @ other[part].T - own[queries, None]
        excess[np.abs(excess) <= ROUNDING] = 0
        return excess / temperature

    return advantages


def _density_advantages(mean, log_variance, rows, generator):
    """Make the function that compares the log densities of draws with those at home.

    With a draw :math:`z_i = m_i + s_i e` the term of each component is
    :math:`((m_i - m_j + s_i e) / s_j)^2`. Written so, nothing cancels that should not, and
    under the draw's own posterior :math:`e` comes back, however narrow that is. As a matrix
    product it would be faster, but wrong for narrow ones.
    """
    largest = np.abs(log_variance).max()
    if largest > _LARGEST_LOG_VARIANCE:
        raise ValueError(
            'With method="gaussian", other must hold logarithms of variances, at most '
            f"{_LARGEST_LOG_VARIANCE} in absolute value. Got {largest:.4g}."
        )
    noise = generator.normal(size=(len(rows), mean.shape[1]))
    # columns in one piece: they are gone through one by one
    mean, log_variance = np.asfortranarray(mean), np.asfortranarray(log_variance)
    step = np.exp(log_variance[rows] / 2) * noise
    precision = np.exp(-log_variance / 2)
    volume = log_variance.sum(axis=1)
    own = np.square(noise).sum(axis=1) + volume[rows]

    def advantages(queries, part):
        squares = own[queries, None] - volume[part]
        distances = np.empty_like(squares)
        with np.errstate(over="ignore"):  # infinitely far is a density of 0
            for m, s, p in zip(mean.T, step.T, precision.T):
                np.subtract.outer(m[rows[queries]], m[part], out=distances)
                distances += s[queries, None]
                distances *= p[part]
                squares -= np.square(distances, out=distances)
        return np.divide(squares, 2, out=squares)

    return advantages
