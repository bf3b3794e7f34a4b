"""A blurred image."""

import torch
from sklearn.base import BaseEstimator

from ._chance import count_draws, uniform
from ._checks import check_layout, check_number


class Blur(BaseEstimator):
    """Blur images by a Gaussian of random width.

    The mean of an image hardly changes. It destroys fine structure: texture, noise, and what
    tells a point from a small extended source.

    Parameters
    ----------
    sigma : float, default=1.0
        Largest standard deviation of the Gaussian, in pixels; that of each image is drawn
        between 0 and it.

    References
    ----------
    .. [1] Chen, T., Kornblith, S., Norouzi, M. & Hinton, G. (2020). A simple framework for
       contrastive learning of visual representations. ICML.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import Blur
    >>> x = torch.zeros(1, 1, 9, 9)
    >>> x[..., 4, 4] = 1
    >>> blurred = Blur(2.0)(x, torch.Generator().manual_seed(0))
    >>> bool(blurred.max() < 0.5), round(blurred.sum().item(), 1)
    (True, 1.0)
    """

    def __init__(self, sigma=1.0):
        self.sigma = sigma

    def __call__(self, x, generator=None, *, donors=None):
        """Return a changed copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, height, width)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, n_channels, height, width) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, n_channels, height, width)
        """
        check_layout(self, x, 4)
        largest = check_number(self, "sigma")
        if largest == 0:
            return x
        sigma = uniform(x, (count_draws(x, donors), 1, 1, 1), (0, largest), generator)
        sigma = sigma.clamp(min=1e-3)  # no division by 0
        down, across = (_gaussian_rows(x, size, sigma) for size in x.shape[2:])
        return down @ x @ across.mT


def _gaussian_rows(x, size, sigma):
    """Return matrices (n or 1, 1, size, size) that blur along one axis: their rows add up to 1."""
    place = torch.arange(size, device=x.device, dtype=x.dtype)
    weights = torch.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
    return weights / weights.sum(-1, keepdim=True)
