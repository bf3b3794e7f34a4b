"""Gaussian noise."""

from sklearn.base import BaseEstimator

from ._chance import empty_draws
from ._checks import check_number


class GaussianNoise(BaseEstimator):
    """Add independent Gaussian noise to every value.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, as a share of the root mean square of the columns'
        standard deviations.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders. Journal of Machine
       Learning Research 11, 3371-3408.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import GaussianNoise
    >>> noisy = GaussianNoise(0.5)(torch.zeros(1000, 8), torch.Generator().manual_seed(0))
    >>> round(noisy.std().item(), 1)
    0.5
    """

    def __init__(self, scale=0.1):
        self.scale = scale

    def __call__(self, x, generator=None, *, donors=None):
        """Return a noisy copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, *sample_shape)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, *sample_shape) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, *sample_shape)
        """
        scale = check_number(self, "scale")
        if scale == 0:
            return x
        return x + scale * empty_draws(x, donors).normal_(generator=generator)
