"""The door to matplotlib, and the colours of the displays."""

# Paul Tol's "muted" scheme, safe for colour-blind readers, and black
COLORS = (
    *("#332288", "#88CCEE", "#44AA99", "#117733", "#999933"),
    *("#DDCC77", "#CC6677", "#882255", "#AA4499", "#000000"),
)
GREY = "#BBBBBB"


def import_pyplot(display):
    """Import ``matplotlib.pyplot``, or say how to get it.

    Parameters
    ----------
    display : object
        The display that needs it, for the message.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib. Install it by "
            "`pip install skrepr[plot]`."
        ) from error
    return plt
