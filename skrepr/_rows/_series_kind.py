"""What X holds: series of one length, series of many, or what is not read as series."""

import numpy as np

EXPECTED = (
    "an array of shape (n_samples, length) or (n_samples, n_channels, length), or a list of "
    "arrays of shape (n_channels, length_i)"
)


def resolve_kind(X, kind):
    """Find out what X holds.

    Parameters
    ----------
    X : array-like or list
    kind : {"auto", "series"}
        "auto": series, unless X holds text or dates, which is an error.

    Returns
    -------
    kind : {"series"}
    """
    found = _text_or_dates(X) if kind == "auto" else None
    if found is not None:
        raise ValueError(
            f"X must be series of numbers: {EXPECTED}. Got {found}, and kind='auto' reads no "
            "text, tokens or dates. Word2VecEmbedding reads text and tokens; kind='series' turns "
            "strings into the numbers that they hold."
        )
    return "series"


def _text_or_dates(X, word="strings"):
    """Describe the first string or date in X; None if there is none.

    Data frames are left to `read_rows`, which names their columns.
    """
    if isinstance(X, (str, bytes)):
        return f"{word}, such as {X[:40]!r}"
    if hasattr(X, "to_numpy") and len(X.shape) == 1:  # one column of a data frame
        X = X.to_numpy()
    if isinstance(X, np.ndarray) and X.dtype.kind in "SU" and X.size:
        return _text_or_dates(X.flat[0])
    if isinstance(X, np.ndarray) and X.dtype.kind in "Mm":
        return f"an array of {X.dtype}"
    if isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype == object):
        for part in X:
            if isinstance(part, (list, tuple)):
                found = _text_or_dates(part, "lists of tokens")
            elif isinstance(part, (str, bytes, np.ndarray)):
                found = _text_or_dates(part, word)
            else:
                continue
            if found is not None:
                return found
    return None


def is_ragged(X):
    """Whether X is a list of series, not one array.

    A list of arrays of two axes is. A list of arrays of one axis, which are series of one
    channel, or of nested lists, is if they are not all of one shape.
    """
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
        X = list(X)
    if not isinstance(X, (list, tuple)) or len(X) == 0:
        return False
    if any(len(getattr(series, "shape", ())) == 2 for series in X):
        return True
    shapes = {shape_of(series) for series in X}
    are_series = {len(shape) for shape in shapes} <= {1, 2}
    return are_series and (len(shapes) > 1 or None in shapes.pop())


def shape_of(series):
    """Return the shape of an array or of nested lists, with None where lengths differ."""
    if not isinstance(series, (list, tuple)):
        return tuple(getattr(series, "shape", ()))
    # numbers in a list are many, and one tells of all
    if len(series) == 0 or not (shape_of(series[0]) or isinstance(series[0], (list, tuple))):
        return (len(series),)
    inner = {shape_of(part) for part in series}
    n_axes = max(map(len, inner))
    return (len(series), *(inner.pop() if len(inner) == 1 else [None] * n_axes))
