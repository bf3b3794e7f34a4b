"""The door to matplotlib: its import, colors, and room for names."""

from contextlib import contextmanager
from typing import NamedTuple


class Scheme(NamedTuple):
    """Colors that are told apart by color-blind readers and from their background."""

    colors: tuple
    """Ten colors; neighbors in this order differ most. The last one is that of text."""
    gray: str
    """For what is in the background."""


# Paul Tol's "muted" scheme and black
ON_LIGHT = Scheme(
    (
        *("#332288", "#CC6677", "#44AA99", "#DDCC77", "#AA4499"),
        *("#88CCEE", "#117733", "#882255", "#999933", "#000000"),
    ),
    "#BBBBBB",
)
# his "light" scheme, a purple of the other one, and white
ON_DARK = Scheme(
    (
        *("#77AADD", "#EE8866", "#44BB99", "#EEDD88", "#AA4499"),
        *("#99DDFF", "#AAAA00", "#FFAABB", "#BBCC33", "#FFFFFF"),
    ),
    "#666666",
)

_SMALLER = ("small", "x-small", "xx-small")
_LARGEST_SHARE = 0.6  # of the width of axes that give room to a legend


def scheme(ax):
    """Choose the colors that are seen on the background of the axes."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(ax.get_facecolor())
    is_dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.4  # Rec. 709 luma
    return ON_DARK if is_dark else ON_LIGHT


def import_pyplot(display):
    """Import ``matplotlib.pyplot``, or say how to get it.

    Parameters
    ----------
    display : class
        The display that needs it, for the message.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{display.__name__} needs matplotlib. Install it by `pip install matplotlib`."
        ) from error
    return plt


@contextmanager
def axes_or_new(plt, ax, **options):
    """Give the axes to draw on; a figure made for them is closed where drawing fails.

    Parameters
    ----------
    plt : module
        ``matplotlib.pyplot``.
    ax : matplotlib Axes or None
        None: those of a new figure.
    **options
        Of ``pyplot.subplots``.
    """
    if ax is not None:
        yield ax
        return
    figure, ax = plt.subplots(**options)
    try:
        yield ax
    except BaseException:  # of Ctrl-C, too, no figure stays
        plt.close(figure)
        raise


def written_literally(*texts):
    """Write what users named as it is: a dollar sign in it starts no formula."""
    for text in texts:
        text.set_parse_math(False)


def legend_beside(ax, **options):
    """Put a legend to the right of the axes, where it hides nothing of what is drawn.

    Parameters
    ----------
    ax : matplotlib Axes
    **options
        Of ``Axes.legend``.

    Returns
    -------
    legend : matplotlib Legend
    """
    options |= {
        "loc": "upper left",
        "bbox_to_anchor": (1.02, 1),
        "borderaxespad": 0,
        "frameon": False,
        "alignment": "left",
    }
    legend = ax.legend(**options)
    written_literally(*legend.get_texts(), legend.get_title())
    spec = ax.get_subplotspec()
    if spec is None or ax.figure.get_layout_engine() is not None:
        return legend
    # no engine makes room: the axes give it, as they do for a color bar
    cell = spec.get_position(ax.figure).transformed(ax.figure.transSubfigure)
    for size in _SMALLER:
        box = legend.get_window_extent()
        if box.width <= _LARGEST_SHARE * cell.width and box.height <= cell.height:
            break
        legend = ax.legend(**options, fontsize=size)
        written_literally(*legend.get_texts(), legend.get_title())
    share = min(_LARGEST_SHARE, 1.06 * legend.get_window_extent().width / cell.width)
    ax.set_subplotspec(spec.subgridspec(1, 2, width_ratios=[1 - share, share], wspace=0)[0])
    return legend


def shorten(name, n_letters):
    """Cut the middle out of a name that would leave little room for the picture."""
    if len(name) <= n_letters:
        return name
    n_last = n_letters // 2
    return f"{name[: n_letters - n_last - 1]}…{name[-n_last:]}"
