"""Whether each component stands for one factor, where the factors are known."""

from typing import NamedTuple

import numpy as np
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length

from ._input import read_integer, read_rows, read_table, read_test_size
from ._sampling import local_generator
from ._scale import scaled

# A factor of at most as many whole numbers is predicted as a class.
_MOST_CLASSES = 20


def mig(Z, factors, *, n_bins=20):
    r"""Measure by how much one component knows more of a factor than any other.

    The mutual information gap (equation 6 of [1]_): with :math:`j_k` the component that
    knows most of factor :math:`v_k`,

    .. math:: \frac{1}{K} \sum_{k=1}^{K} \frac{1}{H(v_k)} \Big( I(z_{j_k}; v_k)
              - \max_{j \neq j_k} I(z_j; v_k) \Big) .

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        The embedding, of at least two components.
    factors : array-like of shape (n_samples, n_factors)
        The known factors. One with more than `n_bins` values is cut into bins.
    n_bins : int, default=20
        Number of bins of equal width of each component [2]_.

    Returns
    -------
    gap : float
        From 0, every factor is spread over several components, to 1, each is held by one
        alone. Rotation matters; PCA is often below 0.1, good models are above 0.3. The
        histograms need some hundred rows for each bin: with fewer, information is
        overestimated. A factor that is constant is left out.

    See Also
    --------
    dci : Three figures, from models that predict the factors.

    Notes
    -----
    Costs ``n_samples * n_components * n_factors`` operations.

    References
    ----------
    .. [1] Chen, R. T. Q., Li, X., Grosse, R. & Duvenaud, D. (2018). Isolating sources of
       disentanglement in variational autoencoders. NeurIPS.
    .. [2] Locatello, F. et al. (2019). Challenging common assumptions in the unsupervised
       learning of disentangled representations. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import mig
    >>> factors = np.random.default_rng(0).integers(4, size=(2000, 2))
    >>> turn = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    >>> mig(factors, factors) > 0.99, mig(factors @ turn, factors) < 0.05
    (True, True)
    """
    n_bins = read_integer(n_bins, "n_bins", 2)
    Z, factors = _read(Z, factors, least_factors=1)
    factors = scaled(factors, axis=0)
    codes = [_binned(column, n_bins) for column in Z.T]
    gaps = []
    for factor in factors.T:
        values = np.unique(factor, return_inverse=True)[1]
        values = _binned(factor, n_bins) if values.max() >= n_bins else values
        known = np.sort([mutual_info_score(values, code) for code in codes])
        gaps.append((known[-1] - known[-2]) / entropy(np.bincount(values)))
    return float(np.mean(gaps))


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness."""

    disentanglement: float
    completeness: float
    informativeness: float


def dci(Z, factors, *, test_size=0.25, random_state=None):
    r"""Measure disentanglement, completeness and informativeness.

    A random forest predicts each factor from ``Z``, and :math:`R_{ij}` is the importance of
    component :math:`i` for factor :math:`j` (section 2 of [1]_). Disentanglement is
    :math:`1 - H_K(P_{i \cdot})`, with the rows of :math:`R` as shares and the entropy to the
    base of the number of factors :math:`K`, averaged over components by their importance;
    completeness the same for columns, averaged over factors.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        The embedding, of at least two components.
    factors : array-like of shape (n_samples, n_factors)
        The known factors, at least two. One of at most 20 whole numbers is predicted as a
        class, any other as a number.
    test_size : float, default=0.25
        Share of the rows by which informativeness is judged, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the split and of the forests.

    Returns
    -------
    dci : namedtuple of float
        `disentanglement`, from 0, every component serves all factors alike, to 1, each serves
        one; `completeness`, from 0, every factor needs all components alike, to 1, each needs
        one; `informativeness`, the mean score of the forests on rows held out: accuracy or
        R², at most 1. Without information the first two mean nothing. A factor that is
        constant is left out.

    See Also
    --------
    mig : One figure, from histograms.

    Notes
    -----
    Costs one forest of 50 trees for each factor: a second for 10,000 rows and 10 components.

    References
    ----------
    .. [1] Eastwood, C. & Williams, C. K. I. (2018). A framework for the quantitative
       evaluation of disentangled representations. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skrepr.metrics import dci
    >>> factors = np.random.default_rng(0).uniform(size=(500, 2))
    >>> [round(value, 1) for value in dci(factors, factors, random_state=0)]
    [1.0, 1.0, 1.0]
    >>> mixed = factors @ [[1, 1], [1, -1]]
    >>> dci(mixed, factors, random_state=0).disentanglement < 0.1
    True
    """
    test_size = read_test_size(test_size)
    Z, factors = _read(Z, factors, least_factors=2)
    Z = StandardScaler().fit_transform(Z)  # trees see float32, and no difference below 1e-7
    generator = local_generator(random_state)
    train, test = train_test_split(
        np.arange(len(Z)), test_size=test_size, random_state=int(generator.randint(2**31 - 1))
    )
    importances, scores = [], []
    for factor in factors.T:
        classes = len(np.unique(factor)) <= _MOST_CLASSES and (factor == np.rint(factor)).all()
        if not classes:
            factor = StandardScaler().fit_transform(scaled(factor)[:, None])[:, 0]
        forest = (RandomForestClassifier if classes else RandomForestRegressor)(
            n_estimators=50,
            min_samples_leaf=2,
            max_features=1.0,  # else trees must split by components that know nothing
            random_state=int(generator.randint(2**31 - 1)),
        ).fit(Z[train], factor[train])
        importances.append(forest.feature_importances_)
        scores.append(forest.score(Z[test], factor[test]))
    R = np.array(importances).T  # (n_components, n_factors)
    by_component = 1 - entropy(R + 1e-12, axis=1, base=R.shape[1])
    by_factor = 1 - entropy(R + 1e-12, axis=0, base=R.shape[0])
    weights = R.sum(axis=1) + 1e-12  # nothing matters where no forest can split
    return DCI(
        float(np.average(by_component, weights=weights)),
        float(np.mean(by_factor)),
        float(np.mean(scores)),
    )


def _read(Z, factors, least_factors):
    Z = scaled(read_rows(Z, "Z"), axis=0)
    factors = read_table(factors, "factors", dtype=np.float64)
    check_consistent_length(Z, factors)
    if Z.shape[1] < 2:
        raise ValueError("Found array with 1 feature(s) while a minimum of 2 is required by Z.")
    varying = factors.min(axis=0) < factors.max(axis=0)
    if varying.sum() < least_factors:
        raise ValueError(
            f"At least {least_factors} of the factors must vary. Got {varying.sum()} of "
            f"{len(varying)}."
        )
    return Z, factors[:, varying]


def _binned(column, n_bins):
    """Find the bin of equal width in which each value lies."""
    edges = np.linspace(column.min(), column.max(), n_bins + 1)[1:-1]
    return np.searchsorted(edges, column, side="right")
