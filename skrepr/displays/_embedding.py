"""A map of an embedding."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length, check_random_state

from ._coloring import SHAPES, color_range, read_colors
from ._density import draw_density
from ._marks import draw_marks
from ._matplotlib import import_pyplot, legend_beside, scheme, shorten
from ._ranges import near_range, trimmed_range
from ._reduction import to_two_dimensions
from ._samples import as_pictures, as_samples, seen_shape, take_rows
from ._thumbnails import draw_thumbnail, representatives

_SIZE = (6.4, 5.0)  # of a new figure, in inches
_LONGEST_NAME = 30  # letters of a label in the legend


class EmbeddingDisplay:
    """Map of an embedding in two dimensions.

    Up to a size every row is a mark; beyond, the map shows how many rows fall in each of its
    cells, in the colour of the label most frequent there, or else their mean value.
    Both axes have one scale, so that distances can be read. Colours are safe for
    colour-blind readers; from the eleventh label on they come again with another shape.
    What is beyond 30 labels (in a density: beyond 10), the least frequent, is grey.

    It is recommended to use :meth:`from_estimator` or :meth:`from_embedding`. What is given
    here is stored as it is.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        The map.
    y : array-like of shape (n_samples,) or None, default=None
        Label or value of each point. Missing ones are grey.
    color_by : {"auto", "label", "value"}, default="auto"
        What `y` is. "auto": labels, but for fractions and for more than 30 different
        numbers.
    samples : array-like of shape (n_samples, ...) or None, default=None
        What the thumbnails show: images ``(n_channels, height, width)``, or series
        ``(n_channels, length)`` or ``(length,)``; a list of series of different lengths.
    sample_shape : tuple of int or None, default=None
        Shape in which a thumbnail shows one of them. None: as they are.
    axis_names : tuple of two str, default=("component 1", "component 2")
        Labels of the axes.
    rows : ndarray of shape (n_samples,) or None, default=None
        Numbers of the rows of the embedding that are shown. None: all.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of it.
    scatters_ : dict of matplotlib PathCollection
        The marks, by label; for values and without `y` by None, and those of values that
        are not known by "not known". Empty for a density.
    image_ : matplotlib AxesImage or None
        The density.
    counts_ : ndarray of shape (n_cells, n_cells) or None
        Number of points in each cell of the density, rows from below.
    legend_, colorbar_ : matplotlib Legend and Colorbar, or None
        What explains the colours.
    thumbnail_rows_ : ndarray of int
        Numbers of the points that have a thumbnail.
    thumbnails_ : list of matplotlib artists
        An image, or a list of lines, for each of them.
    n_outside_ : int
        Number of points outside the axes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.displays import EmbeddingDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> pca = PCA(8).fit(X)
    >>> display = EmbeddingDisplay.from_estimator(
    ...     pca, X, y, n_thumbnails=20, sample_shape=(1, 8, 8)
    ... )
    >>> display.ax_.get_xlabel()
    'principal axis 1 (22%)'
    >>> len(display.scatters_)
    10
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        points,
        *,
        y=None,
        color_by="auto",
        samples=None,
        sample_shape=None,
        axis_names=("component 1", "component 2"),
        rows=None,
    ):
        self.points = points
        self.y = y
        self.color_by = color_by
        self.samples = samples
        self.sample_shape = sample_shape
        self.axis_names = axis_names
        self.rows = rows

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        reduction="auto",
        max_samples=10_000,
        color_by="auto",
        sample_shape=None,
        n_thumbnails=0,
        marker="dot",
        coverage="auto",
        density_from=20_000,
        random_state=0,
        ax=None,
    ):
        """Embed X and draw the map.

        Parameters
        ----------
        estimator : estimator
            A fitted embedding with `transform`, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data, best of rows not seen in `fit`.
        y : array-like of shape (n_samples,) or None, default=None
            Label or value of each row.
        reduction : {"auto", "pca", "tsne", "umap"}, default="auto"
            See :meth:`from_embedding`.
        max_samples : int or None, default=10000
            See :meth:`from_embedding`.
        color_by : {"auto", "label", "value"}, default="auto"
            What `y` is. "auto": labels, but for fractions and for more than 30 different
            numbers.
        sample_shape : tuple of int or None, default=None
            Shape in which a thumbnail shows one row: ``(n_channels, height, width)``,
            ``(n_channels, length)`` or ``(length,)``. A grey image is ``(1, height, width)``.
            None: the estimator's `input_shape_`, otherwise that of a row of X.
        n_thumbnails, marker, coverage, density_from
            See :meth:`plot`.
        random_state : int, RandomState instance or None, default=0
            Seed of the reduction and of the choice of rows.
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : EmbeddingDisplay
        """
        if sample_shape is None and n_thumbnails:
            sample_shape = seen_shape(estimator, X)
        return cls.from_embedding(
            estimator.transform(X),
            y,
            reduction=reduction,
            max_samples=max_samples,
            color_by=color_by,
            samples=X if n_thumbnails else None,
            sample_shape=sample_shape,
            n_thumbnails=n_thumbnails,
            marker=marker,
            coverage=coverage,
            density_from=density_from,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_embedding(
        cls,
        Z,
        y=None,
        *,
        reduction="auto",
        max_samples=10_000,
        color_by="auto",
        samples=None,
        sample_shape=None,
        n_thumbnails=0,
        marker="dot",
        coverage="auto",
        density_from=20_000,
        random_state=0,
        ax=None,
    ):
        """Draw the map of an embedding of any width.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            The embedding. A single component is drawn against chance, for room.
        y : array-like of shape (n_samples,) or None, default=None
            Label or value of each row.
        reduction : {"auto", "pca", "tsne", "umap"}, default="auto"
            How more than two components become two: by PCA, whose axes tell their share of
            the variance of the embedding, by t-SNE or by UMAP, of the package umap-learn.
            "auto": two components as they are, PCA for more. Rows far out in some component
            do not turn the axes of PCA, as the sole row of that kind would. t-SNE and UMAP
            keep neighbourhoods; distances between groups and their sizes then mean little.
        max_samples : int or None, default=10000
            How many rows t-SNE and UMAP are given, drawn at random; the others are not
            shown. None: all.
        color_by : {"auto", "label", "value"}, default="auto"
            What `y` is. "auto": labels, but for fractions and for more than 30 different
            numbers.
        samples : array-like of shape (n_samples, ...) or None, default=None
            What the thumbnails show: images ``(n_channels, height, width)``, or series
            ``(n_channels, length)`` or ``(length,)``; a list of series of different lengths.
        sample_shape : tuple of int or None, default=None
            Shape in which a thumbnail shows one of them. None: as they are.
        n_thumbnails, marker, coverage, density_from
            See :meth:`plot`.
        random_state : int, RandomState instance or None, default=0
            Seed of the reduction and of the choice of rows.
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : EmbeddingDisplay
        """
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z")
        check_consistent_length(Z, y, samples)
        rng = check_random_state(random_state)
        rows = None
        if reduction in ("tsne", "umap") and max_samples is not None and len(Z) > max_samples:
            rows = np.sort(rng.choice(len(Z), max_samples, replace=False))
            Z = Z[rows]
            y, samples = (None if a is None else take_rows(a, rows) for a in (y, samples))
        points, axis_names = to_two_dimensions(Z, reduction, rng)
        return cls(
            points,
            y=y,
            color_by=color_by,
            samples=samples,
            sample_shape=sample_shape,
            axis_names=axis_names,
            rows=rows,
        ).plot(
            ax,
            n_thumbnails=n_thumbnails,
            marker=marker,
            coverage=coverage,
            density_from=density_from,
        )

    def plot(self, ax=None, *, n_thumbnails=0, marker="dot", coverage="auto", density_from=20_000):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.
        n_thumbnails : int, default=0
            How many rows are shown as images or curves on the map, at most: rows near the
            centres of clusters, large ones first, less those that would overlap. The frame
            has the colour of the point.
        marker : {"dot", "label"}, default="dot"
            "label": each point is written as its label, of up to three characters or so.
        coverage : float or "auto", default="auto"
            Share of the points, along each axis, that the axes make room for. Below 1 a few
            rows far out leave more room for the others; the picture says how many are
            outside. "auto": all points, but for those further out than half as much again
            as the middle 98 % take.
        density_from : int, default=20000
            Number of points from which on the map shows their density.

        Returns
        -------
        display : EmbeddingDisplay
        """
        plt = import_pyplot(self)
        if marker not in ("dot", "label"):
            raise ValueError(f"marker must be 'dot' or 'label'. Got {marker!r} instead.")
        if n_thumbnails < 0:
            raise ValueError(f"n_thumbnails must be 0 or more. Got {n_thumbnails!r} instead.")
        if n_thumbnails and self.samples is None:
            raise ValueError("Thumbnails need samples: what each row is to be shown as.")
        is_own = ax is None
        if is_own:
            _, ax = plt.subplots(figsize=_SIZE, layout="compressed")
        self.ax_, self.figure_ = ax, ax.figure
        self.scatters_, self.image_, self.counts_ = {}, None, None
        self.legend_ = self.colorbar_ = None
        self.thumbnails_, self.thumbnail_rows_ = [], np.empty(0, dtype=int)
        colors = scheme(ax)
        n = len(self.points)

        low, span = _square(self.points, coverage)
        thumbnail = 0.0
        if n_thumbnails:
            thumbnail = span / max(8.0, 2.2 * np.sqrt(n_thumbnails) - 1)
            low, span = low - thumbnail / 2, span + thumbnail  # room for those at the edge
        inside = ((self.points >= low) & (self.points <= low + span)).all(axis=1)
        self.n_outside_ = n - int(inside.sum())
        is_density = n >= density_from
        most_labels = len(colors.colors) * (1 if is_density else len(SHAPES))
        coloring = read_colors(self.y, self.color_by, n, most_labels, colors)
        if is_density:
            self.counts_, self.image_ = draw_density(ax, self.points, low, span, coloring, colors)
        else:
            self.scatters_ = draw_marks(ax, self.points, coloring, marker == "label", colors)
        if n_thumbnails:
            self._draw_thumbnails(low, span, n_thumbnails, thumbnail, coloring.of_points(colors))

        ax.set(xlim=low[0] + [0, span], ylim=low[1] + [0, span])
        ax.set_aspect("equal", adjustable="box")
        x_name, y_name = self.axis_names
        if self.n_outside_:
            x_name += f"\n{self.n_outside_:,} of {n:,} points are outside"
        if coloring.values is not None and np.isnan(coloring.values).any():
            x_name += f"\ngrey: value of {np.isnan(coloring.values).sum():,} points not known"
        ax.set(xlabel=x_name, ylabel=y_name)
        if not y_name:
            ax.set_yticks([])
        self._explain_colors(coloring, marker, is_density)
        if is_own and self.legend_ is not None:
            # a wide legend takes nothing from the map
            width = self.legend_.get_window_extent().width / self.figure_.dpi
            self.figure_.set_size_inches(max(_SIZE[0], _SIZE[1] + 0.4 + width), _SIZE[1])
        return self

    def _draw_thumbnails(self, low, span, n_thumbnails, size, colors):
        # whole thumbnails only
        candidates = np.flatnonzero(
            (np.abs(self.points - low - span / 2) <= (span - size) / 2).all(axis=1)
        )
        chosen = representatives(self.points[candidates], n_thumbnails, 1.1 * size)
        self.thumbnail_rows_ = candidates[chosen]
        samples = as_samples(take_rows(self.samples, self.thumbnail_rows_), self.sample_shape)
        is_image = samples.ndim == 4
        for row, picture in zip(
            self.thumbnail_rows_, as_pictures(samples) if is_image else samples
        ):
            self.thumbnails_.append(
                draw_thumbnail(self.ax_, picture, is_image, self.points[row], size, colors[row])
            )

    def _explain_colors(self, coloring, marker, is_density):
        name = getattr(self.y, "name", None)
        if coloring.values is not None:
            artist = self.image_ if is_density else self.scatters_[None]
            shown = artist.get_array().compressed()
            extend = color_range(shown)[2] if len(shown) else "neither"
            self.colorbar_ = self.figure_.colorbar(artist, ax=self.ax_, extend=extend)
            what = "value" if name is None else str(name)
            self.colorbar_.set_label(f"mean {what}" if is_density else what)
        elif is_density and not coloring.has_names:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_)
            self.colorbar_.set_label("points in a cell")
        elif coloring.has_names and (marker == "dot" or is_density):
            from matplotlib.lines import Line2D

            handles = [
                Line2D([], [], color=group.color, marker=group.shape, ls="", ms=6)
                for group in coloring.groups
            ]
            self.legend_ = legend_beside(
                self.ax_,
                handles=handles,
                labels=[shorten(group.name, _LONGEST_NAME) for group in coloring.groups],
                title=name,
                ncols=1 + len(handles) // 17,
                handletextpad=0.1,
                columnspacing=1,
            )


def _square(points, coverage):
    """Find the square that holds a share of the points: its lower corner and its side."""
    if coverage == "auto":
        low, high = near_range(points)
        low, high = np.maximum(low, points.min(axis=0)), np.minimum(high, points.max(axis=0))
    else:
        # the tolerance: shares such as 0.94 have no exact half of what is left over
        low, high = trimmed_range(points, int(len(points) * (1 - coverage) / 2 + 1e-9))
    span = 1.1 * ((high - low).max() or 1.0)
    return (low + high) / 2 - span / 2, span
