"""Samples above their reconstructions and what these leave out."""

import numpy as np
from sklearn.utils import check_consistent_length

from ._arguments import (
    AXES,
    SEED,
    SHAPE,
    an_int,
    as_array,
    as_estimators_see,
    check_arguments,
    local_generator,
)
from ._matplotlib import axes_or_new, import_pyplot, scheme
from ._panels import (
    check_positions,
    columns_units,
    divide,
    is_table,
    limits,
    mark_columns,
    mark_positions,
    names_of_columns,
    read_units,
    short_names,
)
from ._samples import (
    as_pictures,
    as_samples,
    count_rows,
    finite_range,
    mean_of_channels,
    seen_shape,
    take_rows,
)
from ._way_back import check_way_back, rebuild

_ROWS_TO_CHOOSE_FROM = 1000
_TITLES = ("X", "reconstruction", "residual")
_CONSTRAINTS = {
    "n_samples": an_int(1),
    "sample_shape": SHAPE,
    "random_state": SEED,
    "ax": AXES,
}


class ReconstructionDisplay:
    """Samples above their reconstructions and residuals.

    Each column of the picture is one sample, headed by the root mean square of its residual,
    X minus the reconstruction. Images are drawn as images, on one scale, and their residuals
    on another, in blue below and red above zero; series and spectra as curves, over the
    curve of X in gray, each sample on a scale of its own with residuals on the same span;
    tables as bars, in standard deviations (sd) from the mean of each column, whose units
    may differ. Missing values stay blank.

    It is recommended to use :meth:`from_estimator`. What is given here is stored as it is.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, *sample_shape)
        A table ``(n_features,)``, series ``(n_channels, length)`` or images
        ``(n_channels, height, width)``.
    reconstructions : ndarray of shape (n_samples, *sample_shape)
        What was rebuilt.
    rows : ndarray of shape (n_samples,) or None, default=None
        Their numbers in X.
    scale : ndarray of shape sample_shape or None, default=None
        Standard deviations, above 0, such as of each column of a table, and `center` the
        means: what is drawn is measured in them. None: the units of X.
    center : ndarray of shape sample_shape or None, default=None
        See `scale`.
    feature_names : sequence of str or None, default=None
        Names of the columns of a table.
    x : array-like of shape (length,) or None, default=None
        Positions at which series and spectra were measured, such as wavelengths. A table
        with positions is drawn as curves. None: numbers from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The frame of the panels.
    figure_ : matplotlib Figure
        The figure of it.
    axes_ : ndarray of Axes of shape (3, n_samples)
        The panels: X, reconstruction, residual.
    artists_ : ndarray of object of shape (3, n_samples)
        What was drawn in each: an image, a list of lines, or bars.
    errors_ : ndarray of shape (n_samples,)
        Root mean square of the residual of each sample, in the units drawn.
    colorbar_ : matplotlib Colorbar or None
        The scale of the residuals of images.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.displays import ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = PCA(8).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(
    ...     pca, X, n_samples=5, sample_shape=(1, 8, 8)
    ... )
    >>> display.axes_.shape
    (3, 5)
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        samples,
        reconstructions,
        *,
        rows=None,
        scale=None,
        center=None,
        feature_names=None,
        x=None,
    ):
        self.samples = samples
        self.reconstructions = reconstructions
        self.rows = rows
        self.scale = scale
        self.center = center
        self.feature_names = feature_names
        self.x = x

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_samples=6,
        rows=None,
        sample_shape=None,
        x=None,
        random_state=0,
        ax=None,
    ):
        """Rebuild some rows of X and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted embedding with `transform` and `inverse_transform`, or a Pipeline of
            such steps.
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data, best of rows not seen in `fit`. A list of series where they differ in
            length. The bars of a table of fewer than 10 rows are in the units of X.
        n_samples : int, default=6
            How many to show: of at most 1,000 rows drawn at random, from the best rebuilt on
            the left to the worst on the right, in equal steps of rank.
        rows : array-like of int or bool, or None, default=None
            Numbers of the rows to show, in this order, or a mask of all rows, in place of
            that choice.
        sample_shape : tuple of int or None, default=None
            Shape in which one row is looked at: ``(n_channels, height, width)``,
            ``(n_channels, length)`` or ``(n_features,)``. A gray image is
            ``(1, height, width)``. None: the estimator's `input_shape_`, otherwise that of
            a row of X.
        x : array-like of shape (length,) or None, default=None
            Positions at which series and spectra were measured. A table with positions is
            drawn as curves.
        random_state : int, RandomState instance or None, default=0
            Seed of the draw of rows; the units of a table's bars come from these too.
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_arguments(cls, _CONSTRAINTS, locals())
        import_pyplot(cls)
        check_way_back(estimator)
        given, X = as_estimators_see(X), as_array(X)
        check_consistent_length(X)  # what has no rows at all
        n = count_rows(X)
        size = min(n, _ROWS_TO_CHOOSE_FROM)
        drawn = np.sort(local_generator(random_state).choice(n, size, replace=False))
        if sample_shape is None:
            sample_shape = seen_shape(estimator, X)
        chosen = drawn if rows is None else _read_rows(rows, n)
        samples = as_samples(take_rows(X, drawn), sample_shape)
        center = scale = None
        if is_table(samples, x):
            center, scale = columns_units(samples)
        if rows is not None:
            samples = as_samples(take_rows(X, chosen), sample_shape)
        check_positions(samples, x)
        rebuilt = as_samples(rebuild(estimator, take_rows(given, chosen)), samples.shape[1:])
        check_consistent_length(samples, rebuilt)
        shown = np.arange(len(chosen))
        if rows is None:
            unit = 1.0 if scale is None else scale
            errors = _root_mean_squares(_residuals(samples / unit, rebuilt / unit))
            ranks = np.linspace(0, len(chosen) - 1, min(n_samples, len(chosen)))
            shown = np.argsort(errors, kind="stable")[ranks.round().astype(int)]
        return cls(
            samples[shown],
            rebuilt[shown],
            rows=chosen[shown],
            scale=scale,
            center=center,
            feature_names=names_of_columns(X) if samples.ndim == 2 else None,
            x=x,
        ).plot(ax)

    def plot(self, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            The frame to be divided into panels. None: a new figure.

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_arguments(type(self), _CONSTRAINTS, {"ax": ax})
        plt = import_pyplot(type(self))
        samples, rebuilt = (
            as_samples(values).astype(np.float64)
            for values in (self.samples, self.reconstructions)
        )
        if samples.shape != rebuilt.shape:
            raise ValueError(
                "samples and reconstructions must have one shape. Got "
                f"{samples.shape} and {rebuilt.shape}."
            )
        n = len(samples)
        check_positions(samples, self.x)
        center, scale = read_units(self, samples.shape[1:])
        is_image, has_bars = samples.ndim == 4, is_table(samples, self.x)
        size = (1.35 * n + 1.6, 4.4) if is_image else (2.0 * n + 1.0, 5.2)
        if has_bars and self.feature_names is not None:
            size = size[0], size[1] + 0.07 * max(map(len, short_names(self.feature_names)))
        with axes_or_new(plt, ax, figsize=size, layout="constrained") as to_draw_on:
            self._lay_out(to_draw_on, n, 0.08 if is_image or has_bars else 0.36)
            samples, rebuilt = (samples - center) / scale, (rebuilt - center) / scale
            residuals = _residuals(samples, rebuilt)
            self.errors_ = _root_mean_squares(residuals)
            if is_image:
                self._draw_images(samples, rebuilt, residuals)
            elif has_bars:
                self._draw_bars(samples, rebuilt, residuals)
            else:
                self._draw_curves(samples, rebuilt, residuals)
            self._write(is_image, " (sd)" if self.scale is not None else "")
        return self

    def _lay_out(self, ax, n, beside):
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        self.axes_ = divide(ax, (3, n), beside, 0.08)
        self.artists_ = np.empty((3, n), dtype=object)

    def _write(self, is_image, unit):
        for panel in () if is_image else self.axes_.flat:
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelbottom=panel in self.axes_[2], labelsize="small")
            # a power of ten apart from the numbers would lie on the panel above
            panel.yaxis.set_major_formatter("{x:.4g}")
        for panel, title in zip(self.axes_[:, 0], _TITLES):
            panel.set_ylabel(title + unit, fontsize="small")
        for panel, error in zip(self.axes_[0], self.errors_):
            panel.set_title(f"error\n{error:.2g}", fontsize="small")

    def _draw_images(self, samples, rebuilt, residuals):
        # on the scale of X: a rebuilt value beyond it takes no shades from the others
        pictures = as_pictures(samples, samples), as_pictures(rebuilt, samples)
        low, high = finite_range(pictures[0])
        residuals = mean_of_channels(residuals)
        most = np.abs(finite_range(residuals)).max() or 1.0
        for row, images in enumerate((*pictures, residuals)):
            scale = {"cmap": "gray", "vmin": low, "vmax": high}
            if row == 2:
                scale = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
            for column, image in enumerate(images):
                panel = self.axes_[row, column]
                self.artists_[row, column] = panel.imshow(image, **scale)
                panel.set(xticks=[], yticks=[])
        place = self.axes_[2, -1].inset_axes([1.08, 0, 0.08, 1])
        self.colorbar_ = self.figure_.colorbar(self.artists_[2, -1], cax=place)

    def _draw_curves(self, samples, rebuilt, residuals):
        samples, rebuilt, residuals = (
            values.reshape(len(values), -1, values.shape[-1])
            for values in (samples, rebuilt, residuals)
        )  # (n, n_channels, length)
        x = np.arange(samples.shape[-1]) if self.x is None else np.asarray(as_array(self.x))
        colors, gray = scheme(self.ax_)
        marker = "." if len(x) == 1 else None
        for row, values in enumerate((samples, rebuilt, residuals)):
            for column, channels in enumerate(values):
                panel = self.axes_[row, column]
                if row == 1:
                    panel.plot(x, samples[column].T, color=gray, lw=1.5)
                if row == 2:
                    panel.axhline(0, color=gray, lw=0.8)
                self.artists_[row, column] = [
                    panel.plot(x, channel, color=colors[i % len(colors)], lw=1, marker=marker)[0]
                    for i, channel in enumerate(channels)
                ]
        for column, panels in enumerate(self.axes_.T):
            low, high, margin = limits(np.stack([samples[column], rebuilt[column]]))
            for panel in panels[:2]:
                panel.set_ylim(low - margin, high + margin)
            # the same span, so that what is left can be judged against what was there
            most = np.abs(finite_range(residuals[column])).max()
            half = max(most, (high - low) / 2) + margin
            panels[2].set_ylim(-half, half)
            for panel in panels:
                panel.locator_params(axis="y", nbins=3)
                mark_positions(panel, x)

    def _draw_bars(self, samples, rebuilt, residuals):
        k = samples.shape[1]
        colors = scheme(self.ax_).colors
        for row, values in enumerate((samples, rebuilt, residuals)):
            for column, heights in enumerate(values):
                panel = self.axes_[row, column]
                color = colors[1 if row == 2 else 0]
                heights = np.where(np.isfinite(heights), heights, np.nan)
                self.artists_[row, column] = panel.bar(np.arange(k), heights, color=color)
                panel.axhline(0, color=colors[-1], lw=0.6)
        shown = np.concatenate([samples, rebuilt])
        for panels, values in ((self.axes_[:2].flat, shown), (self.axes_[2], residuals)):
            low, high, margin = limits(values)
            for panel in panels:
                panel.set_ylim(low - margin, high + margin)
        for panel in self.axes_[:, 1:].flat:
            panel.tick_params(labelleft=False)
        for panel in self.axes_[2]:
            mark_columns(panel, k, self.feature_names)


def _read_rows(rows, n):
    """Turn numbers of rows, or a mask of all, into numbers from 0."""
    rows = np.asarray(as_array(rows))
    is_mask = rows.dtype.kind == "b" and rows.shape == (n,)
    if not is_mask and (rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu")):
        raise ValueError(
            f"rows must be numbers of rows, or a mask of all {n} rows. Got an array of dtype "
            f"{rows.dtype} and shape {rows.shape}."
        )
    if not is_mask and rows.size and not (-n <= rows.min() and rows.max() < n):
        raise ValueError(f"rows must be below {n}, the number of rows of X. Got {rows}.")
    return np.arange(n)[rows if rows.size else []]


def _residuals(samples, rebuilt):
    with np.errstate(invalid="ignore"):  # of two infinite values the difference is not known
        return samples - rebuilt


def _root_mean_squares(residuals):
    residuals = residuals.reshape(len(residuals), -1)
    n_seen = np.maximum(1, (~np.isnan(residuals)).sum(axis=1))
    largest = np.nan_to_num(np.nanmax(np.abs(residuals), axis=1, initial=0.0))
    largest = np.where(largest > 0, largest, 1.0)[:, None]
    # whose squares may be beyond floating point
    return largest[:, 0] * np.sqrt(np.nansum((residuals / largest) ** 2, axis=1) / n_seen)
