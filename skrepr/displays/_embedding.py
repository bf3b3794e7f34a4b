"""A map of an embedding."""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array, check_consistent_length, check_random_state

from ._matplotlib import COLORS, GREY, import_pyplot
from ._samples import as_pictures, as_samples, take_rows

_SHAPES = ("o", "^", "s")
_CELLS = (60, 200)  # of the density, along each axis: few points take wider ones
_MOST_WHOLE_NUMBERS = 30  # different ones; with more they are values, not labels


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
    samples : ndarray of shape (n_samples, *sample_shape) or None, default=None
        What the thumbnails show: images ``(n_channels, height, width)``, or series
        ``(n_channels, length)`` or ``(length,)``.
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
        The marks, by label; for values and without `y` by None. Empty for a density.
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
        axis_names=("component 1", "component 2"),
        rows=None,
    ):
        self.points = points
        self.y = y
        self.color_by = color_by
        self.samples = samples
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
            ``(n_channels, length)`` or ``(length,)``. None: the estimator's `input_shape_`,
            otherwise that of a row of X.
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
        return cls.from_embedding(
            estimator.transform(X),
            y,
            reduction=reduction,
            max_samples=max_samples,
            color_by=color_by,
            samples=as_samples(X, sample_shape, estimator) if n_thumbnails else None,
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
            "auto": two components as they are, PCA for more. t-SNE and
            UMAP keep neighbourhoods; distances between groups and their sizes then mean
            little.
        max_samples : int or None, default=10000
            How many rows t-SNE and UMAP are given, drawn at random; the others are not
            shown. None: all.
        color_by : {"auto", "label", "value"}, default="auto"
            What `y` is. "auto": labels, but for fractions and for more than 30 different
            numbers.
        samples : array-like of shape (n_samples, *sample_shape) or None, default=None
            What the thumbnails show: images ``(n_channels, height, width)``, or series
            ``(n_channels, length)`` or ``(length,)``.
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
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z", ensure_min_samples=2)
        check_consistent_length(Z, y, samples)
        rng = check_random_state(random_state)
        rows = None
        if reduction in ("tsne", "umap") and max_samples is not None and len(Z) > max_samples:
            rows = np.sort(rng.choice(len(Z), max_samples, replace=False))
            Z = Z[rows]
            y, samples = (None if a is None else take_rows(a, rows) for a in (y, samples))
        points, axis_names = _to_two_dimensions(Z, reduction, rng)
        return cls(
            points,
            y=y,
            color_by=color_by,
            samples=samples,
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
            centres of as many clusters, less those that would overlap. The frame has the
            colour of the label.
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
        if n_thumbnails and self.samples is None:
            raise ValueError("Thumbnails need samples: what each row is to be shown as.")
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 5), layout="compressed")
        self.ax_, self.figure_ = ax, ax.figure
        self.scatters_, self.image_, self.counts_ = {}, None, None
        self.legend_ = self.colorbar_ = None
        self.thumbnails_, self.thumbnail_rows_ = [], np.empty(0, dtype=int)

        low, span = _square(self.points, coverage)
        inside = ((self.points >= low) & (self.points <= low + span)).all(axis=1)
        self.n_outside_ = int((~inside).sum())
        is_density = len(self.points) >= density_from
        values, groups = self._coloring(len(COLORS) * (1 if is_density else len(_SHAPES)))
        if is_density:
            self._draw_density(low, span, inside, values, groups)
        else:
            self._draw_points(values, groups, marker)
        if n_thumbnails:
            self._draw_thumbnails(low, span, inside, n_thumbnails, groups)

        ax.set(xlim=low[0] + [0, span], ylim=low[1] + [0, span])
        ax.set_aspect("equal", adjustable="box")
        x_name, y_name = self.axis_names
        if self.n_outside_:
            x_name += f"\n{self.n_outside_:,} of {len(self.points):,} points are outside"
        ax.set(xlabel=x_name, ylabel=y_name)
        if not y_name:
            ax.set_yticks([])
        self._explain_colors(groups, marker, is_density)
        return self

    def _coloring(self, most_labels):
        """Read `y`: values, or groups as {name: (rows of each label, colour, shape)}."""
        n = len(self.points)
        if self.y is None:
            return None, {None: ([np.arange(n)], COLORS[0], _SHAPES[0])}
        if self.color_by not in ("auto", "label", "value"):
            raise ValueError(
                f"color_by must be 'auto', 'label' or 'value'. Got {self.color_by!r} instead."
            )
        y = np.asarray(self.y)
        codes, labels = pd.factorize(y, sort=True)
        is_number = y.dtype.kind in "iuf"
        many = len(labels) > _MOST_WHOLE_NUMBERS
        fractions = y.dtype.kind == "f" and (labels != np.round(labels)).any()
        if self.color_by == "value" or (
            self.color_by == "auto" and is_number and (many or fractions)
        ):
            return y.astype(float), {}
        kept = np.arange(len(labels))
        if len(labels) > most_labels:
            frequent = np.argsort(-np.bincount(codes[codes >= 0]), kind="stable")
            kept = np.sort(frequent[:most_labels])
        # one sort, not one comparison of all rows for each label
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(-1, len(labels) + 1))
        rows_of = dict(zip(range(-1, len(labels)), np.split(order, starts[1:-1])))
        groups = {}
        for i, code in enumerate(kept):
            name = f"{labels[code]:g}" if is_number else str(labels[code])
            shape = _SHAPES[i // len(COLORS)]
            groups[name] = ([rows_of.pop(code)], COLORS[i % len(COLORS)], shape)
        unknown = rows_of.pop(-1)
        if rows_of:
            groups[f"{len(rows_of)} other labels"] = (list(rows_of.values()), GREY, _SHAPES[0])
        if len(unknown):
            groups["not known"] = ([unknown], GREY, _SHAPES[0])
        return None, groups

    def _draw_points(self, values, groups, marker):
        n = len(self.points)
        size = float(np.clip(30_000 / n, 3, 36))
        alpha = 0.8 if n < 2000 else 0.5
        if values is not None:
            known = np.isfinite(values)
            if not known.all():
                self.ax_.scatter(*self.points[~known].T, s=size, color=GREY, linewidths=0)
            # the middle 98 % of the values have colours of their own: a few far out take none
            limits = np.quantile(values[known], [0.01, 0.99])
            self.scatters_[None] = self.ax_.scatter(
                *self.points[known].T,
                c=values[known],
                cmap="viridis",
                vmin=limits[0],
                vmax=limits[1],
                s=size,
                linewidths=0,
            )
            return
        for name, (parts, color, shape) in groups.items():
            rows = np.concatenate(parts)
            as_text = marker == "label" and color != GREY
            self.scatters_[name] = self.ax_.scatter(
                *self.points[rows].T,
                s=28 * max(1, len(name) / 1.5) ** 2 if as_text else size,
                marker=f"${name}$" if as_text else shape,
                color=color,
                alpha=None if as_text else alpha,
                linewidths=0.2 if as_text else 0,
                label=name,
                # small groups above large ones, grey below all
                zorder=1 + (color != GREY) * (1 - len(rows) / (n + 1)),
            )

    def _draw_density(self, low, span, inside, values, groups):
        n_cells = int(np.clip(np.sqrt(len(self.points)) / 2, *_CELLS))
        cells = ((self.points - low) / span * n_cells).astype(int).clip(0, n_cells - 1)
        cells = cells[:, 1] * n_cells + cells[:, 0]

        def total(rows, weights=None):
            """Sum over the points of each cell."""
            rows = rows[inside[rows]]
            weights = None if weights is None else weights[rows]
            sums = np.bincount(cells[rows], weights, minlength=n_cells**2)
            return sums.reshape(n_cells, n_cells)

        self.counts_ = counts = total(np.arange(len(cells)))
        where = {"extent": (low[0], low[0] + span, low[1], low[1] + span), "origin": "lower"}
        if values is not None:
            known = np.flatnonzero(np.isfinite(values))
            n_known = total(known)
            means = np.ma.masked_where(n_known == 0, total(known, values))
            means = means / np.maximum(n_known, 1)
            limits = np.quantile(means.compressed(), [0.01, 0.99])
            self.image_ = self.ax_.imshow(
                means, cmap="viridis", vmin=limits[0], vmax=limits[1], **where
            )
        elif list(groups) == [None]:
            shown = np.ma.masked_equal(counts, 0)
            self.image_ = self.ax_.imshow(shown, cmap="viridis", norm="log", **where)
        else:
            from matplotlib.colors import to_rgb

            picture = np.ones((n_cells, n_cells, 4))
            most = np.zeros_like(counts)
            for parts, color, _ in groups.values():
                for rows in parts:
                    of_label = total(rows)
                    picture[of_label > most, :3] = to_rgb(color)
                    most = np.maximum(most, of_label)
            # full cells strong, single points still visible
            picture[..., 3] = np.where(
                counts > 0, 0.35 + 0.65 * np.log1p(counts) / np.log1p(counts.max()), 0
            )
            self.image_ = self.ax_.imshow(picture, **where)

    def _draw_thumbnails(self, low, span, inside, n_thumbnails, groups):
        from matplotlib.patches import Rectangle

        size = span / max(9.0, 2.2 * np.sqrt(n_thumbnails))
        middle = (np.abs(self.points - low - span / 2) <= (span - size) / 2).all(axis=1)
        candidates = np.flatnonzero(inside & middle)
        if not len(candidates):
            return
        chosen = _representatives(self.points[candidates], n_thumbnails, 1.1 * size)
        self.thumbnail_rows_ = candidates[chosen]
        samples = as_samples(take_rows(self.samples, self.thumbnail_rows_))
        colors = np.full(len(self.points), "#000000", dtype="U7")
        for parts, color, _ in groups.values():
            colors[np.concatenate(parts)] = color
        pictures = as_pictures(samples) if samples.ndim == 4 else samples
        for row, picture in zip(self.thumbnail_rows_, pictures):
            corner = self.points[row] - size / 2
            frame = Rectangle(
                corner,
                size,
                size,
                facecolor="white",
                edgecolor=colors[row],
                lw=1.5,
                zorder=3,
            )
            self.ax_.add_patch(frame)
            draw = self._draw_image if samples.ndim == 4 else self._draw_curve
            self.thumbnails_.append(draw(picture, corner, size))

    def _draw_image(self, picture, corner, size):
        height, width = picture.shape[:2]
        half = 0.44 * size * np.array([width, height]) / max(height, width)  # inside its frame
        left, bottom = corner + size / 2 - half
        right, top = corner + size / 2 + half
        return self.ax_.imshow(picture, cmap="gray", extent=(left, right, bottom, top), zorder=4)

    def _draw_curve(self, curve, corner, size):
        channels = np.atleast_2d(curve).astype(float)
        low, high = np.nanmin(channels), np.nanmax(channels)
        x = corner[0] + size * np.linspace(0.06, 0.94, channels.shape[-1])
        heights = (channels - low) / (high - low or 1.0)
        return [
            self.ax_.plot(x, corner[1] + size * (0.1 + 0.8 * y), color="black", lw=0.7, zorder=4)[
                0
            ]
            for y in heights
        ]

    def _explain_colors(self, groups, marker, is_density):
        name = getattr(self.y, "name", None)
        if not groups:
            artist = self.image_ if is_density else self.scatters_[None]
            self.colorbar_ = self.figure_.colorbar(artist, ax=self.ax_, extend="both")
            self.colorbar_.set_label(name or ("mean value" if is_density else "value"))
        elif list(groups) == [None]:
            if is_density:
                self.colorbar_ = self.figure_.colorbar(self.image_, ax=self.ax_)
                self.colorbar_.set_label("points in a cell")
        elif marker == "dot" or is_density:
            from matplotlib.lines import Line2D

            handles = [
                Line2D([], [], color=color, marker=shape, ls="", ms=6, label=label)
                for label, (_, color, shape) in groups.items()
            ]
            self.legend_ = self.ax_.legend(
                handles=handles,
                title=name,
                loc="upper left",
                bbox_to_anchor=(1.02, 1),
                borderaxespad=0,
                ncols=1 + len(groups) // 17,
                frameon=False,
                handletextpad=0.1,
            )


def _to_two_dimensions(Z, reduction, rng):
    """Bring an embedding of any width to points in two dimensions, and name their axes."""
    if reduction not in ("auto", "pca", "tsne", "umap"):
        raise ValueError(
            f"reduction must be 'auto', 'pca', 'tsne' or 'umap'. Got {reduction!r} instead."
        )
    n, width = Z.shape
    if width == 1:
        spread = 0.25 * (np.ptp(Z) or 1.0)
        return np.column_stack([Z, rng.uniform(-spread, spread, n)]), ("component 1", "")
    if reduction == "auto" and width == 2:
        return Z, ("component 1", "component 2")
    if reduction in ("auto", "pca"):
        pca = PCA(2, random_state=rng)
        with np.errstate(invalid="ignore"):  # a constant embedding has no variance to share
            points = pca.fit_transform(Z)
        shares = np.nan_to_num(pca.explained_variance_ratio_)
        return points, tuple(f"principal axis {i} ({s:.0%})" for i, s in enumerate(shares, 1))
    if reduction == "tsne":
        # perplexity has to be below the number of rows
        tsne = TSNE(2, init="pca", perplexity=min(30.0, (n - 1) / 3), random_state=rng)
        return tsne.fit_transform(Z), ("t-SNE 1", "t-SNE 2")
    try:
        from umap import UMAP
    except ImportError as error:
        raise ImportError(
            "reduction='umap' needs UMAP. Install it by `pip install umap-learn`."
        ) from error
    points = UMAP(n_components=2, n_neighbors=min(15, n - 1), random_state=rng).fit_transform(Z)
    return points, ("UMAP 1", "UMAP 2")


def _square(points, coverage):
    """Find the square that holds a share of the points: its lower corner and its side."""
    outside = 0.01 if coverage == "auto" else (1 - coverage) / 2
    low, high = np.quantile(points, [outside, 1 - outside], axis=0)
    if coverage == "auto":
        margin = (high - low) / 2
        low, high = (
            np.maximum(points.min(0), low - margin),
            np.minimum(points.max(0), high + margin),
        )
    span = 1.1 * ((high - low).max() or 1.0)
    return (low + high) / 2 - span / 2, span


def _representatives(points, n, distance):
    """Choose points near cluster centres, large clusters first, that keep a distance."""
    few = points[:: max(1, len(points) // 5000)]
    kmeans = KMeans(min(n, len(np.unique(few, axis=0))), n_init=1, random_state=0).fit(few)
    _, nearest = cKDTree(points).query(kmeans.cluster_centers_)
    chosen = []
    for i in nearest[np.argsort(-np.bincount(kmeans.labels_), kind="stable")]:
        if all(np.abs(points[i] - points[j]).max() >= distance for j in chosen):
            chosen.append(i)
    return np.array(chosen)
