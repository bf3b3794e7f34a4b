"""A random part of a series."""

import torch
from sklearn.base import BaseEstimator

from ._chance import count_draws, uniform
from ._checks import check_layout, check_pair
from ._resampled import resampled


class TimeCrop(BaseEstimator):
    """Take a random contiguous part of a series, stretched back to full length.

    Values between steps are interpolated linearly. It destroys durations and frequencies, such
    as the period of a variable star or the wavelength of a line, and what happens outside of the
    part.

    Parameters
    ----------
    share : pair of float, default=(0.5, 1.0)
        Lowest and highest length of the part, as a share of that of the series, in (0, 1].

    References
    ----------
    .. [1] Le Guennec, A., Malinowski, S. & Tavenard, R. (2016). Data augmentation for time
       series classification using convolutional neural networks. AALTD workshop.

    Examples
    --------
    >>> import torch
    >>> from skrepr.augmentations import TimeCrop
    >>> x = torch.arange(5.0).reshape(1, 1, 5)
    >>> part = TimeCrop((0.5, 0.5))(x, torch.Generator().manual_seed(0)).squeeze()
    >>> round((part[-1] - part[0]).item(), 3)
    2.0
    """

    def __init__(self, share=(0.5, 1.0)):
        self.share = share

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
        shares = check_pair(self, "share", high=1)
        if tuple(shares) == (1, 1):
            return x
        shape = count_draws(x, donors), 1
        share = uniform(x, shape, shares, generator)
        start = (1 - share) * uniform(x, shape, (0, 1), generator)
        steps = torch.linspace(0, 1, x.shape[2], dtype=x.dtype, device=x.device)
        return resampled(x, start + share * steps)
