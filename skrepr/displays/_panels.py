"""Panels in one frame: how they are laid out, and what samples in them are measured in."""

import numpy as np
from sklearn.utils import check_array

from ._arguments import as_array
from ._matplotlib import shorten, written_literally
from ._samples import finite_range

_MOST_COLUMNS = 30  # wider tables are drawn as curves over the number of the column
_LONGEST_NAME = 24  # letters of the name of a column
_FEWEST_ROWS_FOR_A_UNIT = 10  # that standard deviations are taken from


def divide(ax, shape, beside, below):
    """Divide axes into panels.

    Parameters
    ----------
    ax : matplotlib Axes
        Becomes an empty frame.
    shape : tuple of int
        Number of rows and of columns of panels.
    beside, below : float
        Space between two panels, as a share of the width and the height of one.

    Returns
    -------
    panels : ndarray of Axes of that shape
    """
    ax.axis("off")
    n_rows, n_columns = shape
    width = 1 / (n_columns + beside * (n_columns - 1))
    height = 1 / (n_rows + below * (n_rows - 1))
    panels = np.empty(shape, dtype=object)
    for row, column in np.ndindex(shape):
        corner = column * width * (1 + beside), (n_rows - 1 - row) * height * (1 + below)
        panels[row, column] = ax.inset_axes([*corner, width, height])
    return panels


def is_table(samples, x):
    """Whether samples are drawn column by column: a table, not too wide, without positions."""
    return samples.ndim == 2 and samples.shape[1] <= _MOST_COLUMNS and x is None


def check_positions(samples, x):
    """Refuse positions that are not one for each value of a series."""
    if x is None:
        return
    if samples.ndim == 4:
        raise ValueError("x is for series and spectra. Got images: leave it at None.")
    x = np.asarray(as_array(x))
    if x.shape != samples.shape[-1:]:
        raise ValueError(
            f"x must be of shape {samples.shape[-1:]}, a position for each value of a series. "
            f"Got shape {x.shape}."
        )
    if x.dtype.kind not in "iufM" or not np.isfinite(x).all():
        raise ValueError(f"x must be finite numbers or dates. Got {x}.")


def columns_units(samples):
    """Compute the mean and the standard deviation of the values there are in each column.

    Returns
    -------
    center, scale : ndarray, or None where there are fewer than 10 samples
    """
    if len(samples) < _FEWEST_ROWS_FOR_A_UNIT:
        return None, None
    samples = np.where(np.isfinite(samples), samples, np.nan).astype(np.float64)
    exponent = np.frexp(np.abs(finite_range(samples)).max())[1]
    # squares may be beyond floating point; a power of two rounds nothing
    samples = np.ldexp(samples, -exponent)
    n_seen = np.maximum(1, (~np.isnan(samples)).sum(axis=0))
    center = np.nansum(samples, axis=0) / n_seen
    deviations = np.sqrt(np.nansum((samples - center) ** 2, axis=0) / n_seen)
    scale = np.where(deviations > 0, np.ldexp(deviations, exponent), 1.0)
    return np.ldexp(center, exponent), scale


def read_units(display, shape):
    """Check what a display was given for each value of a sample.

    Parameters
    ----------
    display : object
        With `center`, `scale` and `feature_names`.
    shape : tuple of int
        Of a sample.

    Returns
    -------
    center, scale : ndarray of that shape, or 0 and 1
    """
    units = []
    for name, default in (("center", 0.0), ("scale", 1.0), ("feature_names", None)):
        values = getattr(display, name)
        if values is not None and np.shape(values) != shape:
            raise ValueError(
                f"{name} must be of shape {shape}, that of a sample. Got shape "
                f"{tuple(np.shape(values))}."
            )
        if values is None:
            units.append(default)
        elif name != "feature_names":
            options = {"ensure_2d": False, "allow_nd": True, "dtype": np.float64}
            units.append(check_array(as_array(values), **options, input_name=name))
    center, scale = units[:2]
    if np.min(scale) <= 0:
        raise ValueError("scale must be above 0, for each value of a sample.")
    return center, scale


def names_of_columns(X):
    """Return the names of the columns of a data frame as strings, or None."""
    names = getattr(X, "columns", None)
    return None if names is None else [str(name) for name in names]


def short_names(names):
    """Cut names of columns to what there is room for."""
    return [shorten(str(name), _LONGEST_NAME) for name in names]


def mark_columns(panel, n_columns, names):
    """Write the names of columns, or else whole numbers, below a panel."""
    if names is None:
        panel.xaxis.get_major_locator().set_params(integer=True)
        return
    panel.set_xticks(np.arange(n_columns), short_names(names), rotation=90)
    written_literally(*panel.get_xticklabels())


def mark_positions(panel, x):
    """Leave few ticks on the axis of positions, which may be dates."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if np.issubdtype(x.dtype, np.datetime64):
        locator = AutoDateLocator(minticks=2, maxticks=3)
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        panel.locator_params(axis="x", nbins=3)


def limits(values):
    """Return the lowest and the highest value there is, and a margin around them."""
    low, high = finite_range(values)
    return low, high, 0.05 * (high - low) or 1.0
