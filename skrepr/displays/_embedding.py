"""A map of an embedding."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from ._arguments import (
    AXES,
    NONE,
    SEED,
    SHAPE,
    SHARE,
    Constraint,
    a_string,
    an_int,
    as_array,
    as_estimators_see,
    check_arguments,
    local_generator,
    without_masked,
)
from ._coloring import SHAPES, color_range, read_colors, read_targets, shown_name
from ._density import draw_density
from ._marks import draw_marks
from ._matplotlib import (
    axes_or_new,
    import_pyplot,
    legend_beside,
    scheme,
    shorten,
    written_literally,
)
from ._ranges import near_range, trimmed_range
from ._reduction import REDUCTIONS, to_two_dimensions
from ._samples import as_pictures, as_samples, count_rows, seen_shape, take_rows
from ._thumbnails import draw_thumbnail, representatives

_SIZE = (6.4, 5.0)  # of a new figure, in inches
_LONGEST_NAME = 30  # letters of a label in the legend
_CONSTRAINTS = {
    "reduction": a_string(*REDUCTIONS),
    "max_samples": an_int(1) | NONE,
    "color_by": a_string("auto", "label", "value"),
    "sample_shape": SHAPE,
    "axis_names": Constraint(
        lambda names: (
            isinstance(names, tuple | list)
            and len(names) == 2
            and all(isinstance(name, str) for name in names)
        ),
        "a tuple of two str",
    ),
    "n_thumbnails": an_int(0),
    "marker": a_string("dot", "label"),
    "coverage": SHARE | a_string("auto"),
    "density_from": an_int(0),
    "random_state": SEED,
    "ax": AXES,
}


class EmbeddingDisplay:
    """Map of an embedding in two dimensions.

    Up to a size every row is a mark; beyond, the map shows how many rows fall in each of its
    cells, in the color of the label most frequent there, or else their mean value.
    Both axes have one scale, so that distances can be read. Colors are safe for
    color-blind readers; from the eleventh label on they come again with another shape.
    What is beyond 30 labels (in a density: beyond 10), the least frequent, is gray.

    It is recommended to use :meth:`from_estimator` or :meth:`from_embedding`. What is given
    here is stored as it is.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        The map.
    y : array-like of shape (n_samples,) or None, default=None
        Label or value of each point. Missing ones are gray.
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
        The marks, by label; for values and without `y` by None; those without a label or a
        value by "not known", and those of many rare labels by their number, such as "3 other
        labels" (in parentheses, where there is a label of this text). Empty for a density.
    image_ : matplotlib AxesImage or None
        The density.
    counts_ : ndarray of shape (n_cells, n_cells) or None
        Number of points in each cell of the density, rows from below.
    legend_, colorbar_ : matplotlib Legend and Colorbar, or None
        What explains the colors.
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
            ``(n_channels, length)`` or ``(length,)``. A gray image is ``(1, height, width)``.
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
        check_arguments(cls, _CONSTRAINTS, locals())
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"{type(estimator).__name__} has no transform. Draw what its fit_transform "
                f"returned by {cls.__name__}.from_embedding."
            )
        X = as_estimators_see(X)
        samples = as_array(X) if n_thumbnails else None
        if sample_shape is None and n_thumbnails:
            sample_shape = seen_shape(estimator, samples)
        _check_rows(cls, X, y, color_by, samples, sample_shape, n_thumbnails)
        return cls.from_embedding(
            estimator.transform(X),
            y,
            reduction=reduction,
            max_samples=max_samples,
            color_by=color_by,
            samples=samples,
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
            keep neighborhoods; distances between groups and their sizes then mean little.
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
        check_arguments(cls, _CONSTRAINTS, locals())
        Z, y, samples = _read_rows(Z, "Z"), as_array(y), as_array(samples)
        _check_rows(cls, Z, y, color_by, samples, sample_shape, n_thumbnails)
        rng = local_generator(random_state)
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
            centers of clusters, large ones first, less those that would overlap. The frame
            has the color of the point.
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
        display = type(self)
        check_arguments(display, _CONSTRAINTS, vars(self) | locals())
        points = _read_rows(self.points, "points")
        if points.shape[1] != 2:
            raise ValueError(
                f"points must be an array of shape (n_samples, 2). Got shape {points.shape}: "
                f"draw wider embeddings by {display.__name__}.from_embedding."
            )
        samples = as_array(self.samples)
        plt = _check_rows(
            display, points, self.y, self.color_by, samples, self.sample_shape, n_thumbnails
        )
        with axes_or_new(plt, ax, figsize=_SIZE, layout="compressed") as to_draw_on:
            self._draw(to_draw_on, points, samples, n_thumbnails, marker, coverage, density_from)
            if ax is None and self.legend_ is not None:
                # a wide legend takes nothing from the map
                width = self.legend_.get_window_extent().width / self.figure_.dpi
                self.figure_.set_size_inches(max(_SIZE[0], _SIZE[1] + 0.4 + width), _SIZE[1])
        return self

    def _draw(self, ax, points, samples, n_thumbnails, marker, coverage, density_from):
        colors = scheme(ax)
        n = len(points)
        low, span = _square(points, coverage)
        thumbnail = 0.0
        if n_thumbnails:
            thumbnail = span / max(8.0, 2.2 * np.sqrt(n_thumbnails) - 1)
            low, span = low - thumbnail / 2, span + thumbnail  # room for those at the edge
        is_density = n >= density_from
        most_labels = len(colors.colors) * (1 if is_density else len(SHAPES))
        coloring = read_colors(self.y, self.color_by, n, most_labels, colors)
        shown, pictures, is_image = np.empty(0, dtype=int), [], False
        if n_thumbnails:
            # whole thumbnails only
            places = (points - low - span / 2) / span
            candidates = np.flatnonzero((np.abs(places) <= (1 - thumbnail / span) / 2).all(axis=1))
            chosen = representatives(places[candidates], n_thumbnails, 1.1 * thumbnail / span)
            shown = candidates[chosen]
            pictures = as_samples(take_rows(samples, shown), self.sample_shape)
            is_image = pictures.ndim == 4
            pictures = as_pictures(pictures) if is_image else pictures

        # what can be wrong has been told: nothing is drawn on the user's axes before
        self.ax_, self.figure_ = ax, ax.figure
        self.scatters_, self.image_, self.counts_ = {}, None, None
        self.legend_ = self.colorbar_ = None
        if is_density:
            self.counts_, self.image_ = draw_density(ax, points, low, span, coloring, colors)
        else:
            self.scatters_ = draw_marks(ax, points, coloring, marker == "label", colors)
        frames = coloring.of_points(colors) if n_thumbnails else ()
        self.thumbnail_rows_ = shown
        self.thumbnails_ = [
            draw_thumbnail(ax, picture, is_image, points[row], thumbnail, frames[row])
            for row, picture in zip(shown, pictures)
        ]
        ax.set(xlim=low[0] + [0, span], ylim=low[1] + [0, span])
        ax.set_aspect("equal", adjustable="box")
        inside = ((points >= low) & (points <= low + span)).all(axis=1)
        self.n_outside_ = n - int(inside.sum())
        x_name, y_name = self.axis_names
        if self.n_outside_:
            x_name += f"\n{self.n_outside_:,} of {n:,} points are outside"
        if coloring.values is not None and np.isnan(coloring.values).any():
            x_name += f"\ngray: value of {np.isnan(coloring.values).sum():,} points not known"
        ax.set(xlabel=x_name, ylabel=y_name)
        if not y_name:
            ax.set_yticks([])
        self._explain_colors(coloring, marker, is_density)

    def _explain_colors(self, coloring, marker, is_density):
        name = getattr(self.y, "name", None)
        if coloring.values is not None:
            artist = self.image_ if is_density else self.scatters_[None]
            shown = artist.get_array().compressed()
            extend = color_range(shown)[2] if len(shown) else "neither"
            self.colorbar_ = self.figure_.colorbar(artist, ax=self.ax_, extend=extend)
            what = "value" if name is None else str(name)
            self.colorbar_.set_label(f"mean {what}" if is_density else what)
            written_literally(self.colorbar_.ax.yaxis.label)
        elif is_density and not coloring.has_names:
            self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_)
            self.colorbar_.set_label("points in a cell")
        elif coloring.has_names and (marker == "dot" or is_density):
            from matplotlib.lines import Line2D

            names = [shorten(shown_name(group.name), _LONGEST_NAME) for group in coloring.groups]
            handles = [
                Line2D([], [], color=group.color, marker=group.shape, ls="", ms=6)
                for group in coloring.groups
            ]
            self.legend_ = legend_beside(
                self.ax_,
                handles=handles,
                labels=names,
                title=None if name is None else str(name),
                ncols=1 + len(handles) // 17,
                handletextpad=0.1,
                columnspacing=1,
            )


def _read_rows(Z, name):
    with np.errstate(invalid="ignore"):  # infinities of both signs are told in words
        return check_array(
            without_masked(as_array(Z)), dtype=[np.float64, np.float32], input_name=name
        )


def _check_rows(display, rows, y, color_by, samples, sample_shape, n_thumbnails):
    """Refuse what cannot be drawn, before anything is computed; return pyplot."""
    check_consistent_length(rows, y, samples)
    if not count_rows(rows):
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if y is not None:
        read_targets(y, color_by)
    if n_thumbnails and samples is None:
        raise ValueError("Thumbnails need samples: what each row is to be shown as.")
    if n_thumbnails:
        as_samples(take_rows(samples, [0]), sample_shape)
    return import_pyplot(display)


def _square(points, coverage):
    """Find the square that holds a share of the points: its lower corner and its side."""
    if coverage == "auto":
        low, high = near_range(points)
        low, high = np.maximum(low, points.min(axis=0)), np.minimum(high, points.max(axis=0))
    else:
        # the tolerance: shares such as 0.94 have no exact half of what is left over
        n_trimmed = int(len(points) * (1 - coverage) / 2 + 1e-9)
        low, high = trimmed_range(points, min(n_trimmed, (len(points) - 1) // 2))
    span = 1.1 * ((high - low).max() or 1.0)
    return (low + high) / 2 - span / 2, span
