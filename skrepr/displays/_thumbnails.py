"""Small pictures of rows on a map."""

import numpy as np
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans

from ._matplotlib import scheme
from ._samples import finite_range

_ROWS_TO_CLUSTER = 5000
_CENTERS_PER_THUMBNAIL = 3  # those that would overlap are left out


def representatives(points, n, distance):
    """Choose points near cluster centers, large clusters first, that keep a distance.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
    n : int
        How many, at most.
    distance : float
        Along one axis at least.

    Returns
    -------
    chosen : ndarray of int
        Their numbers.
    """
    few = points[:: max(1, len(points) // _ROWS_TO_CLUSTER)]
    n_clusters = min(_CENTERS_PER_THUMBNAIL * n, len(np.unique(few, axis=0)))
    kmeans = KMeans(n_clusters, n_init=1, random_state=0).fit(few)
    _, nearest = cKDTree(points).query(kmeans.cluster_centers_)
    chosen = []
    for i in nearest[np.argsort(-np.bincount(kmeans.labels_), kind="stable")]:
        if all(np.abs(points[i] - points[j]).max() >= distance for j in chosen):
            chosen.append(i)
    return np.array(chosen[:n])


def draw_thumbnail(ax, picture, is_image, center, size, color):
    """Draw one row in a frame.

    Parameters
    ----------
    ax : matplotlib Axes
    picture : ndarray
        What ``imshow`` takes, or a series of shape (n_channels, length) or (length,).
    is_image : bool
    center : ndarray of shape (2,)
    size : float
        Side of the frame, in the units of the axes.
    color : color
        Of the frame.

    Returns
    -------
    drawn : matplotlib AxesImage or list of Line2D
    """
    from matplotlib.patches import Rectangle

    frame = Rectangle(
        center - size / 2, size, size, fc=ax.get_facecolor(), ec=color, lw=1.5, zorder=3
    )
    ax.add_patch(frame)
    if is_image:
        return _draw_image(ax, picture, center, size)
    return _draw_curves(ax, np.atleast_2d(picture).astype(float), center - size / 2, size)


def _draw_image(ax, picture, center, size):
    height, width = picture.shape[:2]
    half = 0.44 * size * np.array([width, height]) / max(height, width)  # inside its frame
    (left, bottom), (right, top) = center - half, center + half
    return ax.imshow(picture, cmap="gray", extent=(left, right, bottom, top), zorder=4)


def _draw_curves(ax, channels, corner, size):
    length = channels.shape[-1]
    low, high = finite_range(channels)
    across = np.linspace(0.06, 0.94, length) if length > 1 else [0.5]
    up = 0.1 + 0.8 * (channels - low) / (high - low) if high > low else 0.0 * channels + 0.5
    return ax.plot(
        corner[0] + size * np.asarray(across),
        corner[1] + size * up.T,
        color=scheme(ax).colors[-1],
        marker="." if length == 1 else None,
        lw=0.7,
        alpha=1.0 if len(channels) == 1 else 0.6,  # several cross each other
        zorder=4,
    )
