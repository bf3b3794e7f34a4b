"""The bar that shows how far a fit is."""


def new_bar(n_epochs, **settings):
    """Show a bar of epochs; further ``settings`` are those of tqdm."""
    from tqdm.auto import tqdm  # imported where a bar is asked for: it takes a moment

    return tqdm(total=n_epochs, unit="epoch", **settings)
