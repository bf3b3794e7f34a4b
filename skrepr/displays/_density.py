"""Many points of a map as the density of them."""

import numpy as np

from ._coloring import VALUE_COLORS, color_range

_CELLS = (60, 200)  # along each axis: few points take wider ones


def draw_density(ax, points, low, span, coloring, colors):
    """Count the points in each cell of a square, and show what there is most of.

    A cell has the color of the label most frequent in it, or its mean value; gray, where no
    value is known. Costs a sort of the points, whatever the number of labels.

    Parameters
    ----------
    ax : matplotlib Axes
    points : ndarray of shape (n_points, 2)
    low : ndarray of shape (2,)
        Lower corner of the square.
    span : float
        Its side.
    coloring : Coloring
    colors : Scheme

    Returns
    -------
    counts : ndarray of shape (n_cells, n_cells)
        Points in each cell, rows from below.
    image : matplotlib AxesImage
    """
    from matplotlib.colors import to_rgba

    inside = ((points >= low) & (points <= low + span)).all(axis=1)
    n_cells = int(np.clip(np.sqrt(len(points)) / 2, *_CELLS))
    cells = ((points - low) / span * n_cells).astype(int).clip(0, n_cells - 1)
    cells = cells[:, 1] * n_cells + cells[:, 0]

    def total(rows, weights=None):
        """Sum over the points of each cell."""
        rows = rows[inside[rows]]
        weights = None if weights is None else weights[rows]
        sums = np.bincount(cells[rows], weights, minlength=n_cells**2)
        return sums.reshape(n_cells, n_cells)

    counts = total(np.arange(len(cells)))
    where = {"extent": (low[0], low[0] + span, low[1], low[1] + span), "origin": "lower"}
    if coloring.values is not None:
        known = np.flatnonzero(np.isfinite(coloring.values))
        n_known = total(known)
        if (counts > n_known).any():
            unknown = np.zeros((n_cells, n_cells, 4))
            unknown[(counts > 0) & (n_known == 0)] = to_rgba(colors.gray)
            ax.imshow(unknown, **where)
        means = np.full((n_cells, n_cells), np.nan)
        np.divide(total(known, coloring.values), n_known, out=means, where=n_known > 0)
        low, high, _ = color_range(means if n_known.any() else coloring.values)
        image = ax.imshow(
            np.ma.masked_invalid(means), cmap=VALUE_COLORS, vmin=low, vmax=high, **where
        )
    elif not coloring.has_names:
        shown = np.ma.masked_equal(counts, 0)
        image = ax.imshow(shown, cmap=VALUE_COLORS, norm="log", **where)
    else:
        picture = np.ones((n_cells, n_cells, 4))
        picture[..., :3] = _most_frequent(coloring.groups, cells, inside, n_cells)
        # full cells strong, single points still visible
        picture[..., 3] = np.where(
            counts > 0, 0.35 + 0.65 * np.log1p(counts) / np.log1p(counts.max()), 0
        )
        image = ax.imshow(picture, **where)
    return counts, image


def _most_frequent(groups, cells, inside, n_cells):
    """Find the color of the label with most points in each cell; of several, the first."""
    from matplotlib.colors import to_rgb

    colors = np.array([to_rgb(group.color) for group in groups for _ in group.rows])
    labels = np.empty(len(cells), dtype=np.int64)
    for label, rows in enumerate(rows for group in groups for rows in group.rows):
        labels[rows] = label
    pairs = cells[inside] * len(colors) + labels[inside]
    pairs, n_points = np.unique(pairs, return_counts=True)
    cell, label = np.divmod(pairs, len(colors))
    order = np.lexsort((-label, n_points))
    picture = np.ones((n_cells**2, 3))
    picture[cell[order]] = colors[label[order]]  # the last one of a cell stays
    return picture.reshape(n_cells, n_cells, 3)
