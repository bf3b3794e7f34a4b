"""What is decoded along each component of an embedding, all others held still."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from ._arguments import (
    AXES,
    NONE,
    SHAPE,
    SHARE,
    an_int,
    as_array,
    as_estimators_see,
    check_arguments,
    without_masked,
)
from ._coloring import VALUE_COLORS
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
from ._samples import as_pictures, as_samples, count_rows, finite_range, seen_shape
from ._way_back import check_inverse, decode

_MOST_COMPONENTS = 8  # where none are named
_CONSTRAINTS = {
    "row": an_int(0) | NONE,
    "n_steps": an_int(2),
    "coverage": SHARE,
    "sample_shape": SHAPE,
    "ax": AXES,
}


class LatentTraversalDisplay:
    """Walks along the components of an embedding, decoded.

    Each component is moved from a low to a high value, while the others stay where one row, or
    the mean of all, has them. What is decoded on the way shows what the component stands for.
    Images are drawn side by side, a line of them for each component, on one scale; series and
    spectra as curves over each other, from dark (low) to light (high); tables as marks in each
    column, in standard deviations (sd) from its mean, whose units may differ.

    It is recommended to use :meth:`from_estimator`. What is given here is stored as it is.

    Parameters
    ----------
    decoded : ndarray of shape (n_components, n_steps, *sample_shape)
        What is decoded: of tables ``(n_features,)``, series ``(n_channels, length)`` or images
        ``(n_channels, height, width)``.
    values : ndarray of shape (n_components, n_steps)
        Of each component on its walk.
    components : ndarray of shape (n_components,) or None, default=None
        Their numbers in the embedding. None: from 0.
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
    axes_ : ndarray of Axes of shape (n_components, n_steps) for images, else (n_components, 1)
        The panels.
    artists_ : ndarray of object of shape (n_components, n_steps)
        What was drawn of each step: an image, or a list of lines, one for each channel.
    colorbar_ : matplotlib Colorbar or None
        Which color is low and which high; images have none.

    See Also
    --------
    ReconstructionDisplay : Rows of X and what is rebuilt of them.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skrepr.displays import LatentTraversalDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = PCA(4).fit(X)
    >>> display = LatentTraversalDisplay.from_estimator(pca, X, sample_shape=(1, 8, 8))
    >>> display.axes_.shape
    (4, 7)
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        decoded,
        values,
        *,
        components=None,
        scale=None,
        center=None,
        feature_names=None,
        x=None,
    ):
        self.decoded = decoded
        self.values = values
        self.components = components
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
        row=None,
        components=None,
        n_steps=7,
        coverage=0.96,
        sample_shape=None,
        x=None,
        ax=None,
    ):
        """Embed X, walk along components, decode and draw.

        Parameters
        ----------
        estimator : estimator
            A fitted embedding with `transform` and `inverse_transform`, or a Pipeline of
            such steps.
        X : array-like of shape (n_samples, n_features) or (n_samples, *input_shape_)
            Data, which say how far components reach. A list of series where they differ in
            length. The marks of a table of fewer than 10 rows are in the units of X.
        row : int or None, default=None
            Number of the row around which to walk. None: the mean of the embedding.
        components : array-like of int or None, default=None
            Numbers of the components, in this order. None: the first 8, at most.
        n_steps : int, default=7
            Steps of a walk, of equal length.
        coverage : float, default=0.96
            Share of the rows between both ends of a walk: from the 2 % quantile to that of 98 %.
        sample_shape : tuple of int or None, default=None
            Shape in which one row is looked at: ``(n_channels, height, width)``,
            ``(n_channels, length)`` or ``(n_features,)``. A gray image is
            ``(1, height, width)``. None: the estimator's `input_shape_`, otherwise that of
            what is decoded.
        x : array-like of shape (length,) or None, default=None
            Positions at which series and spectra were measured. A table with positions is
            drawn as curves.
        ax : matplotlib Axes or None, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : LatentTraversalDisplay
        """
        check_arguments(cls, _CONSTRAINTS, locals())
        import_pyplot(cls)
        check_inverse(estimator, f"{cls.__name__}(decoded, values).plot()")
        given, X = as_estimators_see(X), as_array(X)
        check_consistent_length(X)  # what has no rows at all
        n = count_rows(X)
        if row is not None and row >= n:
            raise ValueError(f"row must be below {n}, the number of rows of X. Got {row}.")
        if sample_shape is None:
            sample_shape = seen_shape(estimator, X)
        embedded = estimator.transform(given)
        Z = check_array(as_array(embedded), input_name="Z", estimator=estimator)
        components = _read_components(components, Z.shape[1])
        ends = (1 - coverage) / 2, (1 + coverage) / 2
        low, high = np.quantile(Z[:, components], ends, axis=0)
        values = np.linspace(low, high, n_steps, axis=1)  # (n_components, n_steps)
        codes = np.tile(Z.mean(axis=0) if row is None else Z[row], (*values.shape, 1))
        for walk, component, along in zip(codes, components, values):
            walk[:, component] = along
        codes = codes.reshape(-1, Z.shape[1])
        if hasattr(embedded, "new_tensor"):
            codes = embedded.new_tensor(codes)
        decoded = as_samples(decode(estimator, codes), sample_shape)
        check_positions(decoded, x)
        center = scale = names = None
        if is_table(decoded, x):
            center, scale = columns_units(as_samples(X, sample_shape))
            names = names_of_columns(X)
        return cls(
            decoded.reshape(*values.shape, *decoded.shape[1:]),
            values,
            components=components,
            scale=scale,
            center=center,
            feature_names=names,
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
        display : LatentTraversalDisplay
        """
        check_arguments(type(self), _CONSTRAINTS, {"ax": ax})
        plt = import_pyplot(type(self))
        samples, values, components = self._read()
        shape = values.shape
        check_positions(samples, self.x)
        center, scale = read_units(self, samples.shape[1:])
        samples = (samples.astype(np.float64) - center) / scale
        is_image, has_marks = samples.ndim == 4, is_table(samples, self.x)
        size = (0.9 * shape[1] + 1.2, 0.9 * shape[0] + 0.3) if is_image else (7, shape[0] + 1)
        if has_marks and self.feature_names is not None:
            size = size[0], size[1] + 0.07 * max(map(len, short_names(self.feature_names)))
        with axes_or_new(plt, ax, figsize=size, layout="constrained") as to_draw_on:
            self.ax_, self.figure_, self.colorbar_ = to_draw_on, to_draw_on.figure, None
            panels = shape if is_image else (shape[0], 1)
            self.axes_ = divide(to_draw_on, panels, 0.05, 0.05 if is_image else 0.15)
            self.artists_ = np.empty(shape, dtype=object)
            if is_image:
                self._draw_images(samples)
            else:
                self._draw_lines(samples.reshape(*shape, *samples.shape[1:]), has_marks)
            for panel, component, along in zip(self.axes_[:, 0], components, values):
                panel.set_ylabel(
                    f"component {component}\n{along[0]:.2g} to {along[-1]:.2g}",
                    fontsize="small",
                    rotation=0,
                    ha="right",
                    va="center",
                )
        return self

    def _read(self):
        """Check what is given: the decoded samples one by one, values, and numbers."""
        decoded = np.asarray(without_masked(as_array(self.decoded)))
        values = np.asarray(as_array(self.values))
        if decoded.ndim < 3 or values.shape != decoded.shape[:2]:
            raise ValueError(
                "decoded must be of shape (n_components, n_steps, *sample_shape), and values of "
                f"shape (n_components, n_steps). Got shapes {decoded.shape} and {values.shape}."
            )
        components = range(len(decoded)) if self.components is None else self.components
        check_consistent_length(decoded, components)
        return as_samples(decoded.reshape(-1, *decoded.shape[2:])), values, components

    def _draw_images(self, samples):
        low, high = finite_range(samples)
        pictures = as_pictures(samples)
        for panel, place, picture in zip(self.axes_.flat, np.ndindex(self.axes_.shape), pictures):
            self.artists_[place] = panel.imshow(picture, cmap="gray", vmin=low, vmax=high)
            panel.set(xticks=[], yticks=[])

    def _draw_lines(self, walks, has_marks):
        from matplotlib.cm import ScalarMappable

        if walks.ndim == 3 and not has_marks:
            walks = walks[:, :, None]  # one channel
        along = np.arange(walks.shape[-1])
        x = along if self.x is None else np.asarray(as_array(self.x))
        scale = ScalarMappable(cmap=VALUE_COLORS)
        scale.set_clim(0, 1)
        shades = scale.to_rgba(np.linspace(0, 1, walks.shape[1]))
        style = {"ls": "none", "marker": "o", "ms": 5} if has_marks else {"lw": 1.2}
        if len(x) == 1:
            style["marker"] = "o"
        low, high, margin = limits(walks)
        for panel, walk, artists in zip(self.axes_[:, 0], walks, self.artists_):
            if has_marks:
                panel.axhline(0, color=scheme(panel).gray, lw=0.8, zorder=0)
                ends = np.fmin.reduce(walk), np.fmax.reduce(walk)  # of those there are
                panel.vlines(x, *ends, color=scheme(panel).gray, lw=1.5, zorder=1)
            for step, (sample, color) in enumerate(zip(walk, shades)):
                artists[step] = panel.plot(x, np.atleast_2d(sample).T, color=color, **style)
            panel.set_ylim(low - margin, high + margin)
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelbottom=panel is self.axes_[-1, 0], labelsize="small")
            panel.yaxis.set_major_formatter("{x:.4g}")
            panel.locator_params(axis="y", nbins=3)
            if has_marks:
                mark_columns(panel, len(x), self.feature_names)
            else:
                mark_positions(panel, x)
        place = self.axes_[0, 0].inset_axes([1.02, 0, 0.015, 1])
        self.colorbar_ = self.figure_.colorbar(scale, cax=place, ticks=[0, 1])
        place.set_yticklabels(["low", "high"], fontsize="small")
        if self.scale is not None:
            self.ax_.set_title("what is decoded, in standard deviations (sd)", fontsize="small")


def _read_components(components, n):
    """Turn numbers of components into an array of those there are."""
    if components is None:
        return np.arange(min(n, _MOST_COMPONENTS))
    components = np.asarray(as_array(components))
    if components.ndim != 1 or not components.size or components.dtype.kind not in "iu":
        raise ValueError(
            "components must be numbers of components, at least one. Got an array of dtype "
            f"{components.dtype} and shape {components.shape}."
        )
    if components.min() < 0 or components.max() >= n:
        raise ValueError(
            f"components must be from 0 to {n - 1}, of the {n} components of the embedding. "
            f"Got {components}."
        )
    return components
