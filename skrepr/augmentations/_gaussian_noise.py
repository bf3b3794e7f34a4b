"""Gaussian noise."""

import math
import numbers

import torch
from sklearn.base import BaseEstimator


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

    def __call__(self, x, generator=None):
        """Return a noisy copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, *sample_shape)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.

        Returns
        -------
        x : torch.Tensor of shape (n, *sample_shape)
        """
        scale = self.scale
        is_number = isinstance(scale, numbers.Real) and not isinstance(scale, bool)
        if not (is_number and 0 <= scale < math.inf):
            raise ValueError(
                "The 'scale' parameter of GaussianNoise must be a float in the range [0, inf). "
                f"Got {scale!r} instead."
            )
        if scale == 0:
            return x
        return x + scale * torch.empty_like(x).normal_(generator=generator)
