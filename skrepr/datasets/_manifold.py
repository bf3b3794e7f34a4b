"""Rows on a curved manifold of few dimensions."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state, check_scalar


def make_manifold(
    n_samples=1000, n_features=20, *, n_factors=2, curvature=2.0, noise=0.0, random_state=None
):
    r"""Generate rows on a curved manifold of few dimensions, and their place on it.

    Factors :math:`f` are independent and uniform on :math:`[-1, 1]`. Each feature is a sine of
    a random linear combination of them,

    .. math:: x_j = \frac{\sin(c \, w_j \cdot f + \varphi_j) - \sin \varphi_j}{c} ,

    which is linear in the factors as the curvature :math:`c` goes to 0, and which PCA needs
    ever more components for as it grows. Without noise different factors give different rows
    where ``n_features > 2 * n_factors``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=20
        Number of columns.
    n_factors : int, default=2
        Number of factors, the dimension of the manifold.
    curvature : float, default=2.0
        How much the manifold bends, at least 0.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise that is added to the features.
    random_state : int, RandomState instance or None, default=None
        Seed. The same int gives the same rows; the manifold itself does not depend on
        `n_samples` and `noise`.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The rows.
    factors : ndarray of shape (n_samples, n_factors), float64
        The factors, between -1 and 1.

    Examples
    --------
    >>> from skrepr.datasets import make_manifold
    >>> X, factors = make_manifold(500, n_factors=3, random_state=0)
    >>> X.shape, factors.shape
    ((500, 20), (500, 3))
    """
    for name, value in (
        ("n_samples", n_samples),
        ("n_features", n_features),
        ("n_factors", n_factors),
    ):
        check_scalar(value, name, Integral, min_val=1)
    check_scalar(curvature, "curvature", Real, min_val=0)
    check_scalar(noise, "noise", Real, min_val=0)
    if random_state is None:
        # numpy's global generator is left as it is
        random_state = int(np.random.default_rng().integers(2**32))
    generator = check_random_state(random_state)
    weights = generator.normal(size=(n_factors, n_features))
    phases = generator.uniform(0, 2 * np.pi, size=n_features)
    factors = generator.uniform(-1, 1, size=(n_samples, n_factors))
    steps = factors @ weights
    if curvature == 0:
        X = steps * np.cos(phases)
    else:
        X = (np.sin(curvature * steps + phases) - np.sin(phases)) / curvature
    return X + noise * generator.normal(size=X.shape), factors
