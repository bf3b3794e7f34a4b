"""Points of a map as marks or as letters."""

import numpy as np

from ._coloring import UNKNOWN, VALUE_COLORS, color_range, shown_name


def draw_marks(ax, points, coloring, as_letters, colors):
    """Draw a mark for each point.

    Parameters
    ----------
    ax : matplotlib Axes
    points : ndarray of shape (n_points, 2)
    coloring : Coloring
    as_letters : bool
        Whether points are written as their labels.
    colors : Scheme

    Returns
    -------
    scatters : dict of matplotlib PathCollection
        By label; without labels by None, and by "not known" where the value is not.
    """
    scatters = {}
    n = len(points)
    size = float(np.clip(30_000 / n, 3, 36))
    alpha = 0.8 if n < 2000 else 0.5
    if coloring.values is not None:
        known = np.isfinite(coloring.values)
        if not known.all():
            scatters[UNKNOWN] = ax.scatter(
                *points[~known].T, s=size, color=colors.gray, linewidths=0
            )
        low, high, _ = color_range(coloring.values)
        scatters[None] = ax.scatter(
            *points[known].T,
            c=coloring.values[known],
            cmap=VALUE_COLORS,
            vmin=low,
            vmax=high,
            s=size,
            linewidths=0,
        )
        return scatters
    for group in coloring.groups:
        rows = np.concatenate(group.rows)
        as_text = as_letters and group.is_label
        shape, text_size = _letters(shown_name(group.name)) if as_text else (group.shape, None)
        scatters[group.name] = ax.scatter(
            *points[rows].T,
            s=text_size if as_text else size,
            marker=shape,
            color=group.color,
            alpha=None if as_text else alpha,
            linewidths=0,
            label=group.name,
            # small groups above large ones, gray below all
            zorder=1 + (group.color != colors.gray) * (1 - len(rows) / (n + 1)),
        )
    return scatters


def _letters(name, points=9.0):
    """Make a mark of a label, and the size at which its letters have that many points."""
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    text = TextPath((0, 0), name.replace("$", r"\$"), size=points)
    box = text.get_extents()
    centered = text.transformed(Affine2D().translate(*(-(box.min + box.max) / 2)))
    # a mark is scaled until its longer side is the root of its size
    return centered, max(box.width, box.height) ** 2
