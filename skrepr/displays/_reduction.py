"""An embedding of any width in two dimensions."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from ._ranges import near_range

_FEWEST_ROWS = {"auto": 2, "pca": 2, "tsne": 2, "umap": 4}
REDUCTIONS = tuple(_FEWEST_ROWS)
_ROWS_FOR_A_RANGE = 10_000


def to_two_dimensions(Z, reduction, rng):
    """Bring an embedding to points in two dimensions, and name their axes.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_components)
    reduction : {"auto", "pca", "tsne", "umap"}
        "auto": two components as they are, PCA for more.
    rng : RandomState instance

    Returns
    -------
    points : ndarray of shape (n_samples, 2)
    axis_names : tuple of two str
    """
    n, width = Z.shape
    if width == 1:
        spread = 0.25 * (np.ptp(Z) or 1.0)
        return np.column_stack([Z, rng.uniform(-spread, spread, n)]), ("component 1", "")
    if reduction == "auto" and width == 2:
        return Z, ("component 1", "component 2")
    if n < _FEWEST_ROWS[reduction]:
        raise ValueError(
            f"reduction={reduction!r} of {width} components needs at least "
            f"{_FEWEST_ROWS[reduction]} rows. Got {n}."
        )
    # their squares may be beyond floating point; a power of two rounds nothing
    exponent = np.frexp(np.abs(Z).max())[1] - 1
    Z = np.ldexp(Z.astype(np.float64), -exponent)
    if reduction == "tsne":
        return _tsne(Z, rng), ("t-SNE 1", "t-SNE 2")
    if reduction == "umap":
        return _umap(Z, rng), ("UMAP 1", "UMAP 2")
    points, axis_names = _principal_axes(Z, rng)
    return np.ldexp(points, exponent), axis_names


def _principal_axes(Z, rng):
    # one row far out would have an axis to itself, and all the others one place on it
    low, high = near_range(Z[:: max(1, len(Z) // _ROWS_FOR_A_RANGE)])
    near = ((low <= Z) & (high >= Z)).all(axis=1)
    enough = 2 <= near.sum() < len(Z)
    pca = PCA(2, random_state=rng)
    with np.errstate(invalid="ignore"):  # a constant embedding has no variance to share
        points = pca.fit(Z[near] if enough else Z).transform(Z)
    shares = np.nan_to_num(pca.explained_variance_ratio_)
    return points, tuple(f"principal axis {i} ({s:.0%})" for i, s in enumerate(shares, 1))


def _tsne(Z, rng):
    is_constant = not np.ptp(Z, axis=0).any()
    return TSNE(
        2,
        init="random" if is_constant else "pca",  # scaled by its spread
        perplexity=min(30.0, (len(Z) - 1) / 3),  # has to be below the number of rows
        random_state=rng,
    ).fit_transform(Z)


def _umap(Z, rng):
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            "reduction='umap' needs UMAP. Install it by `pip install umap-learn`."
        ) from error
    # one job: with more, a seed would not give the same map twice
    umap = UMAP(n_neighbors=min(15, len(Z) - 1), n_components=2, n_jobs=1, random_state=rng)
    return umap.fit_transform(Z)
