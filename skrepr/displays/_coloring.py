"""What `y` says about the color of each point: a label, a value, or nothing."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_float_dtype, is_numeric_dtype

from ._arguments import as_array, without_masked
from ._ranges import middle_range

SHAPES = ("o", "^", "s")
VALUE_COLORS = "viridis"
_MOST_WHOLE_NUMBERS = 30  # different ones; with more they are values, not labels
UNKNOWN = "not known"


class Group(NamedTuple):
    """Points drawn alike."""

    name: str | None
    """The label; None where there are no labels. No two groups have the same."""
    rows: list
    """Arrays of numbers of points: one for each label in it."""
    color: str
    shape: str
    is_label: bool
    """Whether it is one label, neither the rest nor what is not known."""


class Coloring(NamedTuple):
    """Values, or else groups, of which each point is in one."""

    values: np.ndarray | None
    """Float64, NaN where not known."""
    groups: list

    @property
    def has_names(self):
        """Whether groups have names to be explained."""
        return [group.name for group in self.groups] not in ([], [None])

    def of_points(self, scheme):
        """Give the color of every point, as an array of RGBA of shape (n_points, 4)."""
        from matplotlib import colormaps
        from matplotlib.colors import Normalize, to_rgba

        if self.values is not None:
            low, high, _ = color_range(self.values)
            colors = colormaps[VALUE_COLORS](Normalize(low, high)(self.values))
            colors[np.isnan(self.values)] = to_rgba(scheme.gray)
            return colors
        colors = np.empty((sum(len(rows) for group in self.groups for rows in group.rows), 4))
        for group in self.groups:
            colors[np.concatenate(group.rows)] = to_rgba(group.color)
        return colors


def read_colors(y, color_by, n, most_labels, scheme):
    """Read `y` as labels or as values.

    Parameters
    ----------
    y : array-like of shape (n,) or None
    color_by : {"auto", "label", "value"}
        "auto": labels, but for fractions and for more than 30 different numbers.
    n : int
        Number of points.
    most_labels : int
        What is beyond, the least frequent, becomes one group.
    scheme : Scheme
        Colors.

    Returns
    -------
    coloring : Coloring
        Groups, too, where no value is known.
    """
    if y is None:
        return Coloring(
            None, [Group(None, [np.arange(n)], scheme.colors[0], SHAPES[0], is_label=False)]
        )
    y = read_targets(y, color_by)
    if isinstance(y, np.ndarray):
        if np.isfinite(y).any():
            return Coloring(y, [])
        y = pd.Series(np.full(n, np.nan))
    return Coloring(None, _groups(*_label_codes(y), most_labels, scheme))


def read_targets(y, color_by):
    """Read `y`, and refuse what can be neither a label nor a value.

    Returns
    -------
    y : ndarray of float64 or pandas.Series
        Values, NaN where not known; or else labels.
    """
    if isinstance(y, str | bytes | set | dict):
        raise TypeError(f"Expected sequence or array-like, got {type(y)}")
    y = without_masked(as_array(y))
    shape = getattr(y, "shape", (len(y),))
    if len(shape) == 2 and shape[1] == 1:
        y = y.iloc[:, 0] if hasattr(y, "iloc") else np.asarray(y)[:, 0]  # a column
    elif len(shape) != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {shape} instead.")
    y = y if isinstance(y, pd.Series) else pd.Series(y)
    if color_by == "value" or (color_by == "auto" and _are_values(y)):
        return _as_values(y)
    return y


def shown_name(name):
    """Write a label so that it is seen, and told from all others: in quotes, where needed."""
    is_plain = name and name.isprintable() and name == name.strip() and name[0] not in "'\""
    return name if is_plain else repr(name)


def color_range(values):
    """Choose the values between which colors change, so that few far out take none.

    Returns
    -------
    low, high : float
    extend : {"neither", "min", "max", "both"}
        Where there are values beyond, as matplotlib's color bars take it.
    """
    known = values[np.isfinite(values)]
    low, high = middle_range(known)
    beyond = known.min() < low, known.max() > high
    return low, high, ("neither", "min", "max", "both")[beyond[0] + 2 * beyond[1]]


def _are_values(y):
    if not _are_numbers(y):
        return False
    known = y.dropna().unique()
    fractions = is_float_dtype(y) and (known != np.round(known)).any()
    return fractions or len(known) > _MOST_WHOLE_NUMBERS


def _are_numbers(y):
    return is_numeric_dtype(y) and not (is_bool_dtype(y) or is_complex_dtype(y))


def _as_values(y):
    try:
        if is_complex_dtype(y):
            raise TypeError("complex numbers have no order")
        values = pd.to_numeric(y).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"color_by='value' needs numbers. Got y of dtype {y.dtype}.") from error
    return np.where(np.isfinite(values), values, np.nan)


def _label_codes(y):
    """Give each point the number of its label, -1 where it is missing, and the labels as text.

    An order of categories or of numbers stays.
    """
    is_ordered = isinstance(y.dtype, pd.CategoricalDtype) or _are_numbers(y)
    try:
        codes, labels = pd.factorize(y, sort=is_ordered)
    except TypeError as error:
        raise ValueError(f"Labels must be hashable, such as str or int: {error}.") from error
    names = [f"{v:.0f}" if is_float_dtype(y) and v == np.round(v) else str(v) for v in labels]
    # as text, since a list may hold labels of several types, and one text is one label
    position, ordered = pd.factorize(np.array(names, dtype=object), sort=not is_ordered)
    return np.append(position, -1)[codes], ordered.tolist()


def _groups(codes, labels, most_labels, scheme):
    kept = np.arange(len(labels))
    if len(labels) > most_labels:
        frequent = np.argsort(-np.bincount(codes[codes >= 0]), kind="stable")
        kept = np.sort(frequent[:most_labels])
    # one sort, not one comparison of all rows for each label
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(-1, len(labels) + 1))
    rows_of = dict(zip(range(-1, len(labels)), np.split(order, starts[1:-1])))
    groups = []
    for i, code in enumerate(kept):
        color = scheme.colors[i % len(scheme.colors)]
        shape = SHAPES[i // len(scheme.colors)]
        groups.append(Group(labels[code], [rows_of.pop(code)], color, shape, is_label=True))
    unknown = rows_of.pop(-1)
    taken = {group.name for group in groups}
    for name, rows in (
        (f"{len(rows_of)} other labels", list(rows_of.values())),
        (UNKNOWN, [unknown] if len(unknown) else []),
    ):
        while name in taken:  # there is a label of this text
            name = f"({name})"
        if rows:
            groups.append(Group(name, rows, scheme.gray, SHAPES[0], is_label=False))
    return groups
