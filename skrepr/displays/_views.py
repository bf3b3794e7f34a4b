"""Rows next to what augmentations make of them."""

import numpy as np

from ._arguments import AXES, SEED, an_int, as_array, check_arguments
from ._matplotlib import axes_or_new, import_pyplot, scheme
from ._panels import check_positions, divide, is_table, limits, mark_columns, names_of_columns
from ._samples import as_pictures, as_samples, count_rows, finite_range, take_rows

# Rows among which augmentations that swap values find them.
_MOST_ROWS = 256
_CONSTRAINTS = {
    "n_samples": an_int(1),
    "n_views": an_int(1),
    "random_state": SEED,
    "ax": AXES,
}


def plot_views(embedding, X, *, n_samples=5, n_views=4, random_state=None, x=None, ax=None):
    """Draw rows next to their views: what an embedding is trained not to see.

    Look at it before training. Where views of two rows look alike, the embedding will not tell
    these apart; what differs between the views of one row will be lost to it.

    Parameters
    ----------
    embedding : ContrastiveEmbedding
        Fitted or not, or any estimator with a method ``make_views(X, n_views, random_state=)``.
    X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape)
        The data, from which rows are taken, evenly spread.
    n_samples : int, default=5
        Number of rows drawn.
    n_views : int, default=4
        Number of views of each.
    random_state : int, RandomState instance or None, default=None
        Seed of the views.
    x : array-like of shape (length,) or None, default=None
        Positions of the values of a series, such as wavelengths. None: numbers from 0.
    ax : matplotlib Axes or None, default=None
        The frame to be divided into panels. None: a new figure.

    Returns
    -------
    axes : ndarray of Axes of shape (n_samples, 1 + n_views)
        The panels; rows as they are in the first column.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from skrepr import ContrastiveEmbedding
    >>> from skrepr.displays import plot_views
    >>> X, _ = load_digits(return_X_y=True)
    >>> axes = plot_views(ContrastiveEmbedding(input_shape=(1, 8, 8)), X, random_state=0)
    >>> axes.shape
    (5, 5)
    >>> plt.close(axes[0, 0].figure)
    """
    check_arguments(plot_views, _CONSTRAINTS, locals())
    plt = import_pyplot(plot_views)
    n = count_rows(X)
    few = take_rows(X, np.linspace(0, n - 1, min(n, _MOST_ROWS)).round().astype(int))
    views = embedding.make_views(few, n_views, random_state=random_state)
    shape = getattr(embedding, "input_shape", None)
    shown = np.linspace(0, len(views) - 1, min(n_samples, len(views))).round().astype(int)
    originals = np.asarray(as_array(few), dtype=np.float64).reshape(len(views), *views.shape[2:])
    columns = [originals[shown], *np.moveaxis(views[shown].astype(np.float64), 1, 0)]
    columns = [as_samples(column, shape) for column in columns]
    check_positions(columns[0], x)
    has_bars = is_table(columns[0], x)
    size = (1.3 if columns[0].ndim == 4 else 2.0) * len(columns), 1.35 * len(shown)
    with axes_or_new(plt, ax, figsize=size, layout="constrained") as to_draw_on:
        panels = divide(to_draw_on, (len(shown), len(columns)), 0.08, 0.08)
        draw = _draw_images if columns[0].ndim == 4 else _draw_bars if has_bars else _draw_curves
        draw(panels, columns, x)
        for column, panel in enumerate(panels[0]):
            panel.set_title(f"view {column}" if column else "row", fontsize="small")
        if has_bars:
            for panel in panels[-1]:
                mark_columns(panel, columns[0].shape[1], names_of_columns(X))
    return panels


def _draw_images(panels, columns, x):
    low, high = finite_range(as_pictures(columns[0], columns[0]))
    for line, values in zip(panels.T, columns):
        for panel, image in zip(line, as_pictures(values, columns[0])):
            panel.imshow(image, cmap="gray", vmin=low, vmax=high)
            panel.set(xticks=[], yticks=[])


def _draw_curves(panels, columns, x):
    colors, gray = scheme(panels[0, 0])
    for row, line in enumerate(panels):
        series = np.stack([column[row] for column in columns])
        series = series.reshape(len(columns), -1, series.shape[-1])  # (1 + n_views, C, length)
        places = np.arange(series.shape[-1]) if x is None else np.asarray(as_array(x))
        low, high, margin = limits(series)
        for panel, channels in zip(line, series):
            for i, channel in enumerate(channels):
                if panel is not line[0]:
                    panel.plot(places, series[0, i], color=gray, lw=0.8)
                panel.plot(places, channel, color=colors[i % len(colors)], lw=1)
            panel.set_ylim(low - margin, high + margin)
            _strip(panel, panel is line[0], row == len(panels) - 1)


def _draw_bars(panels, columns, x):
    colors = scheme(panels[0, 0]).colors
    low, high, margin = limits(np.stack(columns))
    for row, line in enumerate(panels):
        for number, panel in enumerate(line):
            heights = columns[number][row]
            same = heights == columns[0][row]
            shades = np.where(same, colors[0], colors[1])
            panel.bar(np.arange(len(heights)), heights, color=shades)
            panel.set_ylim(low - margin, high + margin)
            _strip(panel, number == 0, row == len(panels) - 1)


def _strip(panel, leftmost, lowest):
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelleft=leftmost, labelbottom=lowest, labelsize="small")
    panel.locator_params(axis="y", nbins=3)
