"""Whether two embeddings of the same rows say the same."""

from itertools import permutations

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length

from ._input import read_data, read_integer, read_rows, read_test_size
from ._sampling import local_generator
from ._scale import centered, exponent, in_unit, scaled


def linear_cka(Z, other):
    r"""Measure the similarity of two embeddings of the same rows.

    Linear centered kernel alignment: with centered columns (section 3 of [1]_),

    .. math:: \frac{\lVert B^\top A \rVert_F^2}
                   {\lVert A^\top A \rVert_F \, \lVert B^\top B \rVert_F} .

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        One embedding.
    other : array-like of shape (n_samples, n_other_components)
        The other one, of the same rows. The widths may differ.

    Returns
    -------
    similarity : float
        From 0, uncorrelated, to 1, equal but for rotation and one scale. Directions of large
        variance dominate. With few rows it is high by chance: at least 10 rows for each
        component. 0 if one of them is constant.

    See Also
    --------
    consistency_score : Similarity over seeds, of an estimator.

    Notes
    -----
    Costs ``n_samples * (n_components + n_other_components) ** 2`` operations.

    References
    ----------
    .. [1] Kornblith, S., Norouzi, M., Lee, H. & Hinton, G. (2019). Similarity of neural
       network representations revisited. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import linear_cka
    >>> Z = np.random.default_rng(0).normal(size=(1000, 2))
    >>> turned = 3 * Z @ [[0, 1], [-1, 0]] + 5
    >>> round(linear_cka(Z, turned), 6)
    1.0
    >>> linear_cka(Z, np.random.default_rng(1).normal(size=(1000, 2))) < 0.01
    True
    """
    A, B = read_rows(Z, "Z"), read_rows(other, "other")
    check_consistent_length(A, B)
    A, B = centered(scaled(A)), centered(scaled(B))
    largest = np.abs(A).max(), np.abs(B).max()
    if min(largest) == 0:
        return 0.0
    A, B = A / largest[0], B / largest[1]  # the fourth power of a value is in reach
    size = np.linalg.norm(A.T @ A) * np.linalg.norm(B.T @ B)
    return float(np.linalg.norm(B.T @ A) ** 2 / size)


def consistency_score(
    estimator, X, n_repeats=5, *, test_size=0.25, random_state=None, return_std=False
):
    r"""Measure how far an estimator finds the same embedding from every seed.

    Clones are fitted to the same training rows with different seeds. For each ordered pair of
    their embeddings a linear map from one to the other is fitted to the training rows, and
    its R² on the rows held out, weighted by the variance of the components, is the
    consistency of the pair [1]_.

    Parameters
    ----------
    estimator : estimator
        Any with ``fit`` and ``transform``, such as a Pipeline. Every parameter that is called
        ``random_state``, also of its parts, is set.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The data.
    n_repeats : int, default=5
        Number of seeds, at least 2.
    test_size : float, default=0.25
        Share of the rows that are held out, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the seeds and of the split.
    return_std : bool, default=False
        Whether to return the standard deviation over pairs too.

    Returns
    -------
    score : float
        At most 1, the same subspace from every seed; 0: one embedding says nothing linear
        about the other. PCA has 1. Below 0.9, do not read meaning into single components.
    std : float
        Standard deviation over the pairs, which are not independent. Only if `return_std`.

    See Also
    --------
    linear_cka : Similarity of two embeddings that are there already.

    Notes
    -----
    Costs ``n_repeats`` fits.

    References
    ----------
    .. [1] Schneider, S., Lee, J. H. & Mathis, M. W. (2023). Learnable latent embeddings for
       joint behavioral and neural analysis. Nature 617, 360-368.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.random_projection import GaussianRandomProjection
    >>> from skrepr.metrics import consistency_score
    >>> X, _ = load_iris(return_X_y=True)
    >>> round(consistency_score(PCA(2), X, random_state=0), 3)
    1.0
    >>> consistency_score(GaussianRandomProjection(1), X, random_state=0) < 0.95
    True
    """
    n_repeats = read_integer(n_repeats, "n_repeats", 2)
    test_size = read_test_size(test_size)
    generator = local_generator(random_state)
    train, test = train_test_split(
        read_data(X), test_size=test_size, random_state=int(generator.randint(2**31 - 1))
    )
    embeddings = []
    for seed in generator.randint(2**31 - 1, size=n_repeats):
        model = _seeded(estimator, int(seed)).fit(train)
        pair = [read_rows(model.transform(rows), "Z").astype(np.float64) for rows in (train, test)]
        unit = exponent(*pair)
        embeddings.append([in_unit(Z, unit) for Z in pair])
    scores = [
        _explained(a_test, b_test, LinearRegression().fit(a, b))
        for (a, a_test), (b, b_test) in permutations(embeddings, 2)
    ]
    score, std = float(np.mean(scores)), float(np.std(scores))
    return (score, std) if return_std else score


def _seeded(estimator, seed):
    """Clone an estimator with all its ``random_state`` parameters set."""
    copy = clone(estimator)
    names = [n for n in copy.get_params() if n.split("__")[-1] == "random_state"]
    return copy.set_params(**dict.fromkeys(names, seed))


def _explained(a, b, linear_map):
    """Compute the share of the variance of ``b`` that a linear map from ``a`` explains."""
    total = np.square(b - b.mean(axis=0)).sum()
    return 1 - np.square(b - linear_map.predict(a)).sum() / total if total > 0 else 0.0
