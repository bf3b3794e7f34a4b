"""Noise on a series."""

from sklearn.base import BaseEstimator

from ._chance import empty_draws
from ._checks import check_layout, check_number


class Jitter(BaseEstimator):
    """Add independent Gaussian noise to every step, in proportion to the spread of the series.

    The noise of a row's channel is measured in the standard deviation of that channel along the
    row, so that faint series are not drowned and bright ones are changed too;
    :class:`~skrepr.augmentations.GaussianNoise` adds the same amount to all rows. It destroys
    details smaller than the noise, and the signal-to-noise ratio as a property of a row.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation of the noise, as a share of that of the row's channel.

    References
    ----------
    .. [1] Um, T. T. et al. (2017). Data augmentation of wearable sensor data for Parkinson's
       disease monitoring using convolutional neural networks. ICMI.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import Jitter
    >>> x = torch.tensor([1.0, -1.0]).repeat(500)[None, None] * torch.tensor([[[1.0], [100.0]]])
    >>> noise = Jitter(0.1)(x, torch.Generator().manual_seed(0)) - x
    >>> [round(share, 1) for share in (noise.std(2) / x.std(2)).squeeze().tolist()]
    [0.1, 0.1]
    """

    def __init__(self, scale=0.1):
        self.scale = scale

    def __call__(self, x, generator=None, *, donors=None):
        """Return a changed copy.

        Parameters
        ----------
        x : torch.Tensor of shape (n, n_channels, length)
            A batch.
        generator : torch.Generator or None, default=None
            Where to draw from.
        donors : torch.Tensor of shape (m, n_channels, length) or None, default=None
            None: a draw for each row. Otherwise one draw, shared by all rows.

        Returns
        -------
        x : torch.Tensor of shape (n, n_channels, length)
        """
        check_layout(self, x, 3)
        scale = check_number(self, "scale")
        if scale == 0:
            return x
        noise = empty_draws(x, donors).normal_(generator=generator)
        return x + scale * x.std(2, correction=0, keepdim=True) * noise
